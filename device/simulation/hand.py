"""The hand that holds the colposcope: where it is at any time. Pure, seeded, smooth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

TREMOR_HZ = (8.0, 12.0)
"""Physiological tremor of the outstretched hand (Elble and Koller, Tremor, 1990)."""

SWAY_HZ = (0.08, 0.45)
"""Slow drift of a hand that tries to hold still."""

PARTIALS = 3
"""Sines in each random motion: enough not to look like a pendulum."""

HOLD_ERROR_MM = 0.15
"""How well (standard deviation) the working distance is found again in each cycle."""


@dataclass(frozen=True, slots=True)
class HandMotion:
    """One examination, over and over: come from far, overshoot, come back, hold, withdraw.

    far_mm, overshoot_mm, hold_mm   distances of the lens from the middle of the tissue
    cycle_s                         time from far to far
    tremor_mm, drift_mm, sway_mm    amplitudes: tremor in every direction; slow drift along, slow sway across the axis
    """

    seed: int
    far_mm: float
    overshoot_mm: float
    hold_mm: float
    cycle_s: float
    tremor_mm: float
    drift_mm: float
    sway_mm: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the lens is: sideways from the tissue's middle, and its distance, mm."""

    x_mm: float
    y_mm: float
    distance_mm: float


APPROACHED, RETURNED, HELD = 0.22, 0.32, 0.85
"""Shares of the cycle at which the overshoot is reached, the hold begins, and the hold ends."""


def hold_span_s(motion: HandMotion, cycle: int = 0) -> tuple[float, float]:
    """Start and end of the hold in the given cycle, s."""
    return (cycle + RETURNED) * motion.cycle_s, (cycle + HELD) * motion.cycle_s


def pose_at(motion: HandMotion, at_s: float) -> Pose:
    """The pose at a time (s); a pure function of its arguments, continuous in time."""
    tremor = [motion.tremor_mm * _wander(motion.seed, axis, TREMOR_HZ, at_s) for axis in range(3)]
    drift = motion.drift_mm * _wander(motion.seed, 3, SWAY_HZ, at_s)
    sway = [motion.sway_mm * _wander(motion.seed, axis, SWAY_HZ, at_s) for axis in (4, 5)]
    return Pose(sway[0] + tremor[0], sway[1] + tremor[1], _course_mm(motion, at_s) + drift + tremor[2])


def _course_mm(motion: HandMotion, at_s: float) -> float:
    """The distance that the hand means to have."""
    cycle, share = divmod(at_s / motion.cycle_s, 1.0)
    hold_mm = motion.hold_mm + HOLD_ERROR_MM * _hold_error(motion.seed, int(cycle))
    legs = (
        (0.0, motion.far_mm),
        (APPROACHED, motion.overshoot_mm),
        (RETURNED, hold_mm),
        (HELD, hold_mm),
        (1.0, motion.far_mm),
    )
    for (start, start_mm), (end, end_mm) in pairwise(legs):
        if share < end:
            return start_mm + (end_mm - start_mm) * _reach((share - start) / (end - start))
    return motion.far_mm


def _reach(share: float) -> float:
    """A reaching movement from 0 to 1 with the least jerk (Flash and Hogan 1985)."""
    return share**3 * (10 - 15 * share + 6 * share**2)


def _wander(seed: int, axis: int, band_hz: tuple[float, float], at_s: float) -> float:
    """A smooth random motion between -1 and 1 with its frequencies in the band."""
    return sum(math.sin(2 * math.pi * (hz * at_s + phase)) for hz, phase in _partials(seed, axis, band_hz)) / PARTIALS


@lru_cache(maxsize=1024)
def _partials(seed: int, axis: int, band_hz: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    rng = np.random.default_rng([seed, axis])
    return tuple((float(rng.uniform(*band_hz)), float(rng.uniform())) for _ in range(PARTIALS))


@lru_cache(maxsize=1024)
def _hold_error(seed: int, cycle: int) -> float:
    """In standard deviations, at most two."""
    return float(np.clip(np.random.default_rng([seed, 100, abs(cycle)]).standard_normal(), -2.0, 2.0))
