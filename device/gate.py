"""The gate: a pure function from what was seen and pressed to whether the shutter may open.

`step` is called about a hundred times a second with the newest evidence, the debounced buttons and the time. No clock,
no files, no threads: all that happens at the moment of capture can be read and tested here. Default deny: anything
but three fresh passing frames in a row, or an armed override, is closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

MS = 1_000_000
SECOND = 1_000_000_000


class Mode(StrEnum):
    """What the device is doing, as the lamp shows it."""

    STARTING = "starting"
    CLOSED = "closed"
    OPEN = "open"
    OVERRIDE_ARMED = "override armed"
    FAULT = "fault"


class Button(StrEnum):
    """The two buttons that the gate reads."""

    CAPTURE = "capture"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Timings of the gate (ns) and the number of passing frames that open it."""

    passes_to_open: int = 3
    max_evidence_age_ns: int = 300 * MS
    press_window_ns: int = 500 * MS
    override_hold_ns: int = 1500 * MS
    override_armed_ns: int = 10 * SECOND
    override_score_wait_ns: int = 300 * MS  # how long an override waits for its own frame's score before going without
    stuck_ns: int = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the classifier found in one frame. `reason` says why it does not pass ("" if it does)."""

    frame_id: int
    exposed_ns: int
    passes: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All else that the gate reads at one instant.

    capture, override       debounced levels, True = pressed
    frame_id, exposed_ns    newest frame of the camera, judged or not; an override may take it. None before the first
    fault                   why the gate cannot work (camera, model, ...); None if it can
    cannot_save             why nothing could be saved now (disk full, queue full); None if it could
    """

    capture: bool = False
    override: bool = False
    frame_id: int | None = None
    exposed_ns: int | None = None
    fault: str | None = None
    cannot_save: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """Save this very frame. `judged` is False if an override took it before any score of it was known."""

    frame_id: int
    pressed_ns: int
    override: bool
    judged: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A press that saves nothing, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class OverrideArmed:
    """One capture is armed, whatever the score."""

    until_ns: int


@dataclass(frozen=True, slots=True)
class OverrideExpired:
    """The armed override was not used in time, or its button was found stuck."""


@dataclass(frozen=True, slots=True)
class ButtonStuck:
    """The button is ignored until it is let go."""

    button: Button


Event = Capture | Refused | OverrideArmed | OverrideExpired | ButtonStuck


@dataclass(frozen=True, slots=True)
class Press:
    """A press of the capture button that waits for its frame."""

    pressed_ns: int
    override: bool


@dataclass(frozen=True, slots=True)
class Held:
    """One button's past: since when it is down (None if up), and whether this hold has had its effect or is stuck."""

    since_ns: int | None = None
    used: bool = False
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class GateState:
    """Everything the gate remembers. `events` are those of the step that made this state, in order."""

    mode: Mode = Mode.STARTING
    reason: str = "no frame judged yet"
    passes: int = 0
    evidence: Evidence | None = None
    late: bool = False  # the last evidence to arrive was too old to be any
    press: Press | None = None
    armed_until_ns: int | None = None
    capture_button: Held = field(default_factory=Held)
    override_button: Held = field(default_factory=Held)
    now_ns: int = 0
    events: tuple[Event, ...] = ()

    @property
    def enabled(self) -> bool:
        """True while the shutter may fire."""
        return self.mode in (Mode.OPEN, Mode.OVERRIDE_ARMED)


DEFAULTS = GateSettings()


def step(
    state: GateState, evidence: Evidence | None, inputs: Inputs, now_ns: int, settings: GateSettings = DEFAULTS
) -> GateState:
    """The next state. `evidence` is what arrived since the last step, or None.

    The order is fixed: evidence, override button, mode, capture button, waiting press; so two buttons at once, or a
    press in the instant in which the gate closes, have one outcome. A `now_ns` that runs backwards stands still.
    """
    now_ns = max(now_ns, state.now_ns)
    state = replace(state, now_ns=now_ns, events=())
    state, fresh = _take(state, evidence, now_ns, settings)
    state = _override_button(state, inputs.override, now_ns, settings)
    state = _judge(state, inputs.fault, now_ns, settings)
    state = _capture_button(state, inputs, now_ns, settings)
    state = _waiting_press(state, fresh, inputs, now_ns, settings)
    return _judge(state, inputs.fault, now_ns, settings)


def _is_fresh(evidence: Evidence, now_ns: int, settings: GateSettings) -> bool:
    return 0 <= now_ns - evidence.exposed_ns <= settings.max_evidence_age_ns


def _take(
    state: GateState, evidence: Evidence | None, now_ns: int, settings: GateSettings
) -> tuple[GateState, Evidence | None]:
    """Count consecutive passes. Evidence that is stale, from the future, or not newer than the last is no evidence."""
    known = state.evidence
    if known is not None and not _is_fresh(known, now_ns, settings):
        state = replace(state, passes=0)
    if evidence is None:
        return state, None
    if not _is_fresh(evidence, now_ns, settings):
        return replace(state, late=True), None
    if known is not None and (evidence.exposed_ns <= known.exposed_ns or evidence.frame_id <= known.frame_id):
        return state, None
    passes = min(state.passes + 1, settings.passes_to_open) if evidence.passes else 0
    return replace(state, evidence=evidence, passes=passes, late=False), evidence


def _held(button: Held, down: bool, now_ns: int, settings: GateSettings) -> tuple[Held, bool]:
    """The button after this instant, and whether it is found stuck just now."""
    if not down:
        return Held(), False
    if button.since_ns is None:
        return Held(since_ns=now_ns), False
    if not button.stuck and now_ns - button.since_ns >= settings.stuck_ns:
        return replace(button, stuck=True), True
    return button, False


def _override_button(state: GateState, down: bool, now_ns: int, settings: GateSettings) -> GateState:
    """A hold arms once; armed expires; a stuck button arms nothing and disarms what it armed."""
    button, found_stuck = _held(state.override_button, down, now_ns, settings)
    if found_stuck:
        state = replace(state, events=(*state.events, ButtonStuck(Button.OVERRIDE)))
    if state.armed_until_ns is not None and (now_ns >= state.armed_until_ns or button.stuck):
        state = replace(state, armed_until_ns=None, events=(*state.events, OverrideExpired()))
    is_held = button.since_ns is not None and now_ns - button.since_ns >= settings.override_hold_ns
    if is_held and not button.used and not button.stuck:
        until_ns = now_ns + settings.override_armed_ns
        button = replace(button, used=True)
        state = replace(state, armed_until_ns=until_ns, events=(*state.events, OverrideArmed(until_ns)))
    return replace(state, override_button=button)


def _judge(state: GateState, fault: str | None, now_ns: int, settings: GateSettings) -> GateState:
    """Mode and reason from what is known now. What passed before a fault opens nothing after it."""
    mode, reason = _closed_because(state, fault, now_ns, settings)
    if state.armed_until_ns is not None:
        mode = Mode.OVERRIDE_ARMED
    return replace(state, mode=mode, reason=reason, passes=0 if fault is not None else state.passes)


def _closed_because(state: GateState, fault: str | None, now_ns: int, settings: GateSettings) -> tuple[Mode, str]:
    evidence = state.evidence
    if fault is not None:
        return Mode.FAULT, fault
    if evidence is None or not _is_fresh(evidence, now_ns, settings):
        return _silent_because(state, settings.max_evidence_age_ns // MS)
    if not evidence.passes:
        return Mode.CLOSED, evidence.reason
    if state.passes < settings.passes_to_open:
        return Mode.CLOSED, "in focus, hold still"
    return Mode.OPEN, ""


def _silent_because(state: GateState, limit_ms: int) -> tuple[Mode, str]:
    if state.late:
        return Mode.CLOSED, f"frames are judged too slowly, later than {limit_ms} ms after their exposure"
    if state.evidence is None:
        return Mode.STARTING, "no frame judged yet"
    return Mode.CLOSED, f"no frame judged in the last {limit_ms} ms"


def _capture_button(state: GateState, inputs: Inputs, now_ns: int, settings: GateSettings) -> GateState:
    """A press starts the wait for its frame, or is refused with the reason."""
    button, found_stuck = _held(state.capture_button, inputs.capture, now_ns, settings)
    pressed = inputs.capture and state.capture_button.since_ns is None
    state = replace(state, capture_button=button)
    if found_stuck:
        return replace(state, events=(*state.events, ButtonStuck(Button.CAPTURE)))
    if not pressed:
        return state
    waiting = "the last press is still waiting for its frame" if state.press is not None else None
    refusal = inputs.cannot_save or waiting or (None if state.enabled else state.reason)
    if refusal is not None:
        return replace(state, events=(*state.events, Refused(refusal)))
    return replace(state, press=Press(now_ns, override=state.mode is Mode.OVERRIDE_ARMED))


def _waiting_press(
    state: GateState, fresh: Evidence | None, inputs: Inputs, now_ns: int, settings: GateSettings
) -> GateState:
    """Give the waiting press its frame: the first that was exposed after it (and passes, unless overridden)."""
    press = state.press
    if press is None:
        return state
    if inputs.cannot_save is not None:
        return _refuse(state, inputs.cannot_save)
    waited_ns = now_ns - press.pressed_ns
    if waited_ns > settings.press_window_ns:
        what = "no frame from the camera" if press.override else "no frame in focus"
        return _refuse(state, f"{what} within {settings.press_window_ns // MS} ms of the press")
    usable = fresh is not None and fresh.passes and inputs.fault is None
    if fresh is not None and fresh.exposed_ns >= press.pressed_ns and (press.override or usable):
        return _capture(state, press, fresh.frame_id, judged=True)
    if press.override and waited_ns >= settings.override_score_wait_ns and _is_after(inputs, press):
        return _capture(state, press, inputs.frame_id or 0, judged=False)
    return state


def _is_after(inputs: Inputs, press: Press) -> bool:
    return inputs.frame_id is not None and inputs.exposed_ns is not None and inputs.exposed_ns >= press.pressed_ns


def _refuse(state: GateState, reason: str) -> GateState:
    return replace(state, press=None, events=(*state.events, Refused(reason)))


def _capture(state: GateState, press: Press, frame_id: int, *, judged: bool) -> GateState:
    """An override is spent by the capture it allowed."""
    event = Capture(frame_id, press.pressed_ns, override=press.override, judged=judged)
    armed_ns = None if press.override else state.armed_until_ns
    return replace(state, press=None, armed_until_ns=armed_ns, events=(*state.events, event))
