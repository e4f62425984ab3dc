"""Where an actuator goes on its way to a position: backlash, travel, rate and time. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from device.aperture.table import ApertureTable
from models.errors import InputError


@dataclass(frozen=True, slots=True)
class Travel:
    """What the mechanism may do, in the actuator's own unit (µs of pulse, or steps).

    lowest, highest   never go beyond
    rate_per_s        never go faster
    backlash          slack of gears and levers: a position is always reached from below, this far at least
    settle_s          time in which the mechanism comes to rest; afterwards its power is taken away
    longest_s         no move may take longer
    """

    lowest: float
    highest: float
    rate_per_s: float
    backlash: float = 0.0
    settle_s: float = 0.1
    longest_s: float = 1.5

    def longest_move_s(self, table: ApertureTable) -> float:
        """The time of the longest move in the table: from top to bottom, and up again by the backlash."""
        way = table.highest - table.lowest + 2 * self.backlash
        return way / self.rate_per_s + self.settle_s

    def check(self, table: ApertureTable) -> None:
        """Raises InputError if the table, with room for the backlash, does not fit the travel, or takes too long."""
        if not (self.lowest <= table.lowest - self.backlash and table.highest <= self.highest):
            raise InputError(
                f"aperture.positions from {table.lowest:g} to {table.highest:g} are not possible; allowed: from "
                f"{self.lowest + self.backlash:g} (lowest plus backlash) to {self.highest:g}"
            )
        if self.longest_move_s(table) > self.longest_s:
            raise InputError(
                f"aperture.rate_per_s = {self.rate_per_s:g} is not possible; allowed: fast enough for the whole table "
                f"in {self.longest_s:g} s (it takes {self.longest_move_s(table):.2f} s)"
            )


def approach(start: float, target: float, travel: Travel) -> tuple[float, ...]:
    """The turning points from `start`, which was itself reached from below, to `target`, to be reached from below."""
    target = min(max(target, travel.lowest), travel.highest)
    if target == start:
        return ()
    if target > start or travel.backlash == 0.0:
        return (target,)
    return (max(target - travel.backlash, travel.lowest), target)


def ramp(start: float, target: float, largest_step: float) -> tuple[float, ...]:
    """From `start` to `target` in even steps of at most `largest_step`; ends at `target` exactly."""
    count = max(1, math.ceil(abs(target - start) / largest_step))
    return (*(start + (target - start) * index / count for index in range(1, count)), target)
