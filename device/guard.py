"""The tiny process that owns the shutter-enable line: `python -m device.guard --socket PATH --pin BCM`.

It holds the line high only while the gate asks for it, again and again; whatever becomes of the gate (killed, frozen,
hung in a driver), the line falls within 150 ms. It needs no NumPy and no ONNX Runtime, so it starts in an instant and
has little that can fail. Low is the level at start, at exit, at every error, and by the pull-down below all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, Protocol

from device.clock import MS, SECOND, Clock, MonotonicClock
from device.guard_client import GuardClient
from device.guard_state import MESSAGE_BYTES, GuardState, remaining_ns, step
from device.notify import notify
from device.pins.rpi import RpiGpio
from device.supervision.faults import GUARD_END, end_of
from models.errors import ExitCode, FocusgateError, HardwareError, InputError, one_line

log = logging.getLogger("focusgate.guard")

IDLE_NS = 250 * MS
"""Longest wait for a message; after each the service manager hears that the guard lives."""

SOCKET_MODE = 0o660

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class Line(Protocol):
    """The shutter-enable line. Raises HardwareError when it does not obey."""

    def drive(self, high: bool) -> None: ...

    def close(self) -> None:
        """Low, and given back."""
        ...


class GpioLine:
    """Line `bcm` of the board. Every level is read back: a line that is shorted is a fault, not a guess."""

    def __init__(self, bcm: int, gpio: RpiGpio | None = None) -> None:
        self._bcm = bcm
        self._gpio = gpio or RpiGpio()
        try:
            self._gpio.claim_output("the shutter-enable line", bcm)
        except HardwareError:
            self._gpio.close()
            raise

    def drive(self, high: bool) -> None:
        self._gpio.write(self._bcm, high)
        if self._gpio.read(self._bcm) != high:
            asked, found = ("high", "low") if high else ("low", "high")
            raise HardwareError(
                f"the shutter-enable line (GPIO{self._bcm}) was driven {asked} and is {found}; look for a short circuit"
            )

    def close(self) -> None:
        self._gpio.close()


class FileLine:
    """A stand-in for tests: appends "<monotonic ns> <0 or 1>" to `path` at each change, and the level at start."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._high: bool | None = None
        try:
            self._out = path.open("a", encoding="ascii", buffering=1)
        except OSError as error:
            raise HardwareError(
                f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours"
            ) from None

    def drive(self, high: bool) -> None:
        if high is not self._high and not self._out.closed:
            self._out.write(f"{self._clock.now_ns()} {int(high)}\n")
            self._high = high

    def close(self) -> None:
        self.drive(False)
        self._out.close()


def open_socket(path: Path) -> socket.socket:
    """The socket that the gate writes to, for owner and group. Raises HardwareError if another guard listens there."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        try:
            server.connect(str(path))
        except FileNotFoundError:
            pass
        except ConnectionRefusedError:
            if not path.is_socket():
                raise
            path.unlink()  # of a guard that died
        else:
            raise HardwareError(f"{path}: another guard owns this socket; end it, or name another")
        server.close()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        before = os.umask(0o777 & ~SOCKET_MODE)
        try:
            server.bind(str(path))
        finally:
            os.umask(before)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    except OSError as error:
        server.close()
        raise HardwareError(
            f"{path}: cannot be the guard's socket ({one_line(error.strerror or error, 80)}); name one in a folder "
            "that this user may write"
        ) from error
    except HardwareError:
        server.close()
        raise
    return server


def receive(server: socket.socket, uid: int | None) -> bytes:
    """One message; empty, which is no message, if it comes from another user than `uid`."""
    data, ancillary, _, _ = server.recvmsg(MESSAGE_BYTES + 1, socket.CMSG_SPACE(_CREDENTIALS.size))
    if uid is None:
        return data
    for level, kind, body in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(body) >= _CREDENTIALS.size:
            return data if _CREDENTIALS.unpack_from(body)[1] == uid else b""
    return b""


def wait_for_message(server: socket.socket, timeout_s: float) -> bool:
    """True as soon as a message can be read, False after `timeout_s`."""
    ready, _, _ = select.select([server], [], [], timeout_s)
    return bool(ready)


def serve(
    server: socket.socket,
    line: Line,
    clock: Clock,
    *,
    uid: int | None = None,
    wait: Callable[[socket.socket, float], bool] = wait_for_message,
) -> NoReturn:
    """Drive `line` by the messages of `server` until an exception ends it; the caller then closes the line."""
    state = GuardState()
    line.drive(False)
    high = False
    notify("READY=1")
    told_ns = clock.now_ns()
    while True:
        now_ns = clock.now_ns()
        wait_ns = min(remaining_ns(state, now_ns) or IDLE_NS, IDLE_NS)
        datagram = receive(server, uid) if wait(server, wait_ns / SECOND) else None
        refused = state.refused
        state, wanted = step(state, datagram, clock.now_ns())
        if wanted is not high:
            line.drive(wanted)
            high = wanted
        if state.refused > refused and state.refused.bit_count() == 1:  # the 1st, 2nd, 4th, … only: no flood of lines
            log.warning("messages that are not understood, or not of the gate's user: %d", state.refused)
        if state.now_ns - told_ns >= IDLE_NS:
            told_ns = state.now_ns
            notify("WATCHDOG=1")


def drive_low(path: Path, line_of: Callable[[], Line]) -> None:
    """Bring the line down once, whoever owns it: a guard that lives is told to, otherwise the line is driven from here.

    Raises HardwareError if neither can be done.
    """
    client = GuardClient(path)
    try:
        client.close()
    except HardwareError as error:
        log.info("%s", error)
    else:
        return
    finally:
        client.disconnect()
    line = line_of()
    try:
        line.drive(False)
    finally:
        line.close()


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP leave the loop like any other exception: through the line's safe level."""
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def leave(number: int, _: types.FrameType | None) -> NoReturn:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)  # the way out is not to be interrupted
        raise SystemExit(0 if number == signal.SIGTERM else 128 + number)

    before = {number: signal.signal(number, leave) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="focusgate-guard", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--socket", type=Path, required=True, help="where the gate sends its messages")
    owner = parser.add_mutually_exclusive_group(required=True)
    owner.add_argument("--pin", type=int, metavar="BCM", help="BCM number of the shutter-enable line")
    owner.add_argument("--line", metavar="file:PATH", help="instead of a pin: write the levels to a file (tests)")
    parser.add_argument("--uid", type=int, help="obey this user alone (default: whoever may write to the socket)")
    parser.add_argument("--drive-low", action="store_true", help="bring the line down once, and end")
    return parser.parse_args(argv)


def _line(arguments: argparse.Namespace, clock: Clock) -> Line:
    if arguments.pin is not None:
        return GpioLine(arguments.pin)
    kind, _, path = str(arguments.line).partition(":")
    if kind != "file" or not path:
        raise InputError(f"--line {arguments.line} is not possible; allowed: file:PATH")
    return FileLine(Path(path), clock)


def _run(arguments: argparse.Namespace, clock: Clock) -> None:
    if arguments.drive_low:
        drive_low(arguments.socket, lambda: _line(arguments, clock))
        return
    with ended_by_signals():
        line = _line(arguments, clock)
        try:
            with open_socket(arguments.socket) as server:
                serve(server, line, clock, uid=arguments.uid)
        finally:
            line.close()
            notify("STOPPING=1")


def main(argv: list[str] | None = None) -> int:
    """Run the guard. Returns an exit code of `models.errors.ExitCode`; errors are one line on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    arguments = _arguments(argv)
    try:
        _run(arguments, MonotonicClock())
    except FocusgateError as error:
        line = f"{(GUARD_END if isinstance(error, HardwareError) else end_of(error)).code} {error}"
        log.critical("%s", line)
        notify(f"STATUS={line}")
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
