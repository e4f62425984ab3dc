"""Watches over an actuator: how often it moves, and whether the picture responds; off for good at any fault."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from device.aperture.effect import EffectState, failed, light_of, moved, seen
from device.aperture.protocol import Aperture
from device.clock import SECOND, Clock
from device.frame import Frame
from models.errors import HardwareError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much.

    moves     so many in any `window_s`; a search takes 20 at most, a hand some more
    faults    of the actuator itself, in a row, until it is left alone
    """

    moves: int = 40
    window_s: float = 60.0
    faults: int = 2


class SupervisedAperture:
    """Implements `device.aperture.protocol.Aperture` around another; `observe` may come from any thread.

    HardwareError from `move` is a refusal; after a fault every move is refused, and the actuator has no power, until
    the device is started anew. The gate works on without it.
    """

    def __init__(self, aperture: Aperture, clock: Clock, limits: Limits | None = None) -> None:
        self._aperture = aperture
        self._clock = clock
        self._limits = limits or Limits()
        self._moves_ns: list[int] = []
        self._faults = 0
        self._fault: str | None = None
        self._effect = EffectState()
        self._lock = threading.Lock()  # for the effect alone: never held while something moves

    @property
    def f_numbers(self) -> tuple[float, ...]:
        return self._aperture.f_numbers

    @property
    def f_number(self) -> float | None:
        return self._aperture.f_number

    @property
    def fault(self) -> str | None:
        """Why the aperture is off; None while it works."""
        return self._fault

    def move(self, steps: int) -> float | None:
        """As the actuator; refused after a fault, or if it has moved too often."""
        if self._fault is not None:
            self._aperture.close()
            raise HardwareError(f"{self._fault}; it is off until the device is started anew")
        now_ns = self._clock.now_ns()
        window_ns = round(self._limits.window_s * SECOND)
        self._moves_ns = [at_ns for at_ns in self._moves_ns if now_ns - at_ns < window_ns]
        if len(self._moves_ns) >= self._limits.moves:
            raise HardwareError(
                f"aperture: {self._limits.moves} moves in {self._limits.window_s:g} s are enough; it rests for a while"
            )
        self._moves_ns.append(now_ns)
        before = self._aperture.f_number
        try:
            after = self._aperture.move(steps)
        except HardwareError as error:
            self._faults += 1
            if self._faults >= self._limits.faults:
                self._fault = str(error)
                self._aperture.close()
            raise
        self._faults = 0
        if before is not None and after is not None and before != after:
            with self._lock:
                self._effect = moved(self._effect, before, after, self._clock.now_ns())
        return after

    def observe(self, frame: Frame) -> None:
        """Look at a frame (held by the caller): does the light follow the aperture?"""
        light_stops = light_of(frame)
        with self._lock:
            self._effect = seen(self._effect, light_stops, frame.exposed_ns)
            if failed(self._effect) and self._fault is None:
                self._fault = "aperture: the picture does not respond to it; look for a jam or a loose lever"

    def close(self) -> None:
        self._aperture.close()
