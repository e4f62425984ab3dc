"""From a model's raw scores to a FocusMap: pure arithmetic on a few hundred tiles, checked before it is believed.

The blur radius of a tile is a random variable R. The model gives C(e) = P(R <= e) at the manifest's edges e_1 < … <
e_K. Between them C is taken as piecewise linear, with two more knots: C(0) = 0, and C(TAIL·e_K) = 1 (what is blurred
beyond the last edge is spread evenly up to TAIL times it; beyond that everything counts as within). Then

    p_in_focus = C(criterion),     blur_px = the radius at which C first reaches 1/2 (the median of R).

Both are exact at the edges, C is monotone, and so is p_in_focus in the criterion.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.classifier import Judging
from models.errors import InputError, ModelError
from models.focusmap import Bool, Cause, FieldOfView, Float32, FocusMap, TileGrid
from models.manifest import OUTPUT_NAMES, Manifest

TAIL = 2.0
"""The radius by which C reaches 1, as a multiple of the last edge. A convention: only the order matters out there."""

ROUNDING = 1e-5
"""How far a cumulative may fall, or leave 0 to 1, by float32 rounding in the model's last layers."""

FULL_SCALE = 255.0

HALF = np.float32(0.5)
CERTAIN = 1e-6
"""As near as a probability comes to 0 or 1 before its odds are taken."""

TINY = np.float32(1e-12)
"""Stands in for a step of zero: what C does not climb, it either spends below 1/2 or not."""


grid_of = lru_cache(maxsize=8)(TileGrid.of)
"""`TileGrid.of`, remembered: a camera's frames have one size."""


@lru_cache(maxsize=8)
def knots_px(edges_px: tuple[float, ...]) -> Float32:
    """The radii at which C is known: 0, the edges, TAIL times the last edge; float32 of shape (K + 2,), read-only."""
    knots = np.array([0.0, *edges_px, TAIL * edges_px[-1]], np.float32)
    knots.flags.writeable = False
    return knots


def knots_of(cumulative: Float32) -> tuple[Float32, Float32]:
    """C at `knots_px`, shape (rows, columns, K + 2), and its steps, shape (rows, columns, K + 1).

    `cumulative` is the model's, shape (rows, columns, K). Rounding (at most ROUNDING) is taken out, so that the result
    lies in 0 to 1 and never falls. Raises ModelError if more than rounding is wrong: the steps from 0 at radius 0 to 1
    at the last knot are all positive only if every value is a number, within 0 to 1, and no less than the one before.
    """
    rows, columns, edges = cumulative.shape
    values = np.empty((rows, columns, edges + 2), np.float32)
    values[..., 0] = 0.0
    values[..., 1:-1] = cumulative
    values[..., -1] = 1.0
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, and refused below
        steps = values[..., 1:] - values[..., :-1]
    smallest = float(np.minimum.reduce(steps, axis=None))
    if not smallest >= -ROUNDING:  # NaN fails every comparison
        raise ModelError(_no_distribution(cumulative))
    if smallest < 0.0:
        np.clip(values, 0.0, 1.0, out=values)
        np.maximum.accumulate(values, axis=-1, out=values)
        steps = values[..., 1:] - values[..., :-1]
    return values, steps


def _no_distribution(cumulative: Float32) -> str:
    lowest, highest = float(cumulative.min()), float(cumulative.max())
    if lowest >= -ROUNDING and highest <= 1.0 + ROUNDING:
        return "the model gave cumulative probabilities that fall with the radius; gate stays closed"
    return f"the model gave cumulative from {lowest:.4g} to {highest:.4g}; allowed: 0 to 1; gate stays closed"


def probability_within(values: Float32, radii_px: Float32, radius_px: float) -> Float32:
    """C(radius_px) per tile, in 0 to 1, from `knots_of` and `knots_px`; `radius_px` must not be negative."""
    if radius_px >= float(radii_px[-1]):
        return np.ones(values.shape[:2], np.float32)
    right = int(np.searchsorted(radii_px, radius_px, side="right"))
    left = right - 1
    if radius_px == radii_px[left]:  # at an edge, as the criterion mostly is
        return values[..., left].copy()
    share = np.float32((radius_px - float(radii_px[left])) / float(radii_px[right] - radii_px[left]))
    below, above = values[..., left], values[..., right]
    between: Float32 = np.minimum(below + share * (above - below), above)
    return between


def tempered(p: Float32, temperature: float) -> Float32:
    """sigmoid(logit(p) / temperature), float32, where that is not 1 (Guo et al., ICML 2017): a device's own scale."""
    if temperature == 1.0:
        return p
    held = np.clip(p.astype(np.float64), CERTAIN, 1.0 - CERTAIN)
    odds = np.log(held) - np.log1p(-held)
    scaled: Float32 = (1.0 / (1.0 + np.exp(-odds / temperature))).astype(np.float32)
    return scaled


def median_radius(values: Float32, steps: Float32, radii_px: Float32) -> Float32:
    """The smallest radius (px) at which C reaches 1/2, per tile, from `knots_of` and `knots_px`.

    It is the sum over the intervals between knots of the share of each that C spends below 1/2: all of it before the
    median, none of it after, and in between (1/2 - C) / step.
    """
    share = (HALF - values[..., :-1]) / np.maximum(steps, TINY)
    np.minimum(share, 1.0, out=share)
    np.maximum(share, 0.0, out=share)
    share *= radii_px[1:] - radii_px[:-1]
    radius: Float32 = np.add.reduce(share, axis=-1)
    return radius


def check_scores(outputs: Sequence[object], grid: TileGrid, edges: int) -> tuple[Float32, Float32, Float32, Float32]:
    """The four outputs (`OUTPUT_NAMES`), if they are scores. A lie is worse than silence (hazard H07).

    Raises ModelError if one is missing, of a wrong shape or dtype, or if any but the cumulative probabilities, which
    `knots_of` looks at, is not finite or out of range.
    """
    if len(outputs) != len(OUTPUT_NAMES):
        raise ModelError(f"the model gave {len(outputs)} outputs where {len(OUTPUT_NAMES)} were due; gate stays closed")
    checked: list[Float32] = []
    tiles = (grid.rows, grid.columns)
    for name, output, shape in zip(OUTPUT_NAMES, outputs, ((*tiles, edges), tiles, tiles, tiles), strict=True):
        if not isinstance(output, np.ndarray) or output.shape != shape or output.dtype != np.float32:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise ModelError(f"the model gave {name} as {found} where float32 {shape} was due; gate stays closed")
        checked.append(output)
    cumulative, detectable, mean_luma, saturated = checked
    shares = np.concatenate([detectable.ravel(), saturated.ravel(), mean_luma.ravel() / FULL_SCALE])
    # one look at all three, as most frames are right; NaN passes through the reductions and fails both comparisons
    if not (np.minimum.reduce(shares) >= -ROUNDING and np.maximum.reduce(shares) <= 1.0 + ROUNDING):
        raise ModelError(_out_of_range(detectable, mean_luma, saturated))
    return cumulative, detectable, mean_luma, saturated


def _out_of_range(*outputs: Float32) -> str:
    """Which output it is, and how far out."""
    for name, output in zip(OUTPUT_NAMES[1:], outputs, strict=True):
        top = FULL_SCALE if name == "mean_luma" else 1.0
        lowest, highest = float(output.min()), float(output.max())
        if not (lowest >= -ROUNDING * top and highest <= top * (1.0 + ROUNDING)):
            break
    return f"the model gave {name} from {lowest:.4g} to {highest:.4g}; allowed: 0 to {top:g}; gate stays closed"


def causes_of(
    scores: tuple[Float32, Float32, Float32], grid: TileGrid, manifest: Manifest, judging: Judging
) -> NDArray[np.uint8]:
    """Why each tile is not judged (`Cause`, uint8); of several reasons OUTSIDE > DARK > GLARE > NO_DETAIL is given.

    `scores`: detectable, mean luma and saturated share of the tiles.
    """
    detectable, mean_luma, saturated = scores
    cause = np.full(detectable.shape, Cause.JUDGED, np.uint8)
    cause[detectable < manifest.min_detectable] = Cause.NO_DETAIL
    cause[saturated > manifest.glare_share] = Cause.GLARE
    cause[mean_luma < max(manifest.dark_luma, judging.dark_luma)] = Cause.DARK
    if judging.field is not None:
        cause[~_inside(judging.field, grid)] = Cause.OUTSIDE
    return cause


@lru_cache(maxsize=8)
def _inside(field: FieldOfView, grid: TileGrid) -> Bool:
    return field.mask(grid)


def limits(judging: Judging, manifest: Manifest) -> tuple[float, float]:
    """Criterion (px) and threshold in force: the caller's, else the manifest's.

    Raises InputError if the criterion is not above 0 and within TAIL times the last edge, or the threshold not
    within 0 to 1.
    """
    criterion_px = manifest.criterion_px if judging.criterion_px is None else judging.criterion_px
    threshold = manifest.threshold if judging.threshold is None else judging.threshold
    largest_px = TAIL * manifest.edges_px[-1]
    if not 0.0 < criterion_px <= largest_px:
        raise InputError(
            f"criterion of {criterion_px:g} px: model {manifest.name} knows radii above 0 to {largest_px:g} px; "
            "choose one of these"
        )
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"threshold {threshold:g}: allowed are probabilities above 0 to 1")
    if not judging.temperature > 0.0:
        raise InputError(f"temperature {judging.temperature:g}: allowed are numbers above 0")
    return criterion_px, threshold


def focus_map_of(
    outputs: Sequence[object],
    grid: TileGrid,
    manifest: Manifest,
    judging: Judging,
    *,
    frame_id: int = 0,
    exposed_ns: int = 0,
) -> FocusMap:
    """The map of one frame from the model's raw `outputs`, in the order of `OUTPUT_NAMES`.

    Raises ModelError as `check_scores`, InputError as `limits`.
    """
    criterion_px, threshold = limits(judging, manifest)
    cumulative, detectable, mean_luma, saturated = check_scores(outputs, grid, len(manifest.edges_px))
    radii_px = knots_px(manifest.edges_px)
    values, steps = knots_of(cumulative)
    return FocusMap(
        grid=grid,
        blur_px=median_radius(values, steps, radii_px),
        p_in_focus=tempered(probability_within(values, radii_px, criterion_px), judging.temperature),
        cause=causes_of((detectable, mean_luma, saturated), grid, manifest, judging),
        criterion_px=criterion_px,
        threshold=threshold,
        model_name=manifest.name,
        model_sha256=manifest.sha256,
        frame_id=frame_id,
        exposed_ns=exposed_ns,
        min_judged_percent=judging.min_judged_percent,
    )
