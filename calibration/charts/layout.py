"""Shapes of a flat chart, in mm about its middle (x to the right, y down), before anything is printed or drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

WHITE = 1.0
BLACK = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A filled polygon: corners in mm, float64 (N, 2); shade 0 = black ink, 1 = bare paper."""

    corners_mm: Points
    shade: float


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A chart: shapes drawn in their order on white paper of `width_mm` × `height_mm` about the origin."""

    name: str
    width_mm: float
    height_mm: float
    shapes: tuple[Shape, ...]


def rectangle(left: float, top: float, width: float, height: float) -> Points:
    """Corners of an upright rectangle, mm, float64 (4, 2)."""
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def turned(corners_mm: Points, angle_deg: float) -> Points:
    """The corners turned about the origin, clockwise on the page (y points down); any shape (N, 2)."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(corners_mm @ turn, np.float64)


def moved(layout: Layout, x_mm: float, y_mm: float) -> tuple[Shape, ...]:
    """The shapes of a layout with its middle at (x, y) mm."""
    return tuple(Shape(shape.corners_mm + np.array([x_mm, y_mm]), shape.shade) for shape in layout.shapes)
