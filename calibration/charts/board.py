"""The ChArUco board, fine enough for a field of view of one to seven centimetres, turned so that its edges are slanted.

One picture of it gives scale, distortion, tilt (its corners) and MTF over the whole field (its edges): the markers are
only half as wide as their squares, which leaves plain paper on one side of every edge and plain ink on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.layout import BLACK, WHITE, Layout, Shape, rectangle, turned
from models.errors import InputError

EDGE_ANGLE_DEG = 5.0
"""Slant of the edges on the page: ISO 12233:2017, 5.3 asks for about 5°, far from 0°, 45° and all simple ratios."""

DICTIONARY = cv2.aruco.DICT_5X5_1000
MARKER_MODULES = 7
"""Modules a side: 5 × 5 bits and the black border."""


@dataclass(frozen=True, slots=True)
class Board:
    """Squares a side and their size.

    Printed at 600 dpi a module of the marker (square / 14) should cover four dots of 0.042 mm: squares of 2.4 mm.
    """

    columns: int = 29
    rows: int = 29
    square_mm: float = 2.4

    @property
    def marker_mm(self) -> float:
        return self.square_mm / 2

    @property
    def centre_mm(self) -> tuple[float, float]:
        """The board's middle in OpenCV's own coordinates, whose origin is the top left corner."""
        return self.columns * self.square_mm / 2, self.rows * self.square_mm / 2


FINE_BOARD = Board()

RULER_MM = 100.0
MOST_STRETCH = 0.03


def printed_board(ruler_mm: float) -> Board:
    """The board as the printer made it, from what its ruler of 100 mm really measures.

    Raises InputError beyond 3 %: then the page was scaled to fit.
    """
    if not abs(ruler_mm / RULER_MM - 1) <= MOST_STRETCH:
        raise InputError(
            f"ruler_mm = {ruler_mm:g}; allowed are {RULER_MM * (1 - MOST_STRETCH):g} to "
            f"{RULER_MM * (1 + MOST_STRETCH):g}: print again at 100 %, not fitted to the page"
        )
    return Board(square_mm=FINE_BOARD.square_mm * ruler_mm / RULER_MM)


@lru_cache(maxsize=8)
def opencv_board(board: Board) -> cv2.aruco.CharucoBoard:
    """The same board for OpenCV's detector; lengths in mm."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    return cv2.aruco.CharucoBoard((board.columns, board.rows), board.square_mm, board.marker_mm, dictionary)


def corners_mm(board: Board = FINE_BOARD) -> NDArray[np.float64]:
    """Where the inner corners lie on the page, mm about the middle, by OpenCV's corner number; float64 (N, 2)."""
    found = np.asarray(opencv_board(board).getChessboardCorners(), np.float64)[:, :2] - board.centre_mm
    return turned(found, EDGE_ANGLE_DEG)


@lru_cache(maxsize=8)
def board_layout(board: Board = FINE_BOARD) -> Layout:
    """The board as polygons, turned by EDGE_ANGLE_DEG."""
    centre = board.centre_mm
    shapes = [
        Shape(rectangle(column * board.square_mm, row * board.square_mm, board.square_mm, board.square_mm), BLACK)
        for row in range(board.rows)
        for column in range(board.columns)
        if (row + column) % 2 == 0
    ]
    white: list[Shape] = []
    module = board.marker_mm / MARKER_MODULES
    board_of_opencv = opencv_board(board)
    dictionary = board_of_opencv.getDictionary()
    for number, corners in zip(
        np.asarray(board_of_opencv.getIds()).ravel(), board_of_opencv.getObjPoints(), strict=True
    ):
        left, top = np.asarray(corners, np.float64)[0, :2]
        shapes.append(Shape(rectangle(left, top, board.marker_mm, board.marker_mm), BLACK))
        bits = cv2.aruco.generateImageMarker(dictionary, int(number), MARKER_MODULES)
        white.extend(
            Shape(rectangle(left + x * module, top + y * module, length * module, module), WHITE)
            for y, x, length in _runs(np.asarray(bits) > 0)
        )
    shapes += white
    slanted = tuple(Shape(turned(shape.corners_mm - centre, EDGE_ANGLE_DEG), shape.shade) for shape in shapes)
    side = max(board.columns, board.rows) * board.square_mm
    return Layout("board", side, side, slanted)


def _runs(bits: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Row, first column and length of every run of set modules."""
    runs = []
    for row, line in enumerate(bits):
        change = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]])))
        runs += [(row, int(start), int(end - start)) for start, end in change.reshape(-1, 2)]
    return runs
