"""The aperture stage of a drawn unit: play, stops, an end position that is never quite the same, and time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from device.simulation.unit_truth import Unit, f_number_at


@dataclass(slots=True)
class SimulatedStage:
    """Moves the iris of a unit. The actuator turns freely within `unit.backlash` before the iris follows.

    position   where the actuator was sent last (what a driver knows)
    iris       where the iris stands: give this to `picture` and `true_blur_px` as their `position`
    elapsed_s  time that all moves together have cost
    """

    unit: Unit
    seed: int = 0
    position: float = 0.0
    iris: float = field(init=False)
    elapsed_s: float = 0.0
    _held: float = field(init=False)
    _rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.unit.seed, self.seed, 3])
        self._held = self.iris = min(max(self.position, self.unit.lower_stop), self.unit.upper_stop)

    @property
    def f_number(self) -> float:
        """The true f-number now."""
        return f_number_at(self.unit, self.iris)

    def move_to(self, position: float) -> float:
        """Send the actuator to `position` (clipped to 0 to 1). Returns the time the move takes, s."""
        target = min(max(position, 0.0), 1.0)
        slack = self.unit.backlash / 2
        pushed = min(max(self._held, target - slack), target + slack)  # the iris follows only where it is pushed
        held = min(max(pushed, self.unit.lower_stop), self.unit.upper_stop)
        if held != self._held:
            scattered = held + float(self._rng.normal(0.0, self.unit.repeatability))
            self.iris = min(max(scattered, self.unit.lower_stop), self.unit.upper_stop)
        self._held = held
        took_s = abs(target - self.position) / self.unit.travel_per_s + self.unit.settle_s
        self.position, self.elapsed_s = target, self.elapsed_s + took_s
        return took_s
