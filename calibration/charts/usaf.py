"""The USAF-1951 target (MIL-STD-150A, 5.1.1.7): triplets of bars, each element finer than the last by 2^(1/6)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from calibration.charts.layout import BLACK, Layout, Points, Shape, rectangle

ELEMENTS = 6
BARS = 3
LENGTH_IN_WIDTHS = 5
"""A bar is five times as long as wide, and three bars with their gaps are as wide as long."""


def line_pairs_per_mm(group: int, element: int) -> float:
    """Line pairs per mm: 2^(group + (element - 1)/6); elements count from 1 to 6."""
    return float(2.0 ** (group + (element - 1) / ELEMENTS))


def bar_width_mm(group: int, element: int) -> float:
    """Half a line pair."""
    return 0.5 / line_pairs_per_mm(group, element)


def _triplets(x: float, y: float, width: float) -> list[Points]:
    """Three upright and three lying bars side by side, from the top left corner (x, y) mm; 12 × 5 widths."""
    length, lying = LENGTH_IN_WIDTHS * width, x + (LENGTH_IN_WIDTHS + 2) * width
    upright = [rectangle(x + 2 * bar * width, y, width, length) for bar in range(BARS)]
    return upright + [rectangle(lying, y + 2 * bar * width, length, width) for bar in range(BARS)]


def _pair(group: int, x: float, y: float) -> tuple[list[Points], float, float]:
    """An even group (elements 2 to 6 left, 1 at the bottom right) and the next one (right); width and height in mm."""
    bars: list[Points] = []
    top = y
    for element in range(2, ELEMENTS + 1):
        width = bar_width_mm(group, element)
        bars += _triplets(x, top, width)
        top += (LENGTH_IN_WIDTHS + 2) * width
    first = bar_width_mm(group, 1)
    whole, right = 26 * first, x + 20 * first
    bars += _triplets(x + 14 * first, top - LENGTH_IN_WIDTHS * first, first)
    below = y
    for element in range(1, ELEMENTS + 1):
        width = bar_width_mm(group + 1, element)
        bars += _triplets(right, below, width)
        below += (LENGTH_IN_WIDTHS + 2) * width
    return bars, whole, top - y


@lru_cache(maxsize=4)
def usaf_layout(coarsest_group: int = 0, pairs: int = 3) -> Layout:
    """Groups `coarsest_group` (even) to `coarsest_group + 2·pairs - 1`, each pair a quarter of the last, within it."""
    bars, width, height = _pair(coarsest_group, 0.0, 0.0)
    middle = np.array([width / 2, height / 2])
    x, y = 13 * bar_width_mm(coarsest_group, 1), 3 * bar_width_mm(coarsest_group, 1)
    for pair in range(1, pairs):
        group = coarsest_group + 2 * pair
        more, _, _ = _pair(group, x, y)
        bars += more
        x, y = x + 13 * bar_width_mm(group, 1), y + 3 * bar_width_mm(group, 1)
    return Layout("usaf", width, height, tuple(Shape(bar - middle, BLACK) for bar in bars))
