"""Threads that stand still, in simulated time: the device ends itself, or the service manager does, with the line low.

What runs is `device.running` itself; simulated are the time, the service manager and the camera. A thread is frozen
where it sleeps or waits; a process that stands still as a whole is in `test_frozen_process`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from device import running
from device.audit.journal import Journal
from device.audit.log import AuditLog
from device.clock import MS, SECOND
from device.service import ServiceWord
from device.store.files import AUDIT
from device.store.origin import Origin
from device.supervision.beats import Beat
from device.supervision.watch import Watch
from models.errors import ExitCode

FREEZES, FREEZES_IN_FULL = 3, 200
KILLED_NS = 2200 * MS
WATCHDOG_NS = 2 * SECOND  # WatchdogSec of systemd/focusgate.service
ABORT_NS = 200 * MS  # TimeoutAbortSec
LOW_NS = 310 * MS  # evidence counts for 300 ms, and is looked at every 10 ms
WAIT_NS = 20 * MS
THREADS = ("main", "decision", "vision", "camera", "recorder", "audit")


@dataclass
class Ended:
    """How the process ended: when, and by whom."""

    at_ns: int
    by: str


class Running:
    """The threads of `device.running` as actors of virtual time, around the loops of a world."""

    def __init__(self, world: Any, audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.clock = world, world.clock
        self.clock.without_ticks()
        self.fed_ns: int | None = None
        self.ended: Ended | None = None
        monkeypatch.setattr(running, "ServiceWord", partial(ServiceWord, self._hear))
        self.device = SimpleNamespace(
            clock=self.clock,
            pins=world.pins,
            source=SimpleNamespace(aperture=SimpleNamespace(close=lambda: None)),
            camera=world.loop,
            vision=self._waiting(world.vision, lambda: world.vision.tick(0.0)),
            recorder=self._waiting(world.recorder, lambda: world.recorder.tick(0.0)),
            audit=self._waiting(audit, lambda: audit.tick(0.0)),
            decision=world.decision,
            beat=Beat("main", self.clock.now_ns()),
            supervise=lambda: None,
            elapsed_s=lambda: 0.0,
            note_end=lambda _fault, line: audit.note("stop", reason=line),
        )

    def _waiting(self, part: Any, tick: Callable[[], None]) -> Any:
        """The part, whose `tick` waits in virtual time."""

        def tick_and_wait() -> None:
            tick()
            self.clock.sleep_until_ns(self.clock.now_ns() + WAIT_NS)

        return SimpleNamespace(tick=tick_and_wait, beat=part.beat)

    def _hear(self, words: str) -> None:
        if "WATCHDOG=1" in words:
            self.fed_ns = self.clock.now_ns()

    def _leave(self, code: int) -> NoReturn:
        self.ended = Ended(self.clock.now_ns(), ExitCode(code).name)
        self.clock.stop()
        raise AssertionError("unreachable")

    def _told(self, run: running._Run, tick: Callable[[], None]) -> Callable[[], None]:
        """As `_Run.forever`, which would also take the end of the simulated time for a failure."""

        def once() -> None:
            try:
                tick()
            except Exception as error:  # noqa: BLE001 - whatever it is, it fails the run
                run.failed(error)
                self.clock.wait()

        return once

    def run(self, frozen: str | None, at_ns: int, end_ns: int) -> Ended | None:
        """Run with one thread frozen from `at_ns` on; how the process ended, if it did by `end_ns`."""
        run = running._Run(self.device, self._leave)
        decides = Beat("decision", self.clock.now_ns())
        actors = {
            name: self.clock.start(name, self._told(run, tick))
            for name, tick in running._ticks(self.device, run, decides).items()
        }
        watch = Watch([decides], self.clock.now_ns(), run.stuck)
        actors["main"] = self.clock.start(
            "main", lambda: running._supervise(self.device, None, lambda: True, run.stop, watch)
        )
        if frozen is not None:
            self.clock.freeze(actors[frozen], at_ns)
        self.clock.sleep_until_ns(end_ns)
        self.clock.end()
        assert run.failures == []
        killed_ns = (self.fed_ns or 0) + WATCHDOG_NS + ABORT_NS
        if killed_ns < (self.ended.at_ns if self.ended else end_ns):
            return Ended(killed_ns, "the service manager")
        return self.ended


@pytest.fixture
def make_running(
    make_world: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Running]:
    monkeypatch.setattr("device.supervision.ending.faulthandler.dump_traceback", lambda _file: None)
    timer = SimpleNamespace(daemon=False, start=lambda: None, cancel=lambda: None)
    monkeypatch.setattr("device.supervision.ending.threading.Timer", lambda *_: timer)  # of real time

    def make(number: int, **settings: Any) -> Running:
        held: list[Any] = []
        late = SimpleNamespace(trouble=None)  # the world makes the clock that the journal needs
        late.note = lambda kind, /, **data: held[0].note(kind, **data) if held else None
        late.state = lambda kind, part, /, **data: held[0].state(kind, part, **data) if held else None
        world = make_world(audit=late, **settings)
        origin = Origin("boot")
        folder = tmp_path / f"audit{number}" / AUDIT
        folder.parent.mkdir()
        held.append(Journal(lambda: AuditLog(folder, origin), world.clock, origin))
        return Running(world, held[0], monkeypatch)

    return make


@pytest.mark.parametrize("thread", THREADS)
def test_a_thread_that_stands_still_ends_the_process_in_2_2_s(
    make_running: Callable[..., Running],
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    thread: str,
    *,
    full: bool,
) -> None:
    freezes, longest_ns, low_ns, wrong = (FREEZES_IN_FULL if full else FREEZES), 0, 0, []
    for number in range(freezes):
        chance = random.Random(number)
        device = make_running(number, delay_ns=lambda chance=chance: chance.randint(1, 60) * MS)
        start_ns = device.clock.now_ns()
        at_ns = start_ns + 800 * MS + chance.randrange(1000) * MS
        end_ns = at_ns + 4 * SECOND
        ended = device.run(thread, at_ns, end_ns)
        killed_ns = ended.at_ns - at_ns if ended else end_ns
        longest_ns = max(longest_ns, killed_ns)
        if killed_ns > KILLED_NS:
            wrong.append(f"{number}: {ended} after {killed_ns / MS:.0f} ms")
        high_ns = max((to_ns for _, to_ns in device.world.open_spans(end_ns)), default=0)
        low_ns = max(low_ns, high_ns - at_ns)
        so_far((number + 1) / freezes)
    promise(
        f"freeze: {thread} thread", freezes, f"killed after {longest_ns / MS:.0f} ms at most", "2200 ms", met=not wrong
    )
    if thread in ("decision", "vision", "camera"):
        promise(
            f"freeze: {thread} thread, shutter line",
            freezes,
            f"low after {low_ns / MS:.0f} ms at most",
            "310 ms",
            met=low_ns <= LOW_NS,
        )
        assert low_ns <= LOW_NS
    assert "\n".join(wrong) == ""


def test_a_device_whose_threads_all_run_is_not_ended(
    make_running: Callable[..., Running], promise: Callable[..., None], *, full: bool
) -> None:
    seconds = 600 if full else 20
    device = make_running(0, delay_ns=lambda: 30 * MS)
    start_ns = device.clock.now_ns()
    ended = device.run(None, 0, start_ns + seconds * SECOND)
    promise("freeze: none, s of device time", seconds, "ended" if ended else "runs", "runs", met=ended is None)
    assert ended is None
    assert device.world.gate.enabled
