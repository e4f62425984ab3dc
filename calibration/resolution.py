"""Resolution over the field: the MTF of every edge of the board in one picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from calibration.charts.board import EDGE_ANGLE_DEG, FINE_BOARD, Board
from calibration.charts.layout import turned
from calibration.faults import BlurredChartError, NoEdgeError, UprightChartError
from calibration.field import FoundField
from calibration.scale import UM_PER_MM, ChartView
from calibration.slanted_edge import LEAST_SLANT_DEG, MOST_SLANT_DEG, blur_px_of, edge_mtf
from models.focusmap import FieldOfView, TileGrid

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ALONG_SHARE = 0.36
"""An edge is used over so much of a square's side to both sides of its middle: corners are left out."""

ACROSS_SHARE = 0.22
"""… and so far across: the marker begins at a quarter of the side."""

LONGEST_HALF_PX, WIDEST_HALF_PX = 60.0, 30.0
WITHIN_FIELD = 0.96
LEAST_EDGES = 6
LEAST_LIGHT_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class EdgePoint:
    """What one edge shows: where (px), MTF50 (cycles per px), blur (radius of the equivalent disc, px), which way the
    edge runs (True: nearly upright)."""

    x_px: float
    y_px: float
    mtf50: float
    blur_px: float
    upright: bool


def edges_of_chart(
    even: Float32,
    view: ChartView,
    field: FieldOfView | FoundField,
    board: Board = FINE_BOARD,
    most: int | None = None,
) -> tuple[EdgePoint, ...]:
    """The MTF of every usable edge in a picture less its dark level and divided by its flat field (`flat.evened`).

    even   float32 (height, width), linear
    most   measure only so many edges, spread over the field; None: all
    Raises UprightChartError if the edges are not slanted, BlurredChartError if too few can be measured.
    """
    slant_deg = (view.rotation_deg + EDGE_ANGLE_DEG + 45) % 90 - 45
    if not LEAST_SLANT_DEG <= abs(slant_deg) <= MOST_SLANT_DEG:
        raise UprightChartError(
            f"the chart's edges are slanted by {slant_deg:.1f}° in the picture, {LEAST_SLANT_DEG} to "
            f"{MOST_SLANT_DEG:.0f}° is needed; turn the page so that its border runs along the picture's"
        )
    found = tuple(islice(_measured(even, view, field, board), most))
    if len(found) < LEAST_EDGES:
        raise BlurredChartError(
            f"only {len(found)} edges of the chart can be measured, at least {LEAST_EDGES} are needed; bring the chart "
            "into focus, light it evenly and let it fill the field"
        )
    return _without_outliers(found)


def _measured(even: Float32, view: ChartView, field: FieldOfView | FoundField, board: Board) -> Iterator[EdgePoint]:
    side_px = board.square_mm * UM_PER_MM / view.um_per_px
    along = min(ALONG_SHARE * side_px, LONGEST_HALF_PX)
    across = min(ACROSS_SHARE * side_px, WIDEST_HALF_PX)
    height, width = even.shape
    middles_mm, upright = _edge_middles(board)
    places = view.to_pixels(middles_mm)
    away = np.hypot(places[:, 0] - field.centre_x_px, places[:, 1] - field.centre_y_px)
    inside = np.flatnonzero(away <= WITHIN_FIELD * field.radius_px - max(along, across))
    for number in np.random.default_rng(0).permutation(inside):  # whatever is taken first is spread over the field
        x, y = places[number]
        half_x, half_y = (across, along) if upright[number] else (along, across)
        left, top = round(x - half_x), round(y - half_y)
        right, bottom = round(x + half_x), round(y + half_y)
        if left < 0 or top < 0 or right > width or bottom > height:
            continue
        try:
            found = edge_mtf(even[top:bottom, left:right])
        except NoEdgeError:
            continue  # a hand, a reflection or the dark side: the other edges tell
        blur_px = blur_px_of(found.frequency, found.modulation)
        yield EdgePoint(float(x), float(y), found.mtf50, blur_px, bool(upright[number]))


def _edge_middles(board: Board) -> tuple[Float64, NDArray[np.bool_]]:
    """Middles of all edges on the page, mm about the board's middle, float64 (N, 2), and which of them are upright."""
    side = board.square_mm
    columns, rows = np.meshgrid(np.arange(1, board.columns), np.arange(board.rows) + 0.5)
    standing = np.stack([columns.ravel() * side, rows.ravel() * side], axis=1) - board.centre_mm
    columns, rows = np.meshgrid(np.arange(board.columns) + 0.5, np.arange(1, board.rows))
    level = np.stack([columns.ravel() * side, rows.ravel() * side], axis=1) - board.centre_mm
    middles = turned(np.concatenate([standing, level]), EDGE_ANGLE_DEG)
    return middles, np.arange(len(middles)) < len(standing)


def _without_outliers(points: tuple[EdgePoint, ...]) -> tuple[EdgePoint, ...]:
    """Less the edges that differ wildly from a paraboloid through the others: dust, creases, reflections."""
    blur = np.array([point.blur_px for point in points])
    fitted = surface_at(surface_of(points), np.array([[p.x_px, p.y_px] for p in points]), points)
    away = np.abs(blur - fitted)
    limit = max(5 * float(np.median(away)), 0.25 * float(np.median(blur)))
    return tuple(point for point, off in zip(points, away, strict=True) if off <= limit)


def _terms(places: Float64, centre: Float64, scale: float) -> Float64:
    u, v = ((places - centre) / scale).T
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)


def _frame(points: Iterable[EdgePoint]) -> tuple[Float64, float]:
    places = np.array([[point.x_px, point.y_px] for point in points])
    return places.mean(axis=0), max(float(places.std()), 1.0)


def surface_of(points: tuple[EdgePoint, ...]) -> Float64:
    """A paraboloid through the squared blur radii over the field (6 coefficients), robust; float64 (6,).

    Squares, because variances of blurs add: near the best focus the square is smooth where the radius is not.
    """
    centre, scale = _frame(points)
    terms = _terms(np.array([[point.x_px, point.y_px] for point in points]), centre, scale)
    if len(points) < 2 * terms.shape[1]:
        terms[:, 1:] = 0.0  # too few for a shape: their mean
    square = np.array([point.blur_px for point in points]) ** 2
    weight = np.ones(len(points))
    coefficients = np.zeros(6)
    for _ in range(10):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(terms * root[:, None], square * root, rcond=None)[0]
        away = np.abs(square - terms @ coefficients)
        weight = 1 / (1 + (away / max(2 * float(np.median(away)), 1e-6)) ** 2)
    return np.asarray(coefficients, np.float64)


def surface_at(surface: Float64, places: Float64, points: tuple[EdgePoint, ...]) -> Float64:
    """Blur radius (px) of the fitted surface at pixel coordinates, float64 (N, 2) -> (N,)."""
    centre, scale = _frame(points)
    return np.asarray(np.sqrt(np.clip(_terms(places, centre, scale) @ surface, 0.01, None)), np.float64)


def blur_of_tiles(points: tuple[EdgePoint, ...], grid: TileGrid) -> Float32:
    """Blur radius of every tile by the fitted surface, px, float32 (rows, columns); trust it inside the field only."""
    x, y = grid.centres()
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    return surface_at(surface_of(points), places, points).reshape(grid.rows, grid.columns).astype(np.float32)


def mtf50_near(points: tuple[EdgePoint, ...], x_px: float, y_px: float, reach_px: float) -> float:
    """Median MTF50 of the edges within `reach_px` of a place, cycles per px; of the nearest four if there are fewer."""
    away = np.array([np.hypot(point.x_px - x_px, point.y_px - y_px) for point in points])
    value = np.array([point.mtf50 for point in points])
    near = away <= reach_px
    if np.count_nonzero(near) < 4:
        near = away <= np.sort(away)[min(3, len(away) - 1)]
    return float(np.median(value[near]))
