"""Run as a script: kills children of its own that write an audit log, and tells what each had been told is written.

    python kill_audit_child.py FOLDER KILLS SEED

One line for each child: the heads that it was given back by `append`, in order.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from itertools import count
from pathlib import Path

from device.audit.log import AuditLog, Note
from device.store.origin import Origin

LONGEST_S = 0.01
FILE_BYTES, KEEP_BYTES = 8_000, 40_000


def write_for_ever(folder: Path, told: int, seed: int) -> None:
    chance = random.Random(seed)
    log = AuditLog(folder, Origin("boot"), file_bytes=FILE_BYTES, keep_bytes=KEEP_BYTES)
    for number in count():
        notes = [Note("press", number, {"button": "capture"}) for _ in range(chance.randint(1, 5))]
        os.write(told, f"{log.append(notes, number)}\n".encode())


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for kill in range(kills):
        hear, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                write_for_ever(folder, told, seed + kill)
            finally:
                os._exit(0)
        os.close(told)
        if kill % 2:
            select.select([hear], [], [])  # every other child has written once, on however slow a machine
        time.sleep(chance.uniform(0.0005, LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(hear, "rb") as pipe:
            sys.stdout.write(pipe.read().decode().replace("\n", " ").strip() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
