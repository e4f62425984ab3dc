"""The safe end: outputs first, the reason everywhere, and a process that ends whatever hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from device.aperture.fixed import FixedAperture
from device.clock import MS, SECOND, FakeClock, MonotonicClock
from device.pins.protocol import Lamp
from device.pins.simulated import SimulatedPins
from device.supervision.ending import end_stuck, failures_of_any_thread, make_safe, stuck_line, told_ends
from device.supervision.faults import Fault
from models.errors import CameraError, ExitCode, FocusgateError, HardwareError, InputError


class LeftError(Exception):
    """The process would have ended here."""


def leave(code: int) -> NoReturn:
    raise LeftError(code)


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """What the service manager was told since the last call."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield lambda: server.recv(4096).decode()


def test_outputs_are_safe_in_the_order_line_lamp_actuator() -> None:
    clock, done = FakeClock(SECOND), []
    pins, aperture = SimulatedPins(clock), FixedAperture(8.0)
    pins.renew_shutter(clock.now_ns() + 100 * MS)
    aperture.close = lambda: done.append("aperture off")  # type: ignore[method-assign]
    make_safe(pins, aperture, clock)
    assert not pins.shutter_is_high()
    assert [item.value for item in pins.history] == ["high", "low", Lamp.FAULT.value, "fault"]
    assert done == ["aperture off"]


def test_a_lamp_that_fails_does_not_keep_the_actuator_under_power(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lamp: Lamp) -> NoReturn:
        raise HardwareError(f"no {lamp}")

    clock, done = FakeClock(), []
    pins, aperture = SimulatedPins(clock), FixedAperture(None)
    monkeypatch.setattr(pins, "show", fail)
    aperture.close = lambda: done.append("off")  # type: ignore[method-assign]
    make_safe(pins, aperture, clock)
    assert done == ["off"]


def test_an_actuator_that_hangs_holds_up_nobody() -> None:
    hang = threading.Event()
    pins, aperture = SimulatedPins(FakeClock()), FixedAperture(None)
    aperture.close = hang.wait  # type: ignore[method-assign, assignment]
    make_safe(pins, aperture, FakeClock())
    assert not pins.shutter_is_high()
    hang.set()


def test_a_thread_that_stands_still_ends_the_process_with_its_code_and_tells_everybody(
    heard: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    clock, told = FakeClock(), []

    def note(fault: Fault, line: str) -> None:
        told.append((fault.code, line))

    with pytest.raises(LeftError) as left:
        end_stuck(("vision",), lambda: told.append("safe"), note, clock, leave)
    line = "FG-702 vision: no sign of life; the device is started anew"
    assert left.value.args == (ExitCode.STUCK,)
    assert told == ["safe", ("FG-702", line)]
    assert heard() == f"STATUS={line}\nSTOPPING=1"
    assert caplog.messages == [line]
    assert clock.now_ns() == 200 * MS


def test_an_end_that_hangs_itself_still_ends() -> None:
    hang, gone = threading.Event(), []

    def leave_in_the_end(code: int) -> None:
        gone.append(code)
        hang.set()

    end_stuck(("camera",), lambda: hang.wait(10.0), lambda *_: None, MonotonicClock(), leave_in_the_end)  # type: ignore[arg-type, return-value]
    assert gone[0] == ExitCode.STUCK


def test_several_threads_are_named_together() -> None:
    assert stuck_line(("camera", "vision")).startswith("FG-702 camera, vision: ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CameraError("camera x: gone"), "FG-103 camera x: gone"),
        (CameraError("FG-102 camera x: frozen"), "FG-103 camera x: frozen"),
        (InputError("a.toml: no key b"), "FG-601 a.toml: no key b"),
    ],
)
def test_an_error_that_ends_the_run_bears_the_code_of_the_end(
    heard: Callable[[], str], error: FocusgateError, line: str
) -> None:
    with pytest.raises(type(error)) as caught, told_ends():
        raise error
    assert str(caught.value) == line
    assert caught.value.exit_code is error.exit_code
    assert heard() == f"STATUS={line}\nSTOPPING=1"


@pytest.mark.parametrize(
    ("error", "line"), [(KeyboardInterrupt(), "FG-703 stopped"), (ZeroDivisionError(), "FG-701 ZeroDivisionError")]
)
def test_other_ends_are_told_and_go_on_as_they_are(heard: Callable[[], str], error: BaseException, line: str) -> None:
    with pytest.raises(type(error)), told_ends():
        raise error
    assert heard() == f"STATUS={line}\nSTOPPING=1"


def test_a_run_that_ends_well_tells_nothing(heard: Callable[[], str]) -> None:
    with told_ends():
        pass
    with pytest.raises(BlockingIOError):
        heard()


def test_an_exception_in_a_thread_of_anybodys_is_ours_while_the_device_runs() -> None:
    failures: list[BaseException] = []
    before = threading.excepthook

    def of_a_driver() -> None:
        raise ZeroDivisionError("driver")

    with failures_of_any_thread(failures.append):
        for end in (of_a_driver, lambda: (_ for _ in ()).throw(SystemExit(0))):
            thread = threading.Thread(target=end)
            thread.start()
            thread.join()
    assert [str(error) for error in failures] == ["driver"]
    assert threading.excepthook is before
