"""The decision loop: a thin shell around the pure gate. Reads buttons and evidence, steps, renews the lease."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from device.audit.notes import SILENT, Notes
from device.audit.wording import score
from device.clock import MS, Clock
from device.debounce import Debounced, debounce
from device.frame import Frame
from device.gate import (
    Button,
    ButtonStuck,
    Capture,
    Event,
    Evidence,
    GateSettings,
    GateState,
    Inputs,
    OverrideArmed,
    OverrideExpired,
    Refused,
    step,
)
from device.lamp import Shown, next_lamp, tone_for, with_room
from device.loops import CameraLoop, Judged, VisionLoop
from device.mailbox import Queue
from device.pins.protocol import Buttons, Pins, Tone
from device.recorder import CaptureJob, CaptureResult, Recorder
from device.status import Faults, Status
from device.store.examination import hold_ends_it
from device.store.space import LOW_CAPTURES, Room
from device.supervision.faults import (
    AUDIT_SILENT,
    CAPTURE_STUCK,
    NO_FRAME,
    NOT_SAVED,
    OVERRIDE_STUCK,
    QUEUE_FULL,
    ROOM_LOW,
    SHUTTER_SILENT,
    STORE_CLOSED,
    coded,
)
from device.supervision.refusals import refusal_line
from models.errors import HardwareError
from models.focusmap import FocusMap
from models.verdict import VerdictKind, verdict_of

log = logging.getLogger("focusgate")

TICK_NS = 10 * MS
LEASE_NS = 150 * MS


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate is asked to enforce."""

    percent: int
    settings: GateSettings


def evidence_of(focus_map: FocusMap, percent: int) -> Evidence:
    """What the gate needs to know of one map."""
    verdict = verdict_of(focus_map, percent)
    return Evidence(focus_map.frame_id, focus_map.exposed_ns, verdict.kind is VerdictKind.PASS, verdict.reason or "")


class DecisionLoop:
    """Called every TICK_NS. `status` is replaced whole at each tick and may be read from any thread."""

    def __init__(
        self,
        *,
        rules: Rules,
        camera: CameraLoop,
        vision: VisionLoop,
        judged: Queue[Judged],
        pins: Pins,
        recorder: Recorder,
        clock: Clock,
        faults: Faults,
        on_judged: Callable[[Judged, GateState], None],
        on_aperture: Callable[[int], object],
        audit: Notes = SILENT,
    ) -> None:
        self.status = Status()
        self._rules = rules
        self._camera = camera
        self._vision = vision
        self._judged = judged
        self._pins = pins
        self._recorder = recorder
        self._clock = clock
        self._faults = faults
        self._on_judged = on_judged
        self._on_aperture = on_aperture
        self._audit = audit
        self._state = GateState()
        self._shown = Shown()
        self._buttons = {name: Debounced() for name in Buttons.__slots__}

    def tick(self) -> None:
        """One decision. Every result of judging is stepped through in order, so that no failing frame is skipped."""
        now_ns = self._clock.now_ns()
        before = self._state
        pressed = self._poll_buttons(now_ns)
        newest = self._camera.newest.peek()
        self._look_around()
        inputs = Inputs(
            capture=pressed["capture"],
            override=pressed["override"],
            frame_id=newest.id if newest is not None else None,
            exposed_ns=newest.exposed_ns if newest is not None else None,
            fault=self._faults.current(),
            cannot_save=self._recorder.cannot_save(),
        )
        try:
            for item in self._judged.take_all():
                evidence = evidence_of(item.focus_map, self._rules.percent)
                self._step(evidence, inputs, now_ns, item, newest)
                self._note(item, now_ns)
                item.frame.close()
            self._step(None, inputs, now_ns, None, newest)
        finally:
            if newest is not None:
                newest.close()
        if hold_ends_it(self._state.capture_button.since_ns, before.now_ns, self._state.now_ns):
            self._recorder.end_examination(now_ns)
            self._audit.note("examination", what="ended", by="button")
            self._pins.sound(Tone.ENDED)
            self._say("the examination is ended; the next capture begins another")
        for result in self._recorder.results():
            self._show_result(result)
        self._drive(before, now_ns)

    def _look_around(self) -> None:
        """A disk that takes nothing is a fault, shown before anybody presses; what else is wrong is told."""
        space, audit = self._recorder.space, self._audit.trouble
        low, waiting = space is not None and space.room is Room.LOW, self._recorder.waiting()
        state = self._state
        for part, fault, wrong, words in (
            ("storage", STORE_CLOSED, self._recorder.trouble() is not None, self._recorder.trouble()),
            ("room", ROOM_LOW, low, f"fewer than {LOW_CAPTURES} captures fit; export and delete captures"),
            ("images", NOT_SAVED, waiting > 0, "images wait in memory and are tried again; do not switch off"),
            ("audit", AUDIT_SILENT, audit is not None, f"the audit log is not written: {audit}"),
            ("capture button", CAPTURE_STUCK, state.capture_button.stuck, "the capture button is stuck"),
            ("override button", OVERRIDE_STUCK, state.override_button.stuck, "the override button is stuck"),
        ):
            if wrong:
                self._faults.raise_(part, coded(fault, words))
            else:
                self._faults.clear(part)
        if (audit is None) is not (self.status.audit_trouble is None):
            told = f"the audit log is not written: {audit}" if audit else "the audit log is written again"
            self._say(coded(AUDIT_SILENT, told) if audit else told)
        left = space.captures_left if space is not None else None
        self.status = replace(
            self.status, captures_left=left, audit_trouble=audit, notices=self._faults.notices(), room_low=low
        )

    def _poll_buttons(self, now_ns: int) -> dict[str, bool]:
        raw = self._pins.buttons()
        before = self._buttons
        self._buttons = {name: debounce(before[name], getattr(raw, name), now_ns) for name in before}
        for name, button in self._buttons.items():
            if button.pressed and not before[name].pressed:
                self._audit.note("press", button=name)
        for name, steps in (("aperture_close", 1), ("aperture_open", -1)):
            if self._buttons[name].pressed and not before[name].pressed:
                self._on_aperture(steps)
        return {name: button.pressed for name, button in self._buttons.items()}

    def _step(
        self, evidence: Evidence | None, inputs: Inputs, now_ns: int, item: Judged | None, newest: Frame | None
    ) -> None:
        self._state = step(self._state, evidence, inputs, now_ns, self._rules.settings)
        for event in self._state.events:
            self._handle(event, item, newest)

    def _note(self, item: Judged, now_ns: int) -> None:
        self._on_judged(item, self._state)
        self.status = replace(
            self.status,
            focus_map=item.focus_map,
            judge_ns=item.judge_ns,
            age_ns=now_ns - item.frame.exposed_ns,
            f_number=item.frame.info.f_number,
            exposure=item.frame.info,
        )

    def _handle(self, event: Event, item: Judged | None, newest: Frame | None) -> None:
        tone = tone_for(event)
        if tone is not None:
            self._pins.sound(tone)
        match event:
            case Capture():
                self._submit(event, item, newest)
            case Refused(reason=reason):
                self._refuse(reason)
            case OverrideArmed():
                self._audit.note("override", what="armed", **score(self.status.focus_map, self._rules.percent))
                self._say("override armed: the next capture is taken whatever its score")
            case OverrideExpired():
                self._audit.note("override", what="expired")
                self._say("override expired unused")
            case ButtonStuck(button=button):
                self._audit.note("stuck", button=button.value)
                fault = CAPTURE_STUCK if button is Button.CAPTURE else OVERRIDE_STUCK
                self._say(coded(fault, f"the {button} button is stuck and ignored; free it to use it again"))

    def _submit(self, event: Capture, item: Judged | None, newest: Frame | None) -> None:
        """Hand the very frame that was judged to the recorder; only an override may go without a map."""
        frame = item.frame if event.judged and item is not None else newest
        if frame is None or frame.id != event.frame_id:
            self._pins.sound(Tone.REFUSED)
            self._refuse(coded(NO_FRAME, f"frame {event.frame_id} is gone; press again"))
            return
        focus_map = item.focus_map if event.judged and item is not None else None
        if event.override:
            self._audit.note("override", what="used", frame=frame.id, **score(focus_map, self._rules.percent))
        job = CaptureJob(frame=frame.hold(), focus_map=focus_map, override=event.override, pressed_ns=event.pressed_ns)
        if not self._recorder.submit(job):
            frame.close()
            self._pins.sound(Tone.REFUSED)
            self._refuse(coded(QUEUE_FULL, "captures wait to be saved; press again in a second"))

    def _refuse(self, why: str) -> None:
        reason = refusal_line(why)
        self._audit.note("refused", reason=reason, **score(self.status.focus_map, self._rules.percent))
        self.status = replace(self.status, refused=self.status.refused + 1)
        self._say(f"refused: {reason}")

    def _show_result(self, result: CaptureResult) -> None:
        """Only now, when the capture is durable, comes the tone that says so."""
        if result.ok:
            self.status = replace(self.status, saved=self.status.saved + 1, last_capture=result.message)
        space = self._recorder.space
        saved = Tone.SAVED if space is None or space.room is Room.ENOUGH else Tone.SAVED_LOW
        self._pins.sound(saved if result.ok else Tone.FAULT)
        self._say(result.message)

    def _say(self, message: str) -> None:
        log.info(message)
        self.status = replace(self.status, last_message=message)

    def _drive(self, before: GateState, now_ns: int) -> None:
        """Outputs follow the state; the shutter line falls by itself if this is not reached again in LEASE_NS."""
        state = self._state
        self._shown = next_lamp(self._shown, state, now_ns)
        lamp = with_room(self._shown.lamp, low=self.status.room_low)
        self._pins.show(lamp)
        try:
            try:
                self._pins.tick(now_ns)
            finally:  # each without the other: the lamp plays on over a dead line
                if state.enabled:
                    self._pins.renew_shutter(now_ns + LEASE_NS)
                elif before.enabled:
                    self._pins.close_shutter()
        except HardwareError as error:
            self._faults.raise_("shutter", coded(SHUTTER_SILENT, error))
        else:
            self._faults.clear("shutter")
        opened = self.status.opened + (state.enabled and not before.enabled)
        self.status = replace(
            self.status,
            gate=state,
            lamp=lamp,
            shutter_high=state.enabled,
            camera_fps=self._camera.rate.per_second(now_ns),
            judged_fps=self._vision.rate.per_second(now_ns),
            dropped=self._camera.to_vision.dropped,
            frames=self._camera.frames,
            judged=self._vision.count,
            opened=opened,
        )
        if state.mode is not before.mode:
            self._audit.state("gate", "gate", mode=state.mode.value, open=state.enabled, reason=state.reason)
            log.info(self.status.line())
