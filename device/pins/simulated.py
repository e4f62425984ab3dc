"""Pins that behave like pins, and keep their history: for the desk and the tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from device import lease
from device.clock import Clock
from device.pins.protocol import Buttons, Lamp, Tone


@dataclass(frozen=True, slots=True)
class Happened:
    """One change of an output: which, when, to what."""

    at_ns: int
    output: str  # "shutter", "lamp" or "tone"
    value: str


class SimulatedPins:
    """Implements `device.pins.protocol.Pins`. `press` holds a button; every output's changes are in `history`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pressed_until_ns: dict[str, int] = {}
        self._lease = lease.closed()
        self._high = False
        self._lamp = Lamp.OFF
        self.history: list[Happened] = []

    def press(self, button: str, hold_ns: int) -> None:
        """Hold `button` (a field of Buttons) down for `hold_ns` from now on."""
        if button not in Buttons.__slots__:
            raise ValueError(f"no button {button!r}; there are {', '.join(Buttons.__slots__)}")
        with self._lock:
            self._pressed_until_ns[button] = self._clock.now_ns() + hold_ns

    def buttons(self) -> Buttons:
        now_ns = self._clock.now_ns()
        with self._lock:
            down = {name: now_ns < until_ns for name, until_ns in self._pressed_until_ns.items()}
        return replace(Buttons(), **down)

    def renew_shutter(self, lease_until_ns: int) -> None:
        now_ns = self._clock.now_ns()
        with self._lock:
            self._settle(now_ns)
            self._lease = lease.renewed(self._lease, lease_until_ns, now_ns)
            self._settle(now_ns)

    def close_shutter(self) -> None:
        with self._lock:
            self._settle(self._clock.now_ns())
            self._lease = lease.closed()
            self._settle(self._clock.now_ns())

    def shutter_is_high(self) -> bool:
        """The level of the shutter-enable line now."""
        with self._lock:
            self._settle(self._clock.now_ns())
            return self._high

    def show(self, lamp: Lamp) -> None:
        with self._lock:
            if lamp is not self._lamp:
                self._lamp = lamp
                self.history.append(Happened(self._clock.now_ns(), "lamp", lamp.value))

    def sound(self, tone: Tone) -> None:
        with self._lock:
            self.history.append(Happened(self._clock.now_ns(), "tone", tone.value))

    def tick(self, now_ns: int) -> None:
        """Nothing to play: the history says what was shown and sounded."""

    def close(self) -> None:
        self.close_shutter()
        self.show(Lamp.OFF)

    def _settle(self, now_ns: int) -> None:
        """Bring the line to what the lease says; a lapse is entered at the moment when it happened."""
        high = self._lease.is_high(now_ns)
        if high == self._high:
            return
        at_ns = now_ns if high or self._lease.until_ns == 0 else self._lease.until_ns
        self._high = high
        self.history.append(Happened(at_ns, "shutter", "high" if high else "low"))
