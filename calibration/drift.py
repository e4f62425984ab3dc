"""Does the device still behave as on the day it was calibrated? Two questions, both pure.

In use: every opening of the gate gives one score, the mean p_in_focus of its judged tiles over the opening. A fogged
window, a scratched lens or a lamp that ages lowers it slowly. A one-sided cumulative sum (Page, Biometrika 41 (1954)
100–115) finds that. What is in focus differs from patient to patient, so the first START openings after a calibration
settle mean and deviation (tissue is not a chart), and the deviation is never taken below LEAST_SD. By simulation with
independent normal scores: a fall of one deviation is told after 13 openings (median), of two after 4; a device that
stays as it is is accused within 200 openings in 7 of 100 cases, since a mean of few openings is not exact.

On demand: `calibrate verify` measures one picture of the chart again and compares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ALLOWANCE_SDS = 0.75
LIMIT_SDS = 5.0
LEAST_SD = 0.02
"""In units of p_in_focus: below, the spread of a few openings is chance."""

START = 30
MOST_SETTLING_FALL = 0.15
"""The mean over the first START openings may lie so far below the calibration's before that alone is a warning."""

MOST_FALL_SDS = 3.0
"""No single opening counts for more: one bad patient is no drift (winsorised, as Lucas and Crosier 1982 advise)."""


@dataclass(frozen=True, slots=True)
class DriftState:
    """What is remembered from opening to opening; kept over restarts.

    profile  digest of the profile that it belongs to: another calibration begins anew
    """

    profile: str
    openings: int = 0
    mean: float = 0.0
    squares: float = 0.0
    fall: float = 0.0

    @property
    def sd(self) -> float:
        """The deviation of the first START openings, at least LEAST_SD."""
        count = min(self.openings, START)
        return max((self.squares / (count - 1)) ** 0.5 if count > 1 else 0.0, LEAST_SD)


def next_state(state: DriftState, score: float) -> DriftState:
    """One more opening with this score (0 to 1). Welford's mean and squares first, the cumulative sum afterwards."""
    count = state.openings + 1
    if count <= START:
        step = score - state.mean
        mean = state.mean + step / count
        return replace(state, openings=count, mean=mean, squares=state.squares + step * (score - mean))
    below = min((state.mean - score) / state.sd, MOST_FALL_SDS)
    return replace(state, openings=count, fall=max(state.fall + below - ALLOWANCE_SDS, 0.0))


def warning_of(state: DriftState, reference: float | None) -> str | None:
    """What people are told, or None. `reference`: mean score of passing pictures at calibration, if it is known."""
    advice = "clean the front window, then run 'focusgate calibrate verify'"
    if state.openings >= START and reference is not None and state.mean < reference - MOST_SETTLING_FALL:
        return (
            f"scores of open gates average {state.mean:.2f}, at calibration {reference:.2f}: the device no longer "
            f"behaves as calibrated; {advice}"
        )
    if state.fall > LIMIT_SDS:
        return f"scores of open gates have fallen over {state.openings} openings; {advice}"
    return None


@dataclass(frozen=True, slots=True)
class ChartMeasure:
    """One picture of the chart: MTF50 (cycles per px) in the middle, scale, and light (DN above black a µs)."""

    mtf50: float | None = None
    um_per_px: float | None = None
    light: float | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """One quantity then and now; `share` is the relative change, `allowed` its limit."""

    name: str
    then: float
    now: float
    share: float
    allowed: float

    @property
    def ok(self) -> bool:
        return abs(self.share) <= self.allowed


ALLOWED = {"mtf50": 0.10, "um_per_px": 0.02, "light": 0.25}
"""How far one picture of the chart may differ: resolution by a tenth, scale by what a distance set by hand leaves (1 mm
of 40 mm would be 2.5 %), light by what a lamp loses in half a year."""

WORDS = {"mtf50": "resolution (MTF50)", "um_per_px": "scale (µm per px)", "light": "light"}


def deviations(then: ChartMeasure, now: ChartMeasure) -> tuple[Deviation, ...]:
    """All quantities that both measured."""
    found = []
    for name, allowed in ALLOWED.items():
        before, after = getattr(then, name), getattr(now, name)
        if before and after is not None:
            found.append(Deviation(WORDS[name], before, after, after / before - 1.0, allowed))
    return tuple(found)
