"""The composition root: builds the device from its configuration and runs it, with threads or instantly."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

from calibration.profile import Profile, judging_of
from device.backends import Source, pins_of, source_of
from device.clock import MS, SECOND, Clock, FakeClock, MonotonicClock
from device.config import Config, SimulatedPinsConfig
from device.decision import TICK_NS, DecisionLoop, Rules
from device.gate import GateState
from device.loops import CameraLoop, Judged, VisionLoop
from device.mailbox import Queue
from device.pins.protocol import Pins
from device.pins.simulated import SimulatedPins
from device.recorder import Recorder
from device.script import TimedPress
from device.service import ServiceWord
from device.status import Faults
from device.status_file import StatusWriter, status_writer
from models.classifier import Classifier, Judging
from models.errors import CameraError, ExitCode, HardwareError, InputError

log = logging.getLogger("focusgate")

JUDGED_LIMIT = 8  # results that may wait for the decision loop; it normally takes each within 10 ms
SUPERVISE_NS = 50 * MS
END_NS = 600 * MS  # a finite source has ended: presses that still wait get their answer within this


@dataclass(eq=False)
class Device:
    """All parts, wired. Nothing runs until `run_threads` or `run_instantly`."""

    source: Source
    judging: Judging
    profile: Profile | None
    clock: Clock
    pins: Pins
    recorder: Recorder
    faults: Faults
    camera: CameraLoop
    vision: VisionLoop
    decision: DecisionLoop
    aperture_steps: Queue[int]
    presses: list[TimedPress] = field(default_factory=list)
    started_ns: int = 0
    status_writer: StatusWriter | None = None

    def elapsed_s(self) -> float:
        return (self.clock.now_ns() - self.started_ns) / SECOND

    def supervise(self) -> None:
        """Slow work that the decision loop must not wait for: scripted presses and the aperture."""
        while self.presses and self.presses[0].at_s <= self.elapsed_s():
            press = self.presses.pop(0)
            self.press(press.button, round(press.hold_s * SECOND))
        for steps in self.aperture_steps.take_all():
            self._move_aperture(steps)
        if self.status_writer is not None:
            problem = self.status_writer.tick(self.decision.status, self.clock.now_ns())
            if problem is not None:
                log.warning("%s", problem)

    def press(self, button: str, hold_ns: int) -> None:
        """Press a simulated button; real ones are pressed by people."""
        if isinstance(self.pins, SimulatedPins):
            self.pins.press(button, hold_ns)

    def _move_aperture(self, steps: int) -> None:
        try:
            f_number = self.source.aperture.move(steps)
        except HardwareError as error:
            log.warning("aperture: %s; the gate works on without it", error)
        else:
            log.info("no aperture to move" if f_number is None else f"aperture at f/{f_number:.1f}")

    def close(self) -> None:
        """Outputs safe first, then everything else."""
        self.pins.close()
        self.camera.close()
        self.recorder.close()
        self.source.aperture.close()


def build(
    config: Config,
    classifier: Classifier,
    recorder_of: Callable[[Judging, Profile | None, str], Recorder],
    clock: Clock,
    *,
    profile: Profile | None = None,
    script: tuple[TimedPress, ...] = (),
    trace: IO[str] | None = None,
) -> Device:
    """The device of `config`. Opens the camera once; raises FocusgateError if any part is missing."""
    if script and not isinstance(config.pins, SimulatedPinsConfig):
        raise InputError("--script presses simulated buttons only; leave it out, or set pins.kind = 'simulated'")
    source = source_of(config, clock)
    profile = profile or source.profile
    faults = Faults()
    with ExitStack() as undo:
        camera = source.open()
        undo.callback(camera.close)
        if profile is not None:
            profile.check_matches(camera.info.id, classifier.sha256)
        if min(camera.info.width, camera.info.height) < classifier.tile_px:
            raise CameraError(
                f"camera {camera.info.id}: frames of {camera.info.width}×{camera.info.height} px are smaller than one "
                f"tile; allowed: at least {classifier.tile_px}×{classifier.tile_px} px"
            )
        judging = judging_of(profile, config.model.criterion_px, config.gate.min_judged_percent)
        pins = pins_of(config.pins, clock)
        undo.callback(pins.close)
        recorder = recorder_of(judging, profile, camera.info.id)
        undo.pop_all()
    judged: Queue[Judged] = Queue(JUDGED_LIMIT)
    camera_loop = CameraLoop(camera, source.open, clock, faults)
    vision = VisionLoop(
        classifier=classifier,
        judging=judging,
        frames=camera_loop.to_vision,
        judged=judged,
        clock=clock,
        faults=faults,
    )
    aperture_steps: Queue[int] = Queue(JUDGED_LIMIT)
    started_ns = clock.now_ns()
    decision = DecisionLoop(
        rules=Rules(config.gate.percent, config.gate.settings()),
        camera=camera_loop,
        vision=vision,
        judged=judged,
        pins=pins,
        recorder=recorder,
        clock=clock,
        faults=faults,
        on_judged=_tracer(trace, source, started_ns),
        on_aperture=aperture_steps.put,
    )
    return Device(
        source=source,
        judging=judging,
        profile=profile,
        clock=clock,
        pins=pins,
        recorder=recorder,
        faults=faults,
        camera=camera_loop,
        vision=vision,
        decision=decision,
        aperture_steps=aperture_steps,
        presses=list(script),
        started_ns=started_ns,
        status_writer=status_writer() if isinstance(clock, MonotonicClock) else None,
    )


def true_fraction(source: Source, item: Judged) -> float | None:
    """What the simulation knows of the frame: the share of its tiles that truly are in focus; None if not simulated."""
    if source.world is None:
        return None
    truth = source.world.truth(item.focus_map.grid, item.frame.exposed_ns)
    return truth.fraction(item.focus_map.criterion_px)


def _tracer(trace: IO[str] | None, source: Source, started_ns: int) -> Callable[[Judged, GateState], None]:
    """Writes one JSON object a judged frame, the state being that after the frame was decided upon."""

    def write(item: Judged, state: GateState) -> None:
        if trace is None:
            return
        found = item.focus_map
        line = {
            "t_s": round((found.exposed_ns - started_ns) / SECOND, 4),
            "frame_id": found.frame_id,
            "in_focus": found.in_focus,
            "judged_tiles": found.judged_tiles,
            "total": found.total,
            "fraction": found.fraction,
            "mode": state.mode,
            "reason": state.reason,
            "enabled": state.enabled,
            "f_number": item.frame.info.f_number,
            "true_fraction": true_fraction(source, item),
        }
        trace.write(json.dumps(line) + "\n")

    return write


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
        if clock.now_ns() + TICK_NS >= until_ns:
            return
        clock.advance_ns(TICK_NS)
