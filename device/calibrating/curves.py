"""Axes with round numbers, curves of any quantity, and the map of MTF50, for the report of a calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.svg import Line, plot

MAP_PX = 360
DOT_PX = 4.0
# Okabe and Ito's blue to vermilion over a light grey: told apart with any colour vision
LOW, HIGH = (213, 94, 0), (0, 114, 178)
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TICKS = 4


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`; `place` is where a value lies, 0 to 1."""

    low: float
    high: float

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round numbers within the axis."""
        step = _step((self.high - self.low) / TICKS)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple((self.place(number * step), f"{number * step:g}") for number in range(first, last + 1))


def axis_of(largest: float) -> Axis:
    """From 0 to a round number not below `largest`."""
    step = _step(max(largest, 1e-9) / TICKS)
    return Axis(0.0, step * math.ceil(largest / step - 1e-9))


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in STEPS if power * step >= rough * (1 - 1e-9))


def curve(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    from_zero: bool = False,
) -> str:
    """A plot of named series of (x, y); y begins at 0, x too if `from_zero`."""
    points = [point for _, line in series for point in line]
    right = max(x for x, _ in points)
    across = axis_of(right) if from_zero else Axis(min(x for x, _ in points), right)
    up = axis_of(max(y for _, y in points))
    lines = [Line(name, [(across.place(x), up.place(y)) for x, y in line], marks=False) for name, line in series]
    return plot(title, x_label, y_label, lines, x_ticks=across.ticks, y_ticks=up.ticks)


def map_of(edges: NDArray[Any], width: int, height: int, field: Mapping[str, Any]) -> str:
    """Every edge of the chart where it lies, coloured by its MTF50; with the field's circle and a scale below."""
    share = MAP_PX / width
    values = edges[:, 2].astype(np.float64)
    low, high = float(np.percentile(values, 2)), float(np.percentile(values, 98))
    axis = Axis(low, high if high > low else low + 1e-6)
    x, y, r = (share * field[name] for name in ("centre_x_px", "centre_y_px", "radius_px"))
    tall = height * share
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="map of MTF50" width="{MAP_PX}" '
        f'height="{tall + 66:.0f}" font-family="sans-serif" font-size="12">',
        f'<text x="{MAP_PX / 2}" y="18" text-anchor="middle" font-weight="bold">MTF50, cycles per px</text>',
        f'<g transform="translate(0 26)"><rect width="{MAP_PX}" height="{tall:.0f}" fill="#f4f4f4" stroke="#888888"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="none" stroke="#e69f00" stroke-width="2"/>',
    ]
    parts += [
        f'<circle cx="{share * left:.1f}" cy="{share * top:.1f}" r="{DOT_PX}" fill="{_colour(axis.place(value))}"/>'
        for left, top, value in edges
    ]
    parts.append("</g>")
    for index in range(20):
        place = index / 19
        parts.append(
            f'<rect x="{60 + 12 * index}" y="{tall + 34:.0f}" width="12" height="12" fill="{_colour(place)}"/>'
        )
    parts.append(f'<text x="56" y="{tall + 45:.0f}" text-anchor="end">{low:.3f}</text>')
    parts.append(f'<text x="306" y="{tall + 45:.0f}">{high:.3f}</text></svg>')
    return "\n".join(parts)


def _colour(place: float) -> str:
    held = min(max(place, 0.0), 1.0)
    mixed = (round(a + (b - a) * held) for a, b in zip(LOW, HIGH, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mixed)
