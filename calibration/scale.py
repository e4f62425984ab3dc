"""Scale, distortion and tilt from one picture of the ChArUco board; a clear refusal where it cannot be had.

Model: a flat page seen through a projective map (8 numbers), then radial distortion r' = r·(1 + k·r²) about the
picture's middle, r in half diagonals (Brown 1966, first term). Fitted to all inner corners at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.board import EDGE_ANGLE_DEG, FINE_BOARD, Board, corners_mm
from calibration.charts.detect import for_markers, found_corners, reduction_that_shows, sharpest_edge_px
from calibration.charts.layout import turned
from calibration.extra import scipy_module
from calibration.faults import (
    BlurredChartError,
    HiddenChartError,
    NoChartError,
    PictureTooBrightError,
    PictureTooDarkError,
    TiltedChartError,
)
from calibration.flat import field_mask
from models.focusmap import FieldOfView

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

UM_PER_MM = 1000.0
MOST_TILT_DEG = 8.0
"""Beyond, one side of the field is out of focus. Paper stretched by 0.5 % in a printer already looks like 5.7°."""

LEAST_CORNERS = 6
LEAST_SEEN_SHARE = 0.75
"""Share of the corners within the field that must be in sight; fewer: something covers the chart."""

EXPECTED_WITHIN = 0.93
"""Corners are expected within this share of the field's radius: beyond, a marker may be cut by the rim."""

LEAST_LIGHT_DN = 25.0
SATURATED_DN = 250.0
MOST_SATURATED_SHARE = 0.02
MOST_RESIDUAL_PX = 1.5
WIDE_EDGE_PX = 9.0
"""Where even the sharpest edge is as wide as this, a chart that is not found is out of focus."""

CROSSING_SHARE, LEAST_CROSSING = 0.2, 15.0
"""A corner is in sight if quarters at this share of a square's side from its place differ by so many levels."""

LEAST_READ_SHARE = 0.4
"""Share of the corners that must be read, with a marker to both sides, even if all are in sight: else it is blurred."""


@dataclass(frozen=True, slots=True, eq=False)
class ChartView:
    """How the chart lies in the picture.

    um_per_px     object size of a pixel in the picture's middle
    distortion    k of r' = r·(1 + k·r²), r in half diagonals
    tilt_deg      angle between chart and sensor, by how its squares are foreshortened
    rotation_deg  turn of the board's rows against the picture's, clockwise, without the slant of EDGE_ANGLE_DEG
    residual_px   root mean square distance of the corners from the fit
    corners       how many were found, of those that the field should show
    expected
    homography    page (mm about the board's middle) to undistorted pixels about the picture's middle, float64 (3, 3)
    width, height of the picture
    """

    um_per_px: float
    distortion: float
    tilt_deg: float
    rotation_deg: float
    residual_px: float
    corners: int
    expected: int
    homography: Float64
    width: int
    height: int

    def to_pixels(self, points_mm: Float64) -> Float64:
        """Pixel coordinates of points of the page, both float64 (N, 2)."""
        return _projected(self.homography, self.distortion, points_mm, self.width, self.height)


def view_of_chart(
    picture: Float32,
    field: FieldOfView,
    *,
    black_dn: float = 0.0,
    board: Board = FINE_BOARD,
    most_tilt_deg: float = MOST_TILT_DEG,
    least_seen_share: float = LEAST_SEEN_SHARE,
) -> ChartView:
    """The board in a picture in linear light, float32 (height, width).

    Raises PictureTooDarkError, PictureTooBrightError, NoChartError, BlurredChartError, HiddenChartError or
    TiltedChartError, each with what to do.
    """
    height, width = picture.shape
    inside = field_mask(field, width, height)
    _check_light(picture[inside] - black_dn, picture[inside])
    shown = for_markers(picture, inside, black_dn)
    numbers, corners = found_corners(shown, board)
    if len(numbers) < LEAST_CORNERS:
        raise _why_not_found(shown, inside, board, len(numbers))
    page = corners_mm(board)[numbers]
    homography, distortion, residual, kept = _fitted(page, corners, width, height)
    view = _view(homography, distortion, residual, (width, height), int(kept.sum()))
    if residual > MOST_RESIDUAL_PX:
        raise NoChartError(
            f"the chart's corners do not lie on a plane (off by {residual:.1f} px, at most {MOST_RESIDUAL_PX} is "
            "allowed); glue the page to something flat and stiff"
        )
    _check_covered(view, field, page[kept], shown=shown, board=board, least_seen_share=least_seen_share)
    if view.tilt_deg > most_tilt_deg:
        raise TiltedChartError(
            f"the chart is tilted by {view.tilt_deg:.0f}°, at most {most_tilt_deg:.0f}° is allowed; "
            "hold it square to the lens, or lay it flat under a stand"
        )
    return _with_expected(view, field, board)


def _check_light(light: Float32, raw: Float32) -> None:
    peak = float(np.percentile(light, 99))
    if peak < LEAST_LIGHT_DN:
        raise PictureTooDarkError(
            f"the chart is too dark: its white is {peak:.0f} levels above black, at least {LEAST_LIGHT_DN:.0f} are "
            "needed; switch the light on, open the aperture or expose longer"
        )
    saturated = float((raw >= SATURATED_DN).mean())
    if saturated > MOST_SATURATED_SHARE:
        raise PictureTooBrightError(
            f"{100 * saturated:.0f} % of the chart is saturated, at most {100 * MOST_SATURATED_SHARE:.0f} % is "
            "allowed; shorten the exposure or tilt the lamp's reflection away"
        )


def _why_not_found(
    shown: NDArray[np.uint8], inside: NDArray[np.bool_], board: Board, found: int
) -> NoChartError | BlurredChartError:
    """The chart may be out of focus (then a smaller picture shows it), or not be there."""
    reduction = reduction_that_shows(shown, board, max(LEAST_CORNERS, 2 * found))
    if reduction is not None:
        return _blurred(reduction)
    if found:
        return NoChartError(
            f"only {found} of the chart's corners are visible, at least {LEAST_CORNERS} are needed; fill the field "
            "with the chart, take away what covers it, and bring it into focus"
        )
    width_px = sharpest_edge_px(shown, inside)
    if WIDE_EDGE_PX < width_px < math.inf:
        return BlurredChartError(
            f"nothing in the picture is in focus (its sharpest edges are {width_px:.0f} px wide); "
            "bring the chart to the working distance"
        )
    return NoChartError(
        "no chart in the picture; fill the field with the printed board (focusgate calibrate chart), in focus and lit"
    )


def _blurred(reduction: int) -> BlurredChartError:
    return BlurredChartError(
        f"the chart is out of focus: it is only recognised in a picture {reduction} times smaller; "
        "bring it to the working distance"
    )


def _projected(homography: Float64, distortion: float, points: Float64, width: int, height: int) -> Float64:
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ homography.T
    flat = homogeneous[:, :2] / homogeneous[:, 2:]
    axis = np.array([width / 2, height / 2])
    away2 = np.minimum((flat**2).sum(axis=1, keepdims=True) / (axis**2).sum(), 1.5**2)
    return np.asarray(flat * (1 + distortion * away2) + axis, np.float64)


def _fitted(
    page: Float64, corners: Float64, width: int, height: int
) -> tuple[Float64, float, float, NDArray[np.bool_]]:
    """Homography, distortion, root mean square residual (px) and which corners agree."""
    optimize = scipy_module("optimize")
    axis = np.array([width / 2, height / 2])
    first, _ = cv2.findHomography(page, corners - axis, cv2.RANSAC, 8.0)
    if first is None:
        raise NoChartError("the chart's corners lie on one line; fill the field with the chart")
    scales = np.abs(np.asarray(first, np.float64).ravel()[:8]) + 1e-6
    kept = np.ones(len(page), np.bool_)
    start = np.append(np.asarray(first, np.float64).ravel()[:8], 0.0)
    few = len(page) < 2 * LEAST_CORNERS  # too few corners to tell distortion from perspective

    def residuals(numbers: Float64) -> Float64:
        homography = np.append(numbers[:8], 1.0).reshape(3, 3)
        off = _projected(homography, 0.0 if few else float(numbers[8]), page[kept], width, height) - corners[kept]
        return np.asarray(off.ravel(), np.float64)

    for _ in range(2):
        found = optimize.least_squares(residuals, start, loss="soft_l1", f_scale=0.3, x_scale=np.append(scales, 0.05))
        start = np.asarray(found.x, np.float64)
        homography, distortion = np.append(start[:8], 1.0).reshape(3, 3), 0.0 if few else float(start[8])
        off = np.hypot(*(_projected(homography, distortion, page, width, height) - corners).T)
        kept = off <= max(1.0, 4 * float(np.median(off)))
    return homography, distortion, float(np.sqrt((off[kept] ** 2).mean())), kept


def _view(homography: Float64, distortion: float, residual: float, size: tuple[int, int], corners: int) -> ChartView:
    """Scale, tilt and turn from the local map in the picture's middle."""
    middle = np.linalg.solve(homography, np.array([0.0, 0.0, 1.0]))
    x, y = middle[:2] / middle[2]
    weight = float(homography[2] @ np.array([x, y, 1.0]))
    local = homography[:2, :2] / weight  # the point maps to (0, 0), so the quotient rule's other term is nothing
    stretch = np.linalg.svd(local, compute_uv=False)
    tilt = math.degrees(math.acos(min(float(stretch[1] / stretch[0]), 1.0)))
    rotation = math.degrees(math.atan2(local[1, 0] - local[0, 1], local[0, 0] + local[1, 1]))
    um_per_px = UM_PER_MM / float(stretch[0])  # the direction that tilt does not shorten
    return ChartView(um_per_px, distortion, tilt, rotation, residual, corners, 0, homography, *size)


def _expected(view: ChartView, field: FieldOfView, board: Board) -> tuple[Float64, Float64]:
    """Page and pixel coordinates of all corners that the field should show."""
    page = corners_mm(board)
    pixels = view.to_pixels(page)
    margin = board.square_mm * UM_PER_MM / view.um_per_px / 2
    away = np.hypot(pixels[:, 0] - field.centre_x_px, pixels[:, 1] - field.centre_y_px)
    shown = (away <= EXPECTED_WITHIN * field.radius_px - margin) & (pixels > margin).all(axis=1)
    shown &= (pixels[:, 0] < view.width - margin) & (pixels[:, 1] < view.height - margin)
    return page[shown], pixels[shown]


def _check_covered(
    view: ChartView,
    field: FieldOfView,
    found: Float64,
    *,
    shown: NDArray[np.uint8],
    board: Board,
    least_seen_share: float,
) -> None:
    """Refuses where too many of the corners that should be visible are not."""
    page, pixels = _expected(view, field, board)
    seen = np.array([bool((np.abs(found - point).max(axis=1) < 1e-6).any()) for point in page], np.bool_)
    if len(page) == 0 or seen.mean() >= least_seen_share:
        return
    read = float(seen.mean())
    visible = seen.copy()  # squares meet where these corners are due, so nothing covers them
    visible[~seen] = _crossings(view, shown, page[~seen], board)
    if visible.mean() >= least_seen_share:
        if read >= min(LEAST_READ_SHARE, least_seen_share):
            return
        raise BlurredChartError(
            f"the chart is out of focus: only {np.count_nonzero(seen)} of {len(page)} corners can be read, though the "
            "others are in sight; bring it to the working distance"
        )
    lost = pixels[~visible].mean(axis=0) - pixels.mean(axis=0)
    sides = ("right", "left") if abs(lost[0]) >= abs(lost[1]) else ("bottom", "top")
    side = sides[0] if max(lost, key=abs) > 0 else sides[1]
    raise HiddenChartError(
        f"part of the chart is hidden: {np.count_nonzero(visible)} of {len(page)} corners in sight, most missing on "
        f"the {side}; take hand and shadow away and let the chart fill the whole field"
    )


def _crossings(view: ChartView, shown: NDArray[np.uint8], page: Float64, board: Board) -> NDArray[np.bool_]:
    """True for points of the page (mm) around which two dark and two light quarters meet, however blurred."""
    reach = CROSSING_SHARE * board.square_mm
    quarters = []
    for x, y in ((-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach)):
        places = view.to_pixels(page + turned(np.array([[x, y]]), EDGE_ANGLE_DEG)).astype(np.float32)
        seen = cv2.remap(shown, places[:, :1] - 0.5, places[:, 1:] - 0.5, cv2.INTER_LINEAR)
        quarters.append(np.asarray(seen, np.float64)[:, 0])
    one, other = np.array([quarters[0], quarters[2]]), np.array([quarters[1], quarters[3]])
    apart = np.maximum(one.min(axis=0) - other.max(axis=0), other.min(axis=0) - one.max(axis=0))
    return np.asarray(apart > LEAST_CROSSING, np.bool_)


def _with_expected(view: ChartView, field: FieldOfView, board: Board) -> ChartView:
    expected = max(len(_expected(view, field, board)[0]), view.corners)
    return ChartView(
        view.um_per_px, view.distortion, view.tilt_deg, view.rotation_deg, view.residual_px,
        view.corners, expected, view.homography, view.width, view.height,
    )  # fmt: skip
