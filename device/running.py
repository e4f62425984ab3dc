"""Running the device: with threads on the real clock, or instantly in one thread on a fake one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from device.app import Device
from device.clock import MS, SECOND, FakeClock
from device.decision import TICK_NS
from device.service import ServiceWord
from device.supervision.beats import Beat, stale
from device.supervision.ending import end_stuck, failures_of_any_thread, make_safe
from device.supervision.watch import Watch
from models.errors import ExitCode

SUPERVISE_NS = 50 * MS
END_NS = 600 * MS  # a finite source has ended: presses that still wait get their answer within this
JOIN_NS = 3 * SECOND  # for all threads together, at the end of a run
DRAW_NS = 30 * SECOND  # a terminal that takes no more, while somebody reads what stands there


@dataclass(eq=False)
class _Run:
    """What the threads of one run share: when to stop, and why it failed."""

    device: Device
    leave: Callable[[int], NoReturn]
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)

    def safe(self) -> None:
        make_safe(self.device.pins, self.device.source.aperture, self.device.clock)

    def failed(self, error: BaseException) -> None:
        first = not self.failures
        self.failures.append(error)
        self.stop.set()  # before the outputs: the decision loop does not drive them again
        if first:
            self.safe()

    def forever(self, tick: Callable[[], None]) -> None:
        try:
            while not self.stop.is_set():
                tick()
        except BaseException as error:  # noqa: BLE001 - kept, and raised again in the main thread
            self.failed(error)

    def stuck(self, names: tuple[str, ...]) -> None:
        end_stuck(names, self.safe, self.device.note_end, self.device.clock, self.leave)


def run_threads(
    device: Device,
    seconds: float | None,
    on_tick: Callable[[], bool],
    leave: Callable[[int], NoReturn] = os._exit,
) -> ExitCode:
    """Run until `seconds` are over, the source ends, `on_tick` says False, or a thread fails.

    `on_tick` is called by this thread every SUPERVISE_NS. Raises what a thread raised, with the outputs already safe.
    If a thread stands still the process ends from within, by `leave`, with ExitCode.STUCK.
    """
    run = _Run(device, leave)
    now_ns = device.clock.now_ns()
    device.beat.mark(now_ns)
    decides = Beat("decision", now_ns)
    threads = [
        threading.Thread(target=run.forever, args=(tick,), name=name, daemon=True)
        for name, tick in _ticks(device, run, decides).items()
    ]
    with failures_of_any_thread(run.failed):
        for thread in threads:
            thread.start()
        try:
            _supervise(device, seconds, on_tick, run.stop, Watch([decides], now_ns, run.stuck))
        except KeyboardInterrupt:
            device.pins.close_shutter()
            raise
        except BaseException:
            run.safe()
            raise
        finally:
            run.stop.set()
            until_ns = device.clock.now_ns() + JOIN_NS
            for thread in threads:
                thread.join(timeout=max(until_ns - device.clock.now_ns(), 0) / SECOND)
    device.recorder.drain()
    if run.failures:
        raise run.failures[0]
    device.decision.tick()
    return ExitCode.OK


def _ticks(device: Device, run: _Run, decides: Beat) -> dict[str, Callable[[], None]]:
    """What each thread does again and again. Each leaves its signs of life; the decision loop looks at all others."""

    def camera_tick() -> None:
        if device.camera.ended:
            device.camera.beat.mark(device.clock.now_ns())
            run.stop.wait(0.05)
        else:
            device.camera.tick()

    def recorder_tick() -> None:
        device.recorder.beat.mark(device.clock.now_ns())
        device.recorder.tick()

    beats = [device.camera.beat, device.vision.beat, device.recorder.beat, device.beat]
    ticks = {"camera": camera_tick, "vision": device.vision.tick, "recorder": recorder_tick}
    if device.audit is not None:
        ticks["audit"] = device.audit.tick
        beats.append(device.audit.beat)
    next_ns, word = device.clock.now_ns(), ServiceWord()
    watch = Watch(beats, next_ns, run.stuck)

    def decision_tick() -> None:
        nonlocal next_ns
        now_ns = device.clock.now_ns()
        decides.mark(now_ns)
        watch.tick(now_ns)
        device.decision.tick()
        now_ns = device.clock.now_ns()
        word.tick(now_ns, device.decision.status, alive=not stale([device.vision.beat.sign], now_ns))
        next_ns = max(next_ns + TICK_NS, now_ns)
        device.clock.sleep_until_ns(next_ns)

    return ticks | {"decision": decision_tick}


def _supervise(
    device: Device, seconds: float | None, on_tick: Callable[[], bool], stop: threading.Event, watch: Watch
) -> None:
    ended_ns: int | None = None
    while not stop.is_set():
        now_ns = device.clock.now_ns()
        watch.tick(now_ns)
        device.beat.mark(now_ns)
        device.supervise()
        device.beat.mark(device.clock.now_ns(), DRAW_NS)
        if not on_tick() or (seconds is not None and device.elapsed_s() >= seconds):
            return
        if device.camera.ended:
            ended_ns = now_ns if ended_ns is None else ended_ns
            if now_ns - ended_ns >= END_NS:
                return
        device.beat.mark(device.clock.now_ns())
        device.clock.sleep_until_ns(now_ns + SUPERVISE_NS)


def run_instantly(device: Device, seconds: float) -> ExitCode:
    """The same loops in one thread on a fake clock: `seconds` of device time, as fast as the machine can."""
    clock = device.clock
    if not isinstance(clock, FakeClock):
        raise TypeError("an instant run needs a fake clock")
    while device.elapsed_s() < seconds and not device.camera.ended:
        device.camera.tick()
        device.vision.tick(0.0)
        _decide_until(device, clock, clock.now_ns() + device.source.period_ns)
    if device.camera.ended:
        _decide_until(device, clock, clock.now_ns() + END_NS)
    return ExitCode.OK


def _decide_until(device: Device, clock: FakeClock, until_ns: int) -> None:
    """Decision ticks up to, not including, the moment at which the next frame is due."""
    while True:
        device.supervise()
        device.decision.tick()
        device.recorder.drain()
        if device.audit is not None:
            device.audit.tick(0.0)
        if clock.now_ns() + TICK_NS >= until_ns:
            return
        clock.advance_ns(TICK_NS)
