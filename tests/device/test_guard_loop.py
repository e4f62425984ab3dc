"""The guard's loop, its socket and its ways out, on a fake clock and without a board."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from device import guard
from device.clock import MS, FakeClock
from device.guard import FileLine, GpioLine, drive_low, ended_by_signals, main, open_socket, receive, serve
from device.guard_client import GuardClient
from device.guard_state import close_message, renew_message
from models.errors import ExitCode, HardwareError


class EnoughError(Exception):
    """Ends a loop that otherwise never ends."""


@dataclass
class NotedLine:
    clock: FakeClock
    levels: list[tuple[int, bool]] = field(default_factory=list)
    closed: int = 0

    def drive(self, high: bool) -> None:
        self.levels.append((self.clock.now_ns() // MS, high))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000 * MS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    with open_socket(tmp_path / "guard.sock") as bound:
        yield bound


def served(
    server: socket.socket, clock: FakeClock, script: list[tuple[int, bytes]], *, until_ms: int, uid: int | None = None
) -> list[tuple[int, bool]]:
    """The levels (time in ms, high) while messages come at the times (ms) of `script`."""
    path, script = server.getsockname(), sorted(script)
    line = NotedLine(clock)

    def wait(_: socket.socket, timeout_s: float) -> bool:
        due_ns = clock.now_ns() + round(timeout_s * 1e9)
        if script and script[0][0] * MS <= due_ns:
            at_ms, message = script.pop(0)
            clock.sleep_until_ns(at_ms * MS)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gate:
                gate.sendto(message, path)
            return True
        clock.sleep_until_ns(due_ns)
        if clock.now_ns() >= until_ms * MS:
            raise EnoughError
        return False

    with pytest.raises(EnoughError):
        serve(server, line, clock, uid=uid, wait=wait)
    return line.levels


def test_the_line_is_driven_low_first_and_then_only_when_its_level_changes(
    server: socket.socket, clock: FakeClock
) -> None:
    renewals = [(ms, renew_message((ms + 150) * MS)) for ms in range(1100, 1300, 10)]
    assert served(server, clock, renewals, until_ms=3000) == [(1000, False), (1100, True), (1440, False)]


def test_a_close_drops_the_line_without_waiting_for_the_lease(server: socket.socket, clock: FakeClock) -> None:
    script = [(1100, renew_message(1250 * MS)), (1120, close_message())]
    assert served(server, clock, script, until_ms=3000) == [(1000, False), (1100, True), (1120, False)]


def test_rubbish_is_counted_in_few_lines_however_much_of_it_comes(
    server: socket.socket, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    script = [(1000 + ms, b"rubbish" * 20) for ms in range(100)]
    assert served(server, clock, script, until_ms=3000) == [(1000, False)]
    assert len(caplog.records) == 7  # 1, 2, 4, … 64


def test_rubbish_does_not_keep_a_lease_from_running_out(server: socket.socket, clock: FakeClock) -> None:
    script = [(1100, renew_message(1200 * MS)), *((1100 + ms, b"rubbish") for ms in range(1, 300))]
    assert served(server, clock, script, until_ms=3000) == [(1000, False), (1100, True), (1200, False)]


def test_only_the_user_that_was_named_is_obeyed(server: socket.socket, clock: FakeClock) -> None:
    script = [(1100, renew_message(1200 * MS))]
    assert served(server, clock, script, until_ms=2000, uid=os.getuid() + 1) == [(1000, False)]
    clock = FakeClock(1000 * MS)
    levels = served(server, clock, script, until_ms=2000, uid=os.getuid())
    assert levels == [(1000, False), (1100, True), (1200, False)]


def test_a_message_without_credentials_is_of_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain, GuardSide(tmp_path / "sock", plain) as gate:
        gate.renew(1)
        assert receive(plain, os.getuid()) == b""


class GuardSide:
    """A client of a socket that was bound by hand."""

    def __init__(self, path: Path, server: socket.socket) -> None:
        server.bind(str(path))
        self.client = GuardClient(path)

    def __enter__(self) -> GuardClient:
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()


def test_the_service_manager_hears_ready_once_and_then_that_the_guard_lives(
    server: socket.socket, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(guard, "notify", said.append)
    served(server, clock, [], until_ms=2000)
    assert said == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_the_socket_is_for_owner_and_group_alone(tmp_path: Path) -> None:
    with open_socket(tmp_path / "guard.sock"):
        assert stat.S_IMODE((tmp_path / "guard.sock").stat().st_mode) == 0o660


def test_the_socket_of_a_dead_guard_is_taken_over(tmp_path: Path) -> None:
    open_socket(tmp_path / "guard.sock").close()
    open_socket(tmp_path / "guard.sock").close()


def test_two_guards_on_one_socket_are_refused(tmp_path: Path) -> None:
    with open_socket(tmp_path / "guard.sock"), pytest.raises(HardwareError, match="another guard owns this socket"):
        open_socket(tmp_path / "guard.sock")


def test_a_file_that_is_no_socket_is_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    with pytest.raises(HardwareError, match="cannot be the guard's socket"):
        open_socket(path)
    assert path.read_text() == "precious"


def test_a_folder_that_is_missing_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="No such file") as caught:
        open_socket(tmp_path / "missing" / "guard.sock")
    assert "\n" not in str(caught.value)


def test_the_file_line_notes_every_change_with_its_time(tmp_path: Path, clock: FakeClock) -> None:
    line = FileLine(tmp_path / "levels", clock)
    for high in (False, False, True, True):
        line.drive(high)
        clock.advance_ns(5)
    line.close()
    line.close()
    assert (tmp_path / "levels").read_text() == "1000000000 0\n1000000010 1\n1000000020 0\n"


class BoardLine:
    """As much of `RpiGpio` as one output needs; `shorted` says what is read back whatever is driven."""

    def __init__(self, shorted: bool | None = None, taken: bool = False) -> None:
        self.level: bool | None = None
        self.shorted = shorted
        self.taken = taken
        self.closed = 0

    def claim_output(self, name: str, bcm: int) -> None:
        if self.taken:
            raise HardwareError(f"{name} is taken")

    def write(self, bcm: int, high: bool) -> None:
        self.level = high

    def read(self, bcm: int) -> bool | None:
        return self.level if self.shorted is None else self.shorted

    def close(self) -> None:
        self.closed += 1


def test_a_line_that_does_not_obey_is_a_fault() -> None:
    GpioLine(24, BoardLine()).drive(True)  # type: ignore[arg-type]
    for shorted, words in ((True, "driven low and is high"), (False, "driven high and is low")):
        line = GpioLine(24, BoardLine(shorted))  # type: ignore[arg-type]
        with pytest.raises(HardwareError, match=words):
            line.drive(not shorted)
        line.close()


def test_a_line_that_is_taken_leaves_nothing_claimed() -> None:
    board = BoardLine(taken=True)
    with pytest.raises(HardwareError, match="is taken"):
        GpioLine(24, board)  # type: ignore[arg-type]
    assert board.closed == 1


def test_driving_low_asks_a_guard_that_lives(tmp_path: Path, server: socket.socket) -> None:
    def no_line() -> guard.Line:
        raise AssertionError("the guard owns it")

    drive_low(tmp_path / "guard.sock", no_line)
    assert receive(server, None) == close_message()


def test_driving_low_without_a_guard_drives_the_line_itself(tmp_path: Path, clock: FakeClock) -> None:
    line = NotedLine(clock)
    drive_low(tmp_path / "guard.sock", lambda: line)
    assert line.levels == [(1000, False)]
    assert line.closed == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_leave_through_the_safe_level_and_cannot_interrupt_the_way_out(
    number: signal.Signals, code: int
) -> None:
    def interrupted() -> None:
        with ended_by_signals():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left:
        interrupted()
    assert left.value.code == code
    assert signal.getsignal(number) == before


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def arrange(error: Exception) -> None:
        def failing(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(guard, "serve", failing)

    return arrange


def test_whatever_ends_the_loop_the_line_ends_low(tmp_path: Path, fails: Callable[[Exception], None]) -> None:
    levels = tmp_path / "levels"
    fails(EnoughError())
    with pytest.raises(EnoughError):
        main(["--socket", str(tmp_path / "guard.sock"), "--line", f"file:{levels}"])
    assert levels.read_text().splitlines()[-1].endswith(" 0")


def test_known_errors_are_one_line_and_an_exit_code(
    tmp_path: Path, fails: Callable[[Exception], None], caplog: pytest.LogCaptureFixture
) -> None:
    fails(HardwareError("the shutter-enable line is shorted; look for the short"))
    code = main(["--socket", str(tmp_path / "guard.sock"), "--line", f"file:{tmp_path / 'levels'}"])
    assert code == ExitCode.HARDWARE
    assert [record.getMessage() for record in caplog.records] == [
        "FG-407 the shutter-enable line is shorted; look for the short"
    ]


@pytest.mark.parametrize(
    ("line", "code"), [("file:", 2), ("rpi:24", 2), ("nothing", 2), ("file:/nowhere/levels", ExitCode.HARDWARE)]
)
def test_a_line_that_cannot_be_is_refused(line: str, code: int, tmp_path: Path) -> None:
    assert main(["--socket", str(tmp_path / "guard.sock"), "--line", line]) == code


def test_driving_low_from_the_command_line_ends_with_a_low_line(tmp_path: Path) -> None:
    levels = tmp_path / "levels"
    assert main(["--socket", str(tmp_path / "guard.sock"), "--line", f"file:{levels}", "--drive-low"]) == 0
    assert levels.read_text().endswith(" 0\n")


def test_a_pin_is_asked_of_the_board_and_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards: list[BoardLine] = []

    def board() -> BoardLine:
        boards.append(BoardLine())
        return boards[-1]

    monkeypatch.setattr(guard, "RpiGpio", board)
    assert main(["--socket", str(tmp_path / "guard.sock"), "--pin", "24", "--drive-low"]) == 0
    assert [(item.level, item.closed) for item in boards] == [(False, 1)]
