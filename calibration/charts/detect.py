"""The board's corners in a picture, and whether it would be found in a smaller, hence sharper one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.board import Board, corners_mm, opencv_board

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

REDUCTIONS = (2, 4, 8, 16)
"""A chart that is only found in a picture this many times smaller is out of focus."""

LEAST_CONTRAST = 0.25
"""Share of the brightest shade by which the darkest must differ for edges to be spoken of."""

CORNER_WINDOW_SHARE, LEAST_CORNER_WINDOW_PX = 0.08, 3
"""Half side of the window in which a corner is placed, relative to a square's side."""


def for_markers(picture: Float32, inside: NDArray[np.bool_], black_dn: float) -> NDArray[np.uint8]:
    """The picture for the detector: square root of light over its local mean, so that a dark side shows as well."""
    light = np.clip(picture - np.float32(black_dn), 0.0, None)
    reach = max(picture.shape[1] // 12, 8)
    weight = inside.astype(np.float32)
    local = cv2.blur(light * weight, (reach, reach)) / np.maximum(cv2.blur(weight, (reach, reach)), 1e-3)
    floor = 0.02 * float(np.percentile(light[inside], 99))
    even = np.sqrt(light / np.maximum(np.asarray(local), floor)) * weight
    return np.asarray(np.clip(even * (255 / 1.8), 0, 255), np.uint8)


def _detector(board: Board) -> cv2.aruco.CharucoDetector:
    settings = cv2.aruco.DetectorParameters()
    settings.adaptiveThreshWinSizeMin = 13
    settings.adaptiveThreshWinSizeMax = 53
    settings.adaptiveThreshWinSizeStep = 20
    settings.minMarkerPerimeterRate = 0.015
    detector = cv2.aruco.CharucoDetector(opencv_board(board))
    detector.setDetectorParameters(settings)
    return detector


def found_corners(shown: NDArray[np.uint8], board: Board) -> tuple[NDArray[np.int64], Float64]:
    """Numbers and pixel coordinates (0 = left or top border) of the inner corners."""
    detected: tuple[Any, ...] = _detector(board).detectBoard(shown)
    corners, numbers = detected[:2]
    which = np.asarray([] if numbers is None else numbers, np.int64).ravel()  # None in OpenCV 4, empty in OpenCV 5
    if len(which) == 0:
        return which, np.empty((0, 2))
    found = np.asarray(corners, np.float32).reshape(-1, 1, 2)
    side_px = _side_px(which, found[:, 0, :], board)
    half = max(LEAST_CORNER_WINDOW_PX, round(CORNER_WINDOW_SHARE * side_px))
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 0.001)
    refined = cv2.cornerSubPix(shown, found.copy(), (half, half), (-1, -1), ends)
    return which, np.asarray(refined, np.float64).reshape(-1, 2) + 0.5


def _side_px(numbers: NDArray[np.int64], corners: Float32, board: Board) -> float:
    """Side of a square in pixels, from the spread of the corners."""
    page = corners_mm(board)[numbers]
    spread_mm = float(np.hypot(*page.std(axis=0)))
    spread_px = float(np.hypot(*corners.std(axis=0)))
    return board.square_mm * spread_px / max(spread_mm, board.square_mm / 4)


def reduction_that_shows(shown: NDArray[np.uint8], board: Board, least: int) -> int | None:
    """How many times smaller the picture must be for `least` corners to be found; None if that helps in no way.

    A picture made smaller loses its blur in proportion; one that is covered or empty gains nothing.
    """
    for reduction in REDUCTIONS:
        size = (shown.shape[1] // reduction, shown.shape[0] // reduction)
        small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        enlarged = cv2.resize(small, (size[0] * 2, size[1] * 2), interpolation=cv2.INTER_CUBIC)
        for candidate in (small, enlarged):
            if len(found_corners(np.asarray(candidate, np.uint8), board)[0]) >= least:
                return reduction
    return None


def sharpest_edge_px(shown: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Width of the sharpest edges inside the field are: contrast over steepest slope, px; infinite without contrast."""
    smooth = np.asarray(cv2.GaussianBlur(shown, (0, 0), 1.5), np.float32)
    low, high = np.percentile(smooth[inside], (5, 95))
    if high - low < LEAST_CONTRAST * max(float(high), 1.0):
        return float("inf")
    inner = np.asarray(cv2.erode(inside.astype(np.uint8), np.ones((25, 25), np.uint8)), np.bool_)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8))
    return float((high - low) / max(float(np.percentile(slope[inner], 99.9)), 1e-6))
