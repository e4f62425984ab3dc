"""Running the device: with threads on the real clock, or instantly in one thread on a fake one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from device.app import Device
from device.clock import MS, FakeClock
from device.decision import TICK_NS
from device.service import ServiceWord
from models.errors import ExitCode

SUPERVISE_NS = 50 * MS
END_NS = 600 * MS  # a finite source has ended: presses that still wait get their answer within this


def run_threads(device: Device, seconds: float | None, on_tick: Callable[[], bool]) -> ExitCode:
    """Run until `seconds` are over, the source ends, `on_tick` says False, or a thread fails.

    `on_tick` is called by this thread every SUPERVISE_NS. Raises what a thread raised, with the outputs already safe.
    """
    stop = threading.Event()
    failures: list[BaseException] = []

    def forever(tick: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                tick()
        except BaseException as error:  # noqa: BLE001 - kept, and raised again in the main thread
            device.pins.close_shutter()
            failures.append(error)
            stop.set()

    def camera_tick() -> None:
        if device.camera.ended:
            stop.wait(0.05)
        else:
            device.camera.tick()

    next_ns, word = device.clock.now_ns(), ServiceWord()

    def decision_tick() -> None:
        nonlocal next_ns
        device.decision.tick()
        word.tick(device.clock.now_ns(), device.decision.status, device.vision.beat_ns)
        next_ns = max(next_ns + TICK_NS, device.clock.now_ns())
        device.clock.sleep_until_ns(next_ns)

    threads = [
        threading.Thread(target=forever, args=(tick,), name=name, daemon=True)
        for name, tick in (
            ("camera", camera_tick),
            ("vision", device.vision.tick),
            ("decision", decision_tick),
            ("recorder", device.recorder.tick),
            *([("audit", device.audit.tick)] if device.audit is not None else []),
        )
    ]
    for thread in threads:
        thread.start()
    try:
        _supervise(device, seconds, on_tick, stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=3.0)
    device.recorder.drain()
    device.decision.tick()
    if failures:
        raise failures[0]
    return ExitCode.OK


def _supervise(device: Device, seconds: float | None, on_tick: Callable[[], bool], stop: threading.Event) -> None:
    ended_ns: int | None = None
    while not stop.is_set():
        now_ns = device.clock.now_ns()
        device.supervise()
        if not on_tick() or (seconds is not None and device.elapsed_s() >= seconds):
            return
        if device.camera.ended:
            ended_ns = now_ns if ended_ns is None else ended_ns
            if now_ns - ended_ns >= END_NS:
                return
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
