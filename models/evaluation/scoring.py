"""Scores of labelled squares, by the model and by the classical measures, each image read and judged once.

Squares of a data set seldom coincide with the model's tiles. A square's p_in_focus is therefore the mean over the
judged tiles that it overlaps, each weighted by the area of the overlap. If less than MIN_JUDGED_SHARE of the square's
own area is covered by judged tiles, the answer is "cannot judge". With `crops`, the square is instead cut out, centred
to whole tiles, and judged as an image of its own: nothing of its surroundings is seen, as in the classical measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier, Judging
from models.errors import InputError
from models.evaluation.datasets import Label, Square, by_image
from models.focusmap import Bool, FocusMap, Luma
from models.images import read_luma
from models.sharpness import MEASURES

MIN_JUDGED_SHARE = 0.4
"""As for a frame: with less than 40 % judged there is no verdict."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """All squares with their scores; arrays of shape (n,).

    p_judged    p_in_focus over judged tiles; NaN where the answer is "cannot judge"
    p_any       p_in_focus over all tiles, whatever the cause; NaN where no tile lies within the square
    blur_px     blur radius over the tiles of p_judged
    classical   score per classical measure, of the square's own pixels
    """

    squares: tuple[Square, ...]
    p_judged: Scores
    p_any: Scores
    blur_px: Scores
    classical: dict[str, Scores]
    criterion_px: float
    threshold: float

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
    on_image: Callable[[Path], None] = lambda _: None,
) -> Scored:
    """Judge every square. `on_image` is called before each image is read.

    Raises InputError if an image cannot be read, is smaller than a tile, or does not hold its squares.
    """
    count = len(squares)
    p_judged, p_any, blur_px = (np.full(count, np.nan) for _ in range(3))
    classical = {name: np.full(count, np.nan) for name in MEASURES}
    criterion_px = threshold = float("nan")
    for path, positions in by_image(squares).items():
        on_image(path)
        luma = read_luma(path).luma
        whole = None if crops else classifier.judge(luma, judging)
        for position in positions:
            square = squares[position]
            cut = pixels_of(luma, square)
            found = whole
            if found is None:
                centred = centred_tiles(cut, classifier.tile_px)
                if centred is not None:
                    found = classifier.judge(centred, judging)
            if found is not None:
                criterion_px, threshold = found.criterion_px, found.threshold
                weights = np.ones(found.cause.shape) if crops else overlap_px2(found, square, luma.shape)
                area = float(weights.size if crops else cut.size)
                p_judged[position], blur_px[position] = over_judged(found, weights, area)
                p_any[position] = weighted_mean(found.p_in_focus, weights)
            for name, measure in MEASURES.items():
                tile_px = square.size or classifier.tile_px
                classical[name][position] = float(measure(cut, tile_px).mean())
    return Scored(squares, p_judged, p_any, blur_px, classical, criterion_px, threshold)


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
