"""Scores of labelled squares, by the model and by the classical measures, each image read and judged once.

Squares of a data set seldom coincide with the model's tiles. A square's p_in_focus is therefore the mean over the
judged tiles that it overlaps, each weighted by the area of the overlap. If less than MIN_JUDGED_SHARE of the square's
own area is covered by judged tiles, the answer is "cannot judge". With `crops`, the square is instead cut out, centred
to whole tiles, and judged as an image of its own: nothing of its surroundings is seen, as in the classical measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.baselines.runtime import Baseline
from models.classifier import Classifier, Judging
from models.errors import InputError
from models.evaluation.datasets import Label, Square, by_image
from models.focusmap import Bool, FocusMap, Luma
from models.images import read_luma
from models.sharpness import MEASURES
from models.verdict import VerdictKind, verdict_of

MIN_JUDGED_SHARE = 0.4
"""As for a frame: with less than 40 % judged there is no verdict."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AtCriterion:
    """The answers if in focus means a blur radius of at most `criterion_px`; one for each square.

    p_judged  as in `Scored`
    verdicts  of whole images, by the product's own rule (`models.verdict`); None for squares of a larger image
    """

    criterion_px: float
    p_judged: Scores
    verdicts: list[VerdictKind | None]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """All squares with their scores; arrays of shape (n,).

    p_judged    p_in_focus over judged tiles; NaN where the answer is "cannot judge"
    p_any       p_in_focus over all tiles, whatever the cause; NaN where no tile lies within the square
    blur_px     blur radius over the tiles of p_judged
    classical   score per classical measure, of the square's own pixels
    at          the answers at several criteria, rising, the one in force among them
    baselines   p in focus per network of others, of the square's own pixels; NaN where it is smaller than their input
    """

    squares: tuple[Square, ...]
    p_judged: Scores
    p_any: Scores
    blur_px: Scores
    classical: dict[str, Scores]
    criterion_px: float
    threshold: float
    at: tuple[AtCriterion, ...] = ()
    baselines: dict[str, Scores] = field(default_factory=dict)

    @property
    def sharp(self) -> Bool:
        """True for squares labelled in focus."""
        return np.array([square.label is Label.IN for square in self.squares], np.bool_)

    @property
    def mixed(self) -> Bool:
        """True for squares of neither class."""
        return np.array([square.label is Label.MIXED for square in self.squares], np.bool_)

    @property
    def judged(self) -> Bool:
        """True where the model gives an answer."""
        return np.isfinite(self.p_judged)


def score_squares(
    squares: tuple[Square, ...],
    classifier: Classifier,
    judging: Judging,
    *,
    crops: bool = False,
    criteria_px: Sequence[float] = (),
    baselines: Sequence[Baseline] = (),
    on_image: Callable[[Path], None] = lambda _: None,
) -> Scored:
    """Judge every square, at the criterion in force and at `criteria_px`; `on_image` is called before an image is read.

    Raises InputError if an image cannot be read, is smaller than a tile, or does not hold its squares.
    """
    count = len(squares)
    p_judged, p_any, blur_px = (np.full(count, np.nan) for _ in range(3))
    classical = {name: np.full(count, np.nan) for name in MEASURES}
    others = {baseline.title: np.full(count, np.nan) for baseline in baselines}
    threshold = float("nan")
    criterion_px = classifier.criterion_px if judging.criterion_px is None else judging.criterion_px
    at = tuple(
        AtCriterion(each, np.full(count, np.nan), [None] * count) for each in sorted({criterion_px, *criteria_px})
    )

    def judge(luma: Luma) -> list[FocusMap]:
        return [classifier.judge(luma, replace(judging, criterion_px=each.criterion_px)) for each in at]

    in_force = [each.criterion_px for each in at].index(criterion_px)
    for path, positions in by_image(squares).items():
        on_image(path)
        luma = read_luma(path).luma
        whole = None if crops else judge(luma)
        for position in positions:
            square = squares[position]
            cut = pixels_of(luma, square)
            found = whole
            if found is None:
                centred = centred_tiles(cut, classifier.tile_px)
                if centred is not None:
                    found = judge(centred)
            if found is not None:
                shown = found[in_force]
                threshold = shown.threshold
                weights = np.ones(shown.cause.shape) if crops else overlap_px2(shown, square, luma.shape)
                area = float(weights.size if crops else cut.size)
                p_judged[position], blur_px[position] = over_judged(shown, weights, area)
                p_any[position] = weighted_mean(shown.p_in_focus, weights)
                for each, there in zip(at, found, strict=True):
                    each.p_judged[position] = over_judged(there, weights, area)[0]
                    each.verdicts[position] = verdict_of(there).kind if square.size is None else None
            for name, measure in MEASURES.items():
                tile_px = square.size or classifier.tile_px
                classical[name][position] = float(measure(cut, tile_px).mean())
            for baseline in baselines:
                others[baseline.title][position] = baseline.score(cut)
    return Scored(squares, p_judged, p_any, blur_px, classical, criterion_px, threshold, at, others)


def pixels_of(luma: Luma, square: Square) -> Luma:
    """The square's own pixels. Raises InputError if it does not lie within the image."""
    if square.size is None:
        return luma
    height, width = luma.shape
    if square.x + square.size > width or square.y + square.size > height:
        raise InputError(
            f"{square.path}: a square of {square.size} px at ({square.x}, {square.y}) leaves the image of "
            f"{width}×{height} px; mend the table of labels"
        )
    return luma[square.y : square.y + square.size, square.x : square.x + square.size]


def centred_tiles(cut: Luma, tile_px: int) -> Luma | None:
    """The largest piece of whole tiles in the middle of `cut`; None if there is no room for one."""
    height, width = (side - side % tile_px for side in cut.shape)
    if not height or not width:
        return None
    top, left = (cut.shape[0] - height) // 2, (cut.shape[1] - width) // 2
    return cut[top : top + height, left : left + width]


def overlap_px2(found: FocusMap, square: Square, shape: tuple[int, ...]) -> Scores:
    """Area (px²) that each tile has in common with the square, shape (rows, columns)."""
    grid = found.grid
    height, width = (square.size, square.size) if square.size is not None else shape

    def along(start: int, length: int, tile_px: int, count: int) -> Scores:
        edges = np.arange(count) * tile_px
        common = np.minimum(edges + tile_px, start + length) - np.maximum(edges, start)
        inside: Scores = np.maximum(common, 0.0)
        return inside

    rows = along(square.y, height, grid.height, grid.rows)
    columns = along(square.x, width, grid.width, grid.columns)
    areas: Scores = rows[:, None] * columns
    return areas


def weighted_mean(values: NDArray[np.float32], weights: Scores) -> float:
    """Mean with weights; NaN if they are all zero."""
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total > 0.0 else float("nan")


def over_judged(found: FocusMap, weights: Scores, area: float) -> tuple[float, float]:
    """p_in_focus and blur radius (px) over the judged tiles; NaN if these cover too little of `area`."""
    judged = weights * found.judged
    if judged.sum() < MIN_JUDGED_SHARE * area:
        return float("nan"), float("nan")
    return weighted_mean(found.p_in_focus, judged), weighted_mean(found.blur_px, judged)
