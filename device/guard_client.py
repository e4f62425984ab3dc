"""The gate's side of the guard: asks for the shutter line, one datagram at a time, and never waits for it.

The gate survives a guard that is gone: every call raises HardwareError, which the decision loop turns into the fault
"shutter" (the lamp must not say "open" over a dead line) and clears at the first call that goes through again. The
line itself is low meanwhile, by the guard's own death and by its pull-down; an override can still be saved.
"""

from __future__ import annotations

import socket
from pathlib import Path

from device.guard_state import close_message, renew_message
from models.errors import HardwareError, one_line


class GuardClient:
    """Talks to the guard at `path`. May be called from any thread; the guard may come and go."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def renew(self, until_ns: int) -> None:
        """Ask for a high line until `until_ns` (monotonic clock); the guard grants 150 ms at most.

        Raises HardwareError if the guard is absent, forbidden, or does not take its messages.
        """
        self._send(renew_message(until_ns))

    def close(self) -> None:
        """Ask for a low line now. Raises HardwareError as `renew` does. The client can be used again."""
        self._send(close_message())

    def disconnect(self) -> None:
        """Give the socket back. May be called twice."""
        self._socket.close()

    def _send(self, message: bytes) -> None:
        # By path each time: a guard that was started anew is found again without any bookkeeping here.
        try:
            self._socket.sendto(message, self._path)
        except BlockingIOError:
            raise HardwareError(
                f"shutter guard {self._path}: takes no messages; the line is dropped by its lease; "
                "restart focusgate-guard.service"
            ) from None
        except OSError as error:
            raise HardwareError(
                f"shutter guard {self._path}: is not there ({one_line(error.strerror or error, 80)}); the line stays "
                "low; start focusgate-guard.service"
            ) from error
