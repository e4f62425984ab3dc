"""From f-number to position of the actuator and back, by a calibrated table. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.errors import InputError


@dataclass(frozen=True, slots=True)
class ApertureTable:
    """Calibrated points: `positions` (µs of pulse, or steps from the end switch) for rising `f_numbers`.

    Positions may rise or fall with the f-number, but never turn. Raises InputError for a table that is none.
    """

    f_numbers: tuple[float, ...]
    positions: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.f_numbers) != len(self.positions) or len(self.f_numbers) < 2:
            raise InputError(
                f"aperture.table has {len(self.f_numbers)} f-numbers and {len(self.positions)} positions; allowed: the "
                "same number of both, at least 2"
            )
        if not all(math.isfinite(value) for value in (*self.f_numbers, *self.positions)) or self.f_numbers[0] <= 0:
            raise InputError("aperture.table holds what is no f-number or position; allowed: finite numbers, f above 0")
        if not all(before < after for before, after in pairwise(self.f_numbers)):
            raise InputError("aperture.f_numbers must rise from one to the next; sort the table")
        slopes = {before < after for before, after in pairwise(self.positions) if before != after}
        if len(slopes) != 1 or len(set(self.positions)) != len(self.positions):
            raise InputError("aperture.positions must all rise or all fall with the f-number; calibrate the table anew")

    @property
    def lowest(self) -> float:
        return min(self.positions)

    @property
    def highest(self) -> float:
        return max(self.positions)

    def position(self, f_number: float) -> float:
        """Interpolated; held at the ends outside the table."""
        return float(np.interp(f_number, self.f_numbers, self.positions))

    def f_number(self, position: float) -> float:
        """The inverse of `position`."""
        if self.positions[0] < self.positions[-1]:
            return float(np.interp(position, self.positions, self.f_numbers))
        return float(np.interp(position, self.positions[::-1], self.f_numbers[::-1]))

    def after(self, f_number: float, steps: int) -> float:
        """The f-number `steps` points further, from the point nearest to `f_number`; held at the ends."""
        nearest = min(range(len(self.f_numbers)), key=lambda index: abs(math.log(self.f_numbers[index] / f_number)))
        return self.f_numbers[min(max(nearest + steps, 0), len(self.f_numbers) - 1)]
