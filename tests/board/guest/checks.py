"""All checks of the virtual board, started by its systemd; ends by switching the board off."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import check_board
from rig import perform, run, tell

JOURNAL = Path("/dev/virtio-ports/journal")


def first_boot() -> None:
    """Everything that one life of the board shows."""
    perform("boots", check_board.boots, 150)
    perform("GPIO chip with 54 lines", check_board.has_54_lines, 10)
    perform("I²C bus", check_board.i2c_answers, 10)
    Path("/opt/focusgate/venv").symlink_to(next(Path("/opt/focusgate/releases").iterdir()))
    os.environ |= {"RPI_LGPIO_CHIP": Path("/run/rig-chip").read_text().strip().removeprefix("gpiochip")}
    os.environ |= {"RPI_LGPIO_REVISION": "c03115", "LG_WD": "/run"}
    check_board.versions()
    perform("button's edge reaches RPi.GPIO", check_board.edges_reach_rpi_gpio, 60)
    perform("guard alone drops the line", check_board.guard_alone, 120)
    perform("camera at full size", check_board.camera_at_full_size, 120)


def tell_journal() -> None:
    with contextlib.suppress(OSError), JOURNAL.open("w", encoding="utf-8") as port:
        port.write(run("journalctl", "-b", "-o", "short-monotonic", "--no-hostname", "--quiet", check=False))


def main() -> int:
    try:
        first_boot()
    finally:
        tell("end", boot=1)
        tell_journal()
        subprocess.run(["systemctl", "poweroff"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
