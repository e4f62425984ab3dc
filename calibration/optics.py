"""All that pictures tell of the optics, in the order in which it must be measured: dark, white, chart, chart again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.charts.board import FINE_BOARD, Board
from calibration.criterion import DETAIL_PERIOD_UM, LEAST_CONTRAST, criterion_px
from calibration.faults import BlurredChartError, CalibrationError, HiddenChartError, NoChartError
from calibration.field import FoundField, find_field
from calibration.flat import DarkLevel, dark_level, evened, flat_field, without_hot_pixels
from calibration.linear import Tone, linear_dn
from calibration.resolution import EdgePoint, edges_of_chart, mtf50_near
from calibration.scale import ChartView, view_of_chart
from calibration.through_focus import SweepStep, ThroughFocus, through_focus
from models.focusmap import Luma

Float32 = NDArray[np.float32]

MIDDLE_SHARE = 0.35
"""The middle of the field: within this share of its radius."""

LEAST_EDGES = 16
"""So many edges at least make the MTF50 of the middle: their median scatters by a quarter of what one does."""

EDGES_IN_SWEEP = 60
"""So many edges of each picture of a sweep; its fit has six unknowns."""

SEEN_IN_SWEEP = 0.3
"""Far out of focus some markers get lost: a sweep is content with this share of the corners."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What is measured without a chart: dark level, field, relative light (float32, height × width)."""

    dark: DarkLevel
    field: FoundField
    flat: Float32


@dataclass(frozen=True, slots=True, eq=False)
class ChartResult:
    """One picture of the chart: how it lies, its edges, MTF50 in the middle of the field (cycles per px)."""

    view: ChartView
    edges: tuple[EdgePoint, ...]
    mtf50: float


@dataclass(frozen=True, slots=True, eq=False)
class OpticsResult:
    """The whole: surroundings, chart at the working distance, the sweep and the criterion (px) that follows.

    mtf50   in the field's very middle at the working distance, cycles per px
    """

    surroundings: Surroundings
    chart: ChartResult
    sweep: ThroughFocus
    criterion_px: float
    mtf50: float


def surroundings_of(darks: Sequence[Luma], whites: Sequence[Luma], tone: Tone = "linear") -> Surroundings:
    """From pictures with the lens covered and of white paper, uint8 (height, width). Raises CalibrationError."""
    dark = dark_level([linear_dn(picture, tone) for picture in darks])
    white = [linear_dn(picture, tone) for picture in whites]
    if not white:
        raise CalibrationError("no picture of white paper; take at least one")
    field = find_field(without_hot_pixels(np.mean(np.stack(white), axis=0).astype(np.float32), dark), dark.level_dn)
    return Surroundings(dark, field, flat_field(white, dark, field.as_field_of_view))


def chart_result(
    picture: Luma,
    around: Surroundings,
    tone: Tone = "linear",
    *,
    board: Board = FINE_BOARD,
    least_seen_share: float | None = None,
    most_edges: int | None = None,
) -> ChartResult:
    """One picture of the chart, uint8 (height, width), of whose edges at most so many are measured (None: all).

    Raises CalibrationError with what to do.
    """
    light = without_hot_pixels(linear_dn(picture, tone), around.dark)
    field = around.field.as_field_of_view
    more = {} if least_seen_share is None else {"least_seen_share": least_seen_share}
    view = view_of_chart(light, field, black_dn=around.dark.level_dn, board=board, **more)
    edges = edges_of_chart(evened(light, around.dark, around.flat), view, field, board, most_edges)
    reach = MIDDLE_SHARE * field.radius_px
    return ChartResult(view, edges, mtf50_near(edges, field.centre_x_px, field.centre_y_px, reach))


def swept(
    charts: Sequence[tuple[float, Luma]], around: Surroundings, tone: Tone = "linear", *, board: Board = FINE_BOARD
) -> ThroughFocus:
    """Pictures of the chart at several distances (mm): those too blurred to be measured are left out.

    Raises SweepError if too few remain, or what is wrong with the chart in any of them.
    """
    steps = []
    for distance_mm, picture in charts:
        try:
            found = chart_result(
                picture, around, tone, board=board, least_seen_share=SEEN_IN_SWEEP, most_edges=EDGES_IN_SWEEP
            )
        except (BlurredChartError, NoChartError, HiddenChartError):
            continue
        steps.append(SweepStep(distance_mm, found.view.um_per_px, found.edges))
    return through_focus(steps, around.field)


def measured_optics(
    around: Surroundings,
    chart: Luma,
    charts: Sequence[tuple[float, Luma]],
    tone: Tone = "linear",
    *,
    board: Board = FINE_BOARD,
    detail_period_um: float = DETAIL_PERIOD_UM,
    least_contrast: float = LEAST_CONTRAST,
) -> OpticsResult:
    """From a picture of the chart at the working distance and a sweep of (distance in mm, picture).

    Raises CalibrationError with what to do.
    """
    at_work = chart_result(chart, around, tone, board=board)
    criterion = criterion_px(at_work.view.um_per_px, detail_period_um=detail_period_um, least_contrast=least_contrast)
    sweep = swept(charts, around, tone, board=board)
    return OpticsResult(around, at_work, sweep, criterion, middle_mtf50(at_work.edges, sweep, around.field))


def middle_mtf50(edges: Sequence[EdgePoint], sweep: ThroughFocus, field: FoundField) -> float:
    """Median MTF50 of the edges around the field's middle, each carried there by the ratio of the blurs that the sweep
    has there and here: near best focus a fifth of the radius can change it by a tenth."""
    u = (np.array([edge.x_px for edge in edges]) - field.centre_x_px) / field.radius_px
    v = (np.array([edge.y_px for edge in edges]) - field.centre_y_px) / field.radius_px
    away = np.hypot(u, v)
    near = away <= max(MIDDLE_SHARE, float(np.sort(away)[min(LEAST_EDGES, len(away)) - 1]))
    middle = float(sweep.blur_at(np.zeros(1), np.zeros(1))[0])
    carried = np.array([edge.mtf50 for edge in edges]) * sweep.blur_at(u, v) / middle
    return float(np.median(carried[near]))
