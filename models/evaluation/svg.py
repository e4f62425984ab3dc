"""Small plots (lines, bars, dots) of the unit square as SVG text: a page needs no library, and no file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

SIDE_PX = 280
MARGIN_PX = 46
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
UNIT_TICKS = tuple((tick, f"{tick:g}") for tick in TICKS)

# Okabe and Ito 2008: told apart with any colour vision; each line has a dash pattern of its own as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("", "7 3", "2 2", "8 3 2 3", "12 4", "4 4", "1 3")


@dataclass(frozen=True, slots=True)
class Line:
    """A line through (x, y) points, both in 0 to 1; `marks` draws a dot at each."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Heights (0 to 1) of equally wide bars that fill the width; drawn as an outline with a light filling.

    `labels`, if given, are written above the bars, one for each.
    """

    name: str
    heights: Sequence[float]
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Dots:
    """Points (x, y), both in 0 to 1, each a dot that lets others shine through."""

    name: str
    points: Sequence[tuple[float, float]]


def plot(
    title: str,
    x_label: str,
    y_label: str,
    parts: Sequence[Line | Bars | Dots],
    *,
    diagonal: bool = False,
    upright: float | None = None,
    x_ticks: Sequence[tuple[float, str]] = UNIT_TICKS,
    y_ticks: Sequence[tuple[float, str]] = UNIT_TICKS,
) -> str:
    """One plot with a legend below it. `diagonal` adds y = x, `upright` a vertical line (a threshold) at this x.

    `x_ticks` and `y_ticks` are places in 0 to 1 with what is written there, for an axis that is another quantity.
    """
    height = SIDE_PX + 2 * MARGIN_PX + 18 * len(parts)
    width = SIDE_PX + 2 * MARGIN_PX
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<text x="{width / 2:.0f}" y="20" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
        *_axes(x_label, y_label, x_ticks, y_ticks),
    ]
    if diagonal:
        drawn.append(_path([(0.0, 0.0), (1.0, 1.0)], "#999999", "3 3", 1.0))
    if upright is not None:
        drawn.append(_path([(upright, 0.0), (upright, 1.0)], "#555555", "5 3", 1.0))
    for index, part in enumerate(parts):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        drawn += _drawn(part, colour, dash)
        y = SIDE_PX + 2 * MARGIN_PX + 6 + 18 * index
        drawn.append(
            f'<line x1="{MARGIN_PX}" y1="{y}" x2="{MARGIN_PX + 30}" y2="{y}" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/><text x="{MARGIN_PX + 38}" y="{y + 4}">{escape(part.name)}</text>'
        )
    return "\n".join([*drawn, "</svg>"])


def _x(value: float) -> float:
    return MARGIN_PX + SIDE_PX * min(max(value, 0.0), 1.0)


def _y(value: float) -> float:
    return MARGIN_PX + SIDE_PX * (1.0 - min(max(value, 0.0), 1.0))


def _axes(
    x_label: str, y_label: str, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
) -> list[str]:
    drawn = [
        f'<rect x="{MARGIN_PX}" y="{MARGIN_PX}" width="{SIDE_PX}" height="{SIDE_PX}" fill="none" stroke="#888888"/>',
        f'<text x="{_x(0.5):.0f}" y="{_y(0) + 34:.0f}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="12" y="{_y(0.5):.0f}" text-anchor="middle" transform="rotate(-90 12 {_y(0.5):.0f})">'
        f"{escape(y_label)}</text>",
    ]
    for place, text in x_ticks:
        drawn.append(f'<text x="{_x(place):.0f}" y="{_y(0) + 16:.0f}" text-anchor="middle">{escape(text)}</text>')
        drawn.append(_path([(place, 0.0), (place, 1.0)], "#eeeeee", "", 1.0))
    for place, text in y_ticks:
        drawn.append(f'<text x="{_x(0) - 5:.0f}" y="{_y(place) + 4:.0f}" text-anchor="end">{text}</text>')
        drawn.append(_path([(0.0, place), (1.0, place)], "#eeeeee", "", 1.0))
    return drawn


def _path(points: Sequence[tuple[float, float]], colour: str, dash: str, width: float, fill: str = "none") -> str:
    steps = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return (
        f'<polyline points="{steps}" fill="{fill}" fill-opacity="0.15" stroke="{colour}" stroke-width="{width}" '
        f'stroke-dasharray="{dash}"/>'
    )


def _drawn(part: Line | Bars | Dots, colour: str, dash: str) -> list[str]:
    match part:
        case Line():
            return _line(part, colour, dash)
        case Bars():
            return _bars(part, colour, dash)
        case Dots():
            dots = (f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="1.6"/>' for x, y in part.points)
            return [f'<g fill="{colour}" fill-opacity="0.3">', *dots, "</g>"]


def _line(line: Line, colour: str, dash: str) -> list[str]:
    drawn = [_path(line.points, colour, dash, 2.0)]
    if line.marks:
        drawn += [f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4" fill="{colour}"/>' for x, y in line.points]
    return drawn


def _bars(bars: Bars, colour: str, dash: str) -> list[str]:
    edges = [index / len(bars.heights) for index in range(len(bars.heights) + 1)]
    outline = [(0.0, 0.0)]
    for (left, right), height in zip(pairwise(edges), bars.heights, strict=True):
        outline += [(left, height), (right, height)]
    drawn = [_path([*outline, (1.0, 0.0)], colour, dash, 2.0, fill=colour)]
    for (left, right), height, text in zip(pairwise(edges), bars.heights, bars.labels, strict=False):
        x, y = _x((left + right) / 2), _y(height) - 4
        drawn.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="9">{escape(text)}</text>')
    return drawn
