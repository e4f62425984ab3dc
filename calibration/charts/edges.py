"""Slanted squares over the whole field: four edges to measure MTF at every place, in both directions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from calibration.charts.board import EDGE_ANGLE_DEG
from calibration.charts.layout import BLACK, Layout, Shape, rectangle, turned

SQUARE_MM = 1.6
PITCH_MM = 3.2
SQUARES_A_SIDE = 21


@lru_cache(maxsize=4)
def edges_layout(count: int = SQUARES_A_SIDE, square_mm: float = SQUARE_MM, pitch_mm: float = PITCH_MM) -> Layout:
    """`count` × `count` black squares of `square_mm`, `pitch_mm` apart, each turned by EDGE_ANGLE_DEG."""
    square = turned(rectangle(-square_mm / 2, -square_mm / 2, square_mm, square_mm), EDGE_ANGLE_DEG)
    middle = (count - 1) / 2
    shapes = tuple(
        Shape(square + np.array([column - middle, row - middle]) * pitch_mm, BLACK)
        for row in range(count)
        for column in range(count)
    )
    return Layout("edges", count * pitch_mm, count * pitch_mm, shapes)
