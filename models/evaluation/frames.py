"""Whole frames against the truth: how far the in-focus fraction is out, and how often the verdict is wrong.

The truth of a tile is whether its blur radius is at most the criterion. Two true fractions are kept apart:

    true_fraction         over all tiles of the field, whether anything could be judged in them or not
    true_judged_fraction  over the tiles that the model judged, the denominator of its own fraction

Rates have Wilson intervals in which the frames of one scene count as one (they are alike, so this errs towards wide);
means have bootstrap intervals over scenes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import RESAMPLES, SEED, interval
from models.focusmap import Bool, Cause, FocusMap
from models.verdict import VerdictKind

OUT_BELOW = 0.80
"""Frames with less than this truly in focus must not open the gate."""

IN_ABOVE = 0.97
"""Frames with more than this truly in focus must not be refused."""

Z_COVERED = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

RATIOS = (0.0, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, math.inf)
"""Edges of the bins of true blur radius over criterion."""

PARTS = 3


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """One frame's truth and what the model made of it. Tiles are those of the field of view.

    seed, number, at_ns   which world, which of its frames, and when it was exposed
    conditions            what may explain an error, by name with its unit
    true_tiles            truly in focus; `true_strict` and `true_loose` at the two ends of what the truth leaves open
    true_judged_tiles     truly in focus among the judged
    causes                tiles by `Cause`
    called                per bin of RATIOS: judged tiles, and those called in focus
    """

    seed: int
    number: int
    at_ns: int
    conditions: Mapping[str, float]
    field_tiles: int
    judged_tiles: int
    in_focus: int
    true_tiles: int
    true_strict: int
    true_loose: int
    true_judged_tiles: int
    verdict: VerdictKind
    cause: Cause
    causes: tuple[int, ...]
    called: tuple[tuple[int, int], ...]

    @property
    def can_judge(self) -> bool:
        return self.verdict is not VerdictKind.CANNOT_JUDGE

    @property
    def opens(self) -> bool:
        return self.verdict is VerdictKind.PASS

    @property
    def true_fraction(self) -> float:
        return self.true_tiles / self.field_tiles

    @property
    def true_judged_fraction(self) -> float:
        """NaN where nothing was judged."""
        return self.true_judged_tiles / self.judged_tiles if self.judged_tiles else math.nan

    @property
    def estimated(self) -> float:
        """NaN where nothing was judged."""
        return self.in_focus / self.judged_tiles if self.judged_tiles else math.nan

    @property
    def error(self) -> float:
        """Estimated less true fraction; NaN where nothing was judged."""
        return self.estimated - self.true_fraction

    @property
    def judged_error(self) -> float:
        """The same against the truth of the judged tiles only."""
        return self.estimated - self.true_judged_fraction

    @property
    def sure_error(self) -> float:
        """How far the estimate lies outside everything that the truth leaves open."""
        low, high = self.true_strict / self.field_tiles, self.true_loose / self.field_tiles
        return self.estimated - min(max(self.estimated, low), high)


def counted(
    found: FocusMap, blur_px: NDArray[np.float64], inside: Bool, tolerance: float
) -> dict[str, int | tuple[int, ...] | tuple[tuple[int, int], ...]]:
    """The counts of a JudgedFrame, by field name, from a map and the true blur radii (px) on the same grid.

    `tolerance` is the share by which the true radii may be out.
    """
    judged, ratio = found.judged & inside, blur_px / found.criterion_px
    sharp = ratio <= 1.0
    place = np.clip(np.searchsorted(RATIOS, ratio, side="left") - 1, 0, len(RATIOS) - 2)
    return {
        "field_tiles": int(inside.sum()),
        "judged_tiles": found.judged_tiles,
        "in_focus": found.in_focus,
        "true_tiles": int((sharp & inside).sum()),
        "true_strict": int(((ratio <= 1.0 - tolerance) & inside).sum()),
        "true_loose": int(((ratio <= 1.0 + tolerance) & inside).sum()),
        "true_judged_tiles": int((sharp & judged).sum()),
        "causes": tuple(int(((found.cause == cause) & inside).sum()) for cause in Cause),
        "called": tuple(
            (int((judged & (place == number)).sum()), int((found.sharp & (place == number)).sum()))
            for number in range(len(RATIOS) - 1)
        ),
    }


def wilson(wrong: float, of: float) -> tuple[float, float] | None:
    """95 % interval of a rate (Wilson 1927); None if there is nothing to count."""
    if of <= 0:
        return None
    share, z2 = wrong / of, Z_COVERED**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_COVERED / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(frozen=True, slots=True)
class Rate:
    """`wrong` of `of` frames from `scenes` scenes; `rate` and `interval` are None where there are none."""

    wrong: int
    of: int
    scenes: int
    rate: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over `of` frames; None where there are none."""

    of: int
    mean: float | None
    interval: tuple[float, float] | None


Test = Callable[[JudgedFrame], bool]


def rate_of(frames: Sequence[JudgedFrame], wrong: Test, among: Test = lambda _: True) -> Rate:
    """How many of the frames `among` are `wrong`."""
    concerned = [frame for frame in frames if among(frame)]
    count, scenes = sum(map(wrong, concerned)), len({frame.seed for frame in concerned})
    if not concerned:
        return Rate(0, 0, 0, None, None)
    share = count / len(concerned)
    return Rate(count, len(concerned), scenes, share, wilson(share * scenes, scenes))


def mean_of(frames: Sequence[JudgedFrame], value: Callable[[JudgedFrame], float]) -> Mean:
    """Mean of a value over the frames that can be judged, with its bootstrap interval if there are two scenes."""
    kept = [frame for frame in frames if frame.can_judge]
    if not kept:
        return Mean(0, None, None)
    values = np.array([value(frame) for frame in kept])
    _, scene = np.unique([frame.seed for frame in kept], return_inverse=True)
    sums, sizes = np.bincount(scene, values), np.bincount(scene)
    if sizes.size < 2:  # one scene tells nothing about others
        return Mean(len(kept), float(values.mean()), None)
    rng = np.random.default_rng(SEED)
    drawn = (rng.integers(0, sizes.size, sizes.size) for _ in range(RESAMPLES))
    between = interval([float(sums[scenes].sum() / sizes[scenes].sum()) for scenes in drawn])
    return Mean(len(kept), float(values.mean()), between)


def means_of(frames: Sequence[JudgedFrame]) -> dict[str, Mean]:
    """Errors of the in-focus fraction, all over the frames that can be judged."""
    return {
        "error": mean_of(frames, lambda frame: abs(frame.error)),
        "bias": mean_of(frames, lambda frame: frame.error),
        "judged_error": mean_of(frames, lambda frame: abs(frame.judged_error)),
        "judged_bias": mean_of(frames, lambda frame: frame.judged_error),
        "sure_error": mean_of(frames, lambda frame: abs(frame.sure_error)),
    }


def rates_of(frames: Sequence[JudgedFrame]) -> dict[str, Rate]:
    """False openings and refusals.

    false_open            true fraction below OUT_BELOW, and opens
    false_open_judged     the same by the truth of the judged tiles
    false_open_sure       the same by the loosest truth: out of focus whatever the truth leaves open
    false_refuse          true fraction above IN_ABOVE, and does not open, for whatever reason
    false_refuse_judged   … among those that can be judged
    false_refuse_sure     … and by the strictest truth
    cannot_judge          frames without a verdict
    """

    def sharp(frame: JudgedFrame) -> bool:
        return frame.true_fraction > IN_ABOVE

    def shut(frame: JudgedFrame) -> bool:
        return not frame.opens

    return {
        "false_open": rate_of(frames, lambda f: f.opens, lambda f: f.true_fraction < OUT_BELOW),
        "false_open_judged": rate_of(frames, lambda f: f.opens, lambda f: f.true_judged_fraction < OUT_BELOW),
        "false_open_sure": rate_of(frames, lambda f: f.opens, lambda f: f.true_loose < OUT_BELOW * f.field_tiles),
        "false_refuse": rate_of(frames, shut, sharp),
        "false_refuse_judged": rate_of(frames, shut, lambda f: f.can_judge and sharp(f)),
        "false_refuse_sure": rate_of(frames, shut, lambda f: f.can_judge and f.true_strict > IN_ABOVE * f.field_tiles),
        "cannot_judge": rate_of(frames, lambda f: not f.can_judge),
    }


@dataclass(frozen=True, slots=True)
class Part:
    """Figures of some of the frames; `low` and `high` are the smallest and largest value of what divides them."""

    name: str
    low: float
    high: float
    frames: int
    means: dict[str, Mean]
    rates: dict[str, Rate]


def part_of(name: str, values: Sequence[float], frames: Sequence[JudgedFrame]) -> Part:
    """The figures of these frames, at least one, whose dividing values are `values`."""
    return Part(name, min(values), max(values), len(frames), means_of(frames), rates_of(frames))


def by_condition(frames: Sequence[JudgedFrame], name: str) -> list[Part]:
    """The frames in thirds of a condition; frames of equal value stay together, so that thirds may be unequal."""
    values = np.array([frame.conditions[name] for frame in frames])
    cuts = np.quantile(values, [part / PARTS for part in range(1, PARTS)], method="lower")
    third = np.searchsorted(cuts, values, side="left")
    return [
        part_of(name, [float(values[position]) for position in chosen], [frames[position] for position in chosen])
        for number in range(PARTS)
        if (chosen := np.flatnonzero(third == number).tolist())
    ]


def by_truth(frames: Sequence[JudgedFrame]) -> list[Part]:
    """The frames in bands of the true fraction: 0, up to 50 %, below 80 %, below 90 %, up to 97 %, more."""

    def band(share: float) -> int:
        if share == 0.0:
            return 0
        limits = (share > 0.5, share >= OUT_BELOW, share >= 0.9, share > IN_ABOVE)
        return 1 + sum(limits)

    shares = [frame.true_fraction for frame in frames]
    bands = np.array([band(share) for share in shares])
    return [
        part_of("true fraction", [shares[position] for position in chosen], [frames[position] for position in chosen])
        for number in range(bands.max() + 1)
        if (chosen := np.flatnonzero(bands == number).tolist())
    ]


def by_blur(frames: Sequence[JudgedFrame]) -> list[tuple[float, float, int, float | None]]:
    """Per bin of true blur over criterion: its edges, the judged tiles in it, and the share called in focus."""
    totals = np.array([frame.called for frame in frames]).sum(axis=0)
    return [
        (low, high, int(judged), float(sharp / judged) if judged else None)
        for low, high, (judged, sharp) in zip(RATIOS[:-1], RATIOS[1:], totals, strict=True)
    ]


def worst_errors(frames: Sequence[JudgedFrame], count: int) -> list[JudgedFrame]:
    """The judged frames whose fraction is farthest out, worst first, one to a scene.

    By `sure_error`: where the truth itself hangs by a thread, there is nothing to learn from a picture.
    """
    ordered = sorted((f for f in frames if f.can_judge), key=lambda f: (-abs(f.sure_error), f.seed, f.number))
    first = {frame.seed: frame for frame in reversed(ordered)}
    return [frame for frame in ordered if first[frame.seed] is frame][:count]


def false_opens(frames: Sequence[JudgedFrame], count: int) -> list[JudgedFrame]:
    """The frames that open though out of focus, the least sharp first."""
    wrong = (frame for frame in frames if frame.opens and frame.true_fraction < OUT_BELOW)
    return sorted(wrong, key=lambda f: (f.true_fraction, f.seed, f.number))[:count]
