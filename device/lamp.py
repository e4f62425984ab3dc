"""What lamp and buzzer say of a gate state. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from device.gate import ButtonStuck, Event, GateState, Mode, OverrideArmed, Refused
from device.pins.protocol import Lamp, Tone

OPEN_AGAIN_NS = 1_000_000_000  # from "open" to the next "open": so the lamp changes at most twice in any second

_LAMPS = {
    Mode.STARTING: Lamp.STARTING,
    Mode.CLOSED: Lamp.CLOSED,
    Mode.OPEN: Lamp.OPEN,
    Mode.OVERRIDE_ARMED: Lamp.ARMED,
    Mode.FAULT: Lamp.FAULT,
}
_LOW = {Lamp.CLOSED: Lamp.CLOSED_LOW, Lamp.OPEN: Lamp.OPEN_LOW}
_TONES: dict[type[Event], Tone] = {Refused: Tone.REFUSED, OverrideArmed: Tone.ARMED, ButtonStuck: Tone.FAULT}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the lamp shows, and when it last turned away from "open"."""

    lamp: Lamp = Lamp.OFF
    closed_ns: int | None = None


def next_lamp(shown: Shown, state: GateState, now_ns: int) -> Shown:
    """The lamp for this state. It never says "open" while the gate is not, and does not say it again within a second:
    at the edge of focus it stays at "closed" rather than flicker."""
    wanted = _LAMPS[state.mode]
    if wanted is not Lamp.OPEN:
        return Shown(wanted, now_ns if shown.lamp is Lamp.OPEN else shown.closed_ns)
    if shown.lamp is Lamp.OPEN:
        return shown
    if shown.closed_ns is not None and now_ns - shown.closed_ns < OPEN_AGAIN_NS:
        return Shown(Lamp.CLOSED, shown.closed_ns)
    return Shown(Lamp.OPEN, shown.closed_ns)


def tone_for(event: Event) -> Tone | None:
    """The tone of an event, if it has one; a capture is silent until it is durable."""
    return _TONES.get(type(event))


def with_room(lamp: Lamp, *, low: bool) -> Lamp:
    """The same lamp, saying besides that room is low (FG-305). What is more urgent than that says itself alone."""
    return _LOW.get(lamp, lamp) if low else lamp
