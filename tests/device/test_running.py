"""The threads together: an exception in any of them, and a standstill of any of them, end the device safely."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

from device import running
from device.aperture.fixed import FixedAperture
from device.app import Device
from device.audit.journal import Journal
from device.clock import MS, SECOND
from device.store.origin import Origin
from models.errors import CameraError, ExitCode, HardwareError

if TYPE_CHECKING:
    from conftest import Rig

FASTER = 3
THREADS = ["camera", "vision", "decision", "recorder", "audit", "main"]


class FastClock:
    """Runs faster than life, so that a standstill is found sooner."""

    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return 1000 * SECOND + (time.monotonic_ns() - self._began_ns) * FASTER

    def sleep_until_ns(self, deadline_ns: int) -> None:
        time.sleep(max(deadline_ns - self.now_ns(), 0) / SECOND / FASTER)


class LeftError(Exception):
    """The process would have ended here."""


class Bench:
    """A device of told parts on real threads; `meddle` replaces what one thread does."""

    def __init__(self, rig: Rig, as_device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch) -> None:
        self.rig = rig
        self.hang = threading.Event()
        self.aperture = FixedAperture(8.0)
        self.closed: list[str] = []
        self.aperture.close = lambda: self.closed.append("aperture")  # type: ignore[method-assign]
        self.on_tick: Callable[[], bool] = lambda: True
        self._patch = monkeypatch
        audit = Journal(self._no_log, rig.clock, Origin("boot"))
        self.device = as_device(rig, self.aperture, audit=audit)

    def _no_log(self) -> NoReturn:
        raise HardwareError("no log in this test")

    def meddle(self, thread: str, do: Callable[[], None]) -> None:
        """Let `thread` do this, once the gate is open, instead of its work."""
        if thread == "main":
            self.on_tick = self._instead(do, lambda: True)
            return
        audit = self.device.audit
        parts = {
            "camera": (self.rig.camera_loop, "tick"),
            "vision": (self.rig.vision, "tick"),
            "decision": (self.rig.decision, "tick"),
            "recorder": (self.rig.recorder, "tick"),
            "audit": (audit, "tick"),
        }
        part, name = parts[thread]
        self._patch.setattr(part, name, self._instead(do, getattr(part, name)))

    def _instead(self, do: Callable[[], None], work: Callable[..., bool]) -> Callable[..., bool]:
        def tick(*args: float) -> bool:
            if self.rig.decision.status.gate.enabled and threading.current_thread().name in self.names:
                do()
            return work(*args)

        return tick

    names = (*THREADS[:-1], threading.main_thread().name)

    def leave(self, code: int) -> NoReturn:
        self.hang.set()
        raise LeftError(code)

    def run(self) -> None:
        running.run_threads(self.device, None, self.on_tick, self.leave)


@pytest.fixture
def bench(
    make_rig: Callable[..., Rig], as_device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    bench = Bench(make_rig(clock=FastClock()), as_device, monkeypatch)
    yield bench
    bench.hang.set()


def lamps(bench: Bench) -> list[str]:
    return [item.value for item in bench.rig.pins.history if item.output == "lamp"]


@pytest.mark.parametrize("thread", THREADS)
def test_an_exception_in_any_thread_ends_the_run_with_the_outputs_safe(bench: Bench, thread: str) -> None:
    def fail() -> NoReturn:
        raise ZeroDivisionError(thread)

    bench.meddle(thread, fail)
    with pytest.raises(ZeroDivisionError, match=thread):
        bench.run()
    bench.rig.clock.sleep_until_ns(bench.rig.clock.now_ns() + 150 * MS)  # a decision under way may renew once more
    assert not bench.rig.pins.shutter_is_high()
    assert "fault" in lamps(bench)
    assert bench.closed == ["aperture"]


def test_an_error_of_a_thread_keeps_its_exit_code(bench: Bench) -> None:
    def fail() -> NoReturn:
        raise CameraError("gone")

    bench.meddle("camera", fail)
    with pytest.raises(CameraError) as caught:
        bench.run()
    assert caught.value.exit_code is ExitCode.CAMERA


@pytest.mark.parametrize("thread", THREADS)
def test_a_standstill_of_any_thread_ends_the_process_with_the_outputs_safe(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, thread: str
) -> None:
    monkeypatch.setattr(running, "DRAW_NS", 1800 * MS)  # this main thread draws nothing
    bench.meddle(thread, lambda: bench.hang.wait() and None)
    with pytest.raises(LeftError) as left:
        bench.run()
    assert left.value.args == (ExitCode.STUCK,)
    assert "fault" in lamps(bench)
    assert "aperture" in bench.closed
    assert not bench.rig.pins.shutter_is_high()


def test_without_any_of_that_the_run_ends_when_its_time_is_over(bench: Bench) -> None:
    bench.device.started_ns = bench.rig.clock.now_ns()
    assert running.run_threads(bench.device, 4.0, lambda: True, bench.leave) is ExitCode.OK
    assert bench.rig.decision.status.opened >= 1
    assert bench.closed == []
