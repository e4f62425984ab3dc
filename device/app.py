"""The composition root: builds the device from its configuration."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from calibration.darkness import judging_at
from calibration.profile import Profile, judging_of
from device.assisting import Assisting, fault_of, watch_effect
from device.audit.journal import Journal
from device.audit.notes import SILENT
from device.audit.wording import in_force
from device.backends import Source, pins_of, source_of
from device.calibrated import DriftWatch, watched, with_profile
from device.clock import SECOND, Clock, MonotonicClock
from device.config import Config, SimulatedPinsConfig
from device.decision import DecisionLoop, Rules
from device.gate import GateState
from device.loops import CameraLoop, Judged, VisionLoop
from device.mailbox import Queue
from device.pins.protocol import Pins
from device.pins.simulated import SimulatedPins
from device.recorder import Recorder
from device.script import TimedPress
from device.status import Faults
from device.status_file import StatusWriter, status_writer
from device.supervision.beats import Beat
from device.supervision.faults import (
    APERTURE_OFF,
    APERTURE_RESTS,
    UNCALIBRATED,
    UNDER_VOLTAGE,
    Fault,
    coded,
)
from device.supervision.power import PowerWatch, power_watch
from device.supervision.starting import opened
from device.supervision.unjudged import NoClassifier, fitting
from models.classifier import Classifier, Judging
from models.errors import CameraError, HardwareError, InputError

log = logging.getLogger("focusgate")

MOVE_NS = 60 * SECOND  # the longest way of an actuator, its search for the end switch before it
JUDGED_LIMIT = 8  # results that may wait for the decision loop; it normally takes each within 10 ms


@dataclass(eq=False)
class Device:
    """All parts, wired. Nothing runs until `device.running` does."""

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
    assisting: Assisting | None = None
    audit: Journal | None = None
    power: PowerWatch | None = None
    drift: DriftWatch | None = None
    beat: Beat = field(default_factory=lambda: Beat("main", 0))

    def elapsed_s(self) -> float:
        return (self.clock.now_ns() - self.started_ns) / SECOND

    def supervise(self) -> None:
        """Slow work that the decision loop must not wait for: scripted presses and the aperture."""
        while self.presses and self.presses[0].at_s <= self.elapsed_s():
            press = self.presses.pop(0)
            self.press(press.button, round(press.hold_s * SECOND))
        powered = self._look_at_supply()
        for steps in self.aperture_steps.take_all():
            if powered:
                self._move_aperture(steps, by="hand")
        if powered:
            self._assist()
        self._look_at_aperture()
        if self.drift is not None:
            self.drift.tick(self.faults)
        if self.status_writer is not None:
            problem = self.status_writer.tick(self.decision.status, self.clock.now_ns())
            if problem is not None:
                log.warning("%s", problem)

    def _look_at_supply(self) -> bool:
        """False while the voltage is too low: then nothing is moved, and the actuator has no power from then on."""
        if self.power is None:
            return True
        turned = self.power.turned(self.clock.now_ns())
        if turned is True:
            line = coded(UNDER_VOLTAGE, "the supply voltage is too low; use a stronger supply or a shorter cable")
            log.warning("%s; the actuator is off", line)
            self.faults.raise_("power", line)
            self.source.aperture.close()
        elif turned is False:
            self.faults.clear("power")
        return not self.power.low

    def _look_at_aperture(self) -> None:
        """An actuator that is off for good is told before somebody asks it to move."""
        fault = fault_of(self.source.aperture)
        if fault is not None:
            self.faults.raise_("aperture", coded(APERTURE_OFF, fault))

    def press(self, button: str, hold_ns: int) -> None:
        """Press a simulated button; real ones are pressed by people."""
        if isinstance(self.pins, SimulatedPins):
            self.pins.press(button, hold_ns)

    def _assist(self) -> None:
        """Aperture advice, after the clinician's own moves, which it respects."""
        frame = self.camera.newest.peek()
        if frame is not None:
            with frame:
                watch_effect(self.source.aperture, frame)
        steps = self.assisting.tick(self.decision.status, self.clock.now_ns()) if self.assisting is not None else 0
        if steps:
            self._move_aperture(steps, by="assistant")

    def note_end(self, fault: Fault, line: str) -> None:
        """Tell the audit log that the process ends by `fault`."""
        self._note("stop", reason=line, exit_code=fault.exit_code, code=fault.code)

    def _move_aperture(self, steps: int, by: str) -> None:
        self.beat.mark(self.clock.now_ns(), MOVE_NS)
        try:
            f_number = self.source.aperture.move(steps)
        except HardwareError as error:
            line = coded(APERTURE_OFF if fault_of(self.source.aperture) is not None else APERTURE_RESTS, error)
            self.faults.raise_("aperture", line)
            log.warning("%s; the gate works on without it", line)
            self._note("aperture", by=by, steps=steps, failed=line)
        else:
            self.faults.clear("aperture")
            if f_number is not None:
                self._note("aperture", by=by, steps=steps, f_number=f_number)
            log.info("aperture: there is none to move" if f_number is None else f"aperture at f/{f_number:.1f}")

    def _note(self, kind: str, **data: object) -> None:
        if self.audit is not None:
            self.audit.note(kind, **data)

    def close(self) -> None:
        """Outputs safe first, then everything else, whichever fails: images may still wait to be saved."""
        with ExitStack() as parts:
            for close in (self.source.aperture.close, self.recorder.close, self.camera.close, self.pins.close):
                parts.callback(close)  # called from the last to the first


def build(
    config: Config,
    classifier: Classifier,
    recorder_of: Callable[[Judging, Profile | None, str], Recorder],
    clock: Clock,
    *,
    profile: Profile | None = None,
    script: tuple[TimedPress, ...] = (),
    trace: IO[str] | None = None,
    audit: Journal | None = None,
    drift_file: Path | None = None,
) -> Device:
    """The device of `config` and `profile`. Opens the camera once; raises FocusgateError if any part is missing."""
    if script and not isinstance(config.pins, SimulatedPinsConfig):
        raise InputError("--script presses simulated buttons only; leave it out, or set pins.kind = 'simulated'")
    config = with_profile(config, profile)
    source = source_of(config, clock)
    profile = profile or source.profile
    faults = Faults(audit or SILENT)
    with ExitStack() as undo:
        undo.callback(source.aperture.close)
        pins = pins_of(config.pins, clock)
        undo.callback(pins.close)
        camera = opened(source.open, pins, clock, patient=not isinstance(config.pins, SimulatedPinsConfig))
        undo.callback(camera.close)
        classifier, profile = fitting(classifier, profile, camera.info.id, patient=isinstance(clock, MonotonicClock))
        if min(camera.info.width, camera.info.height) < classifier.tile_px:
            raise CameraError(
                f"camera {camera.info.id}: frames of {camera.info.width}×{camera.info.height} px are smaller than one "
                f"tile; allowed: at least {classifier.tile_px}×{classifier.tile_px} px"
            )
        judging = judging_of(profile, config.model.criterion_px, config.gate.min_judged_percent)
        recorder = recorder_of(judging, profile, camera.info.id)
        undo.pop_all()
    judged: Queue[Judged] = Queue(JUDGED_LIMIT)
    camera_loop = CameraLoop(camera, source.open, clock, faults)
    vision = VisionLoop(
        classifier=classifier,
        judging=judging_at(profile, judging),
        frames=camera_loop.to_vision,
        judged=judged,
        clock=clock,
        faults=faults,
    )
    aperture_steps: Queue[int] = Queue(JUDGED_LIMIT)
    drift = DriftWatch(profile, drift_file) if profile is not None else None
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
        on_judged=watched(_tracer(trace, source, started_ns), drift),
        on_aperture=aperture_steps.put,
        audit=audit or SILENT,
    )
    if profile is None:
        faults.raise_("calibration", coded(UNCALIBRATED, "not calibrated"))
    if isinstance(classifier, NoClassifier):
        faults.raise_("model", classifier.why)
    if audit is not None:
        audit.note("start", **in_force(config, classifier, judging, profile))
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
        assisting=_assisting(config, classifier, judging, source),
        audit=audit,
        power=power_watch() if isinstance(clock, MonotonicClock) else None,
        drift=drift,
    )


def _assisting(config: Config, classifier: Classifier, judging: Judging, source: Source) -> Assisting | None:
    if not config.assist.enabled:
        return None
    criterion_px = judging.criterion_px or classifier.criterion_px
    return Assisting(config.assist.settings(criterion_px), source.aperture, config.gate.percent)


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
