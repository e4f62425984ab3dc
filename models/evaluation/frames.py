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
from models.focusmap import Bool, Cause, FieldOfView, FocusMap, TileGrid
from models.verdict import VerdictKind

OUT_BELOW = 0.80
"""Frames with less than this truly in focus must not open the gate."""

IN_ABOVE = 0.97
"""Frames with more than this truly in focus must not be refused."""

Z_COVERED = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

RATIOS = (0.0, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, math.inf)
"""Edges of the bins of true blur radius over criterion."""


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """One frame's truth and what the model made of it. Tiles are those of the field of view.

    seed, number, at_ns   which world, which of its frames, and when it was exposed
    conditions            what may explain an error, by name with its unit
    true_tiles            truly in focus; `true_strict` and `true_loose` at the two ends of what the truth leaves open
    true_judged_tiles     truly in focus among the judged
    causes                tiles by `Cause`
    called                per bin of RATIOS: judged tiles, and those called in focus
    whole                 the same frame if only tiles wholly within the field counted; None where there are none
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
    whole: JudgedFrame | None = None

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


def wholly_inside(field: FieldOfView, grid: TileGrid) -> Bool:
    """True for tiles of which even the farthest corner lies in the field; shape (rows, columns).

    The product counts a tile if its centre lies inside; of the others part is dark, and the field's rim runs through.
    """
    x, y = grid.centres()
    far_x, far_y = np.abs(x - field.centre_x_px) + grid.width / 2, np.abs(y - field.centre_y_px) + grid.height / 2
    return np.asarray(far_x**2 + far_y**2 <= field.radius_px**2, np.bool_)


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
