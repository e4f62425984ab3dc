"""What the gate needs of the outside world. Levels, not events: the decision loop polls, `debounce` decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Lamp(Enum):
    """What the lamp says. Each differs in pattern as well as in colour."""

    OFF = "off"
    STARTING = "starting"  # white, slow blink
    CLOSED = "closed"  # red, with a short gap every second and a half
    OPEN = "open"  # green, the only steady light
    ARMED = "armed"  # amber, fast blink: an override is armed
    FAULT = "fault"  # red, double flash
    CLOSED_LOW = "closed, room is low"  # as closed, with a blue blink in its gap
    OPEN_LOW = "open, room is low"  # as open, with a short blue wink every three seconds


class Tone(Enum):
    """What the buzzer says."""

    SAVED = "saved"  # rising pair: the capture is durable
    SAVED_LOW = "saved, room is low"  # the same, then a low note: fewer than 100 captures fit
    ENDED = "ended"  # falling pair: the examination is over
    REFUSED = "refused"  # low, long
    ARMED = "armed"  # two short
    FAULT = "fault"  # three low


@dataclass(frozen=True, slots=True)
class Buttons:
    """Raw levels, True = pressed. Not debounced."""

    capture: bool = False
    override: bool = False
    aperture_open: bool = False
    aperture_close: bool = False


class Pins(Protocol):
    """Every call returns at once. Raises HardwareError when the hardware does not answer."""

    def buttons(self) -> Buttons: ...

    def renew_shutter(self, lease_until_ns: int) -> None:
        """Hold the shutter-enable line high until then (monotonic ns), unless renewed or closed before."""
        ...

    def close_shutter(self) -> None:
        """Drive the shutter-enable line low now. The one call that never raises: without it the lease runs out."""
        ...

    def show(self, lamp: Lamp) -> None: ...

    def sound(self, tone: Tone) -> None: ...

    def tick(self, now_ns: int) -> None:
        """Called at every decision: plays lamp and tones. Raises HardwareError while the shutter line is not there."""
        ...

    def close(self) -> None:
        """Everything to its safe level: shutter low, lamp off, buzzer silent. May be called twice."""
        ...
