"""Which device this is: the board's serial number, else a digest of the machine's identity."""

from __future__ import annotations

import hashlib
from pathlib import Path

BOARD_SERIAL = Path("/sys/firmware/devicetree/base/serial-number")
MACHINE_ID = Path("/etc/machine-id")
DIGITS = 16


def device_serial(board: Path = BOARD_SERIAL, machine: Path = MACHINE_ID) -> str:
    """The board's serial number; else "machine-" and a digest, as machine-id(5) asks not to show the identity itself.

    "unknown" where there is neither: such a device cannot be told from others.
    """
    try:
        serial = board.read_bytes().strip(b"\0 \n").decode("ascii")
        if serial and serial.isprintable():
            return serial
    except (OSError, UnicodeDecodeError):
        pass
    try:
        identity = machine.read_bytes().strip()
    except OSError:
        return "unknown"
    return f"machine-{hashlib.sha256(b'focusgate device ' + identity).hexdigest()[:DIGITS]}" if identity else "unknown"
