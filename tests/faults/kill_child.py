"""Run as a script: kills children of its own that save captures, and tells what each had been told is saved.

    python kill_child.py FOLDER random KILLS SEED    kill at random moments
    python kill_child.py FOLDER calls                kill before, and after, every system call of a first save

One line for each child: what it had been told, in order: an id that is saved, "?" and one that is about to be deleted,
"-" and one whose deletion is complete. Forking here, in a process that has done its imports and started no threads,
makes hundreds of children cheap.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from device.store import deletion
from device.store.deletion import delete
from device.store.files import FileOps, PosixFiles
from device.store.jpeg import encode
from device.store.records import CaptureRecord, new_capture_id
from device.store.writer import Store

LONGEST_S = 0.02
DELETE_EACH = 2  # every other capture is deleted again


class Deadly(PosixFiles):
    """The process dies before (even) or after (odd) one of its system calls."""

    def __init__(self, moment: int) -> None:
        self._left = moment

    def __getattribute__(self, name: str) -> Any:
        call = super().__getattribute__(name)
        if name.startswith("_"):
            return call

        def counted(*arguments: Any) -> Any:
            self._tick()
            result = call(*arguments)
            self._tick()
            return result

        return counted

    def _tick(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def save_for_ever(folder: Path, told: int, files: FileOps, limit: int | None) -> None:
    store = Store.open(folder, files)
    for _ in range(limit) if limit is not None else count():
        number = store.next_sequence()
        record = CaptureRecord(
            capture_id=new_capture_id(),
            sequence=number,
            boot_id="boot",
            exposed_ns=2,
            press_ns=1,
            wall_time=datetime(2026, 1, 1, tzinfo=UTC),
            wall_synchronised=False,
            width=64,
            height=64,
            override=True,
            required_percent=90,
            verdict=None,
            reason=None,
            evidence=None,
            software="test",
        )
        store.save_encoded(encode(np.full((64, 64, 3), number % 256, np.uint8), record), record)
        os.write(told, f"{record.capture_id}\n".encode())
        if number % DELETE_EACH == 0:
            gone = store.listing().entries[-1]
            os.write(told, f"?{gone.capture_id}\n".encode())
            delete(folder, [gone], files=files)
            os.write(told, f"-{gone.capture_id}\n".encode())


deletion.BALLAST_BYTES = 1500  # a megabyte for each of hundreds of stores would be too many


def child(folder: Path, files: FileOps, limit: int | None) -> tuple[int, int]:
    """A child that saves, and the pipe on which it says what was acknowledged."""
    hear, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            save_for_ever(folder, told, files, limit)
        finally:
            os._exit(0)
    os.close(told)
    return pid, hear


def heard(pid: int, hear: int) -> tuple[str, bool]:
    """What the dead child said, and whether it was killed."""
    status = os.waitpid(pid, 0)[1]
    with os.fdopen(hear, "rb") as pipe:
        return pipe.read().decode().replace("\n", " ").strip(), os.WIFSIGNALED(status)


def at_random(folder: Path, kills: int, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for kill in range(kills):
        pid, hear = child(folder, PosixFiles(), None)
        if kill % 2:
            select.select([hear], [], [])  # every other child has saved once, on however slow a machine
        time.sleep(chance.uniform(0.001, LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        yield heard(pid, hear)[0]


def at_every_call(folder: Path) -> Iterator[str]:
    for moment in count():
        told, killed = heard(*child(folder / str(moment), Deadly(moment), 2))
        yield told
        if not killed:
            return


if __name__ == "__main__":
    where, how, *numbers = sys.argv[1:]
    lines = at_random(Path(where), *map(int, numbers)) if how == "random" else at_every_call(Path(where))
    for line in lines:
        sys.stdout.write(f"{line}\n")
