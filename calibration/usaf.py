"""Scale and finest resolved element from a picture of a USAF-1951 target (MIL-STD-150A), of whatever arrangement.

Bars are found as dark (or clear) regions five times as long as wide; three of a size, side by side, are an element in
one direction. The distance between their middles is one line pair, and blur does not move it. Sizes differ by steps of
2^(1/6), so a scale known to 5 % (from the board), or the name of the coarsest element in sight, names them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.usaf import BARS, ELEMENTS, line_pairs_per_mm
from calibration.faults import NoChartError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

ENLARGED = 2
BLOCKS_PX = (11, 23, 51, 121, 301)
"""Neighbourhoods with whose mean a pixel is compared, one for every few sizes of bars."""

LEAST_LENGTH_PX = 6.0
LEAST_ASPECT, MOST_ASPECT = 3.2, 7.5
LEAST_FILL = 0.7
SAME_SIZE, SAME_ANGLE_DEG = 0.18, 8.0
SPACING_SHARE, SPACING_SLACK = 0.4, 0.09
"""Middles of neighbouring bars are two widths apart, which is 0.4 lengths."""

RESOLVED_CONTRAST = 0.2
"""Gaps against bars, relative to paper against ink, from which three bars count as resolved (near Rayleigh's limit)."""

LEAST_ELEMENTS = 3
MOST_OFF_LADDER = 0.25
"""A triplet whose size lies farther than this share of a step from the ladder is none."""


@dataclass(frozen=True, slots=True)
class Triplet:
    """Three bars: their middle (px), line pair (px), direction in which the bars lie side by side (°), contrast."""

    x_px: float
    y_px: float
    period_px: float
    angle_deg: float
    contrast: float


@dataclass(frozen=True, slots=True)
class UsafReading:
    """um_per_px      scale from all elements together
    group, element    the finest one of which both directions were found and are resolved: a cautious figure, since bars
                      that are told apart by less than about a third of the contrast of coarse ones may not be found
    line_pairs_per_mm of that one
    spread_percent    how far the elements' own scales differ (standard deviation)
    elements          (group, element, contrast of the weaker direction), coarsest first
    """

    um_per_px: float
    group: int
    element: int
    line_pairs_per_mm: float
    spread_percent: float
    elements: tuple[tuple[int, int, float], ...]


def read_usaf(even: Float32, *, um_per_px: float | None = None, coarsest: tuple[int, int] | None = None) -> UsafReading:
    """Read a target in linear light less its dark level and divided by its flat field, float32 (height, width).

    um_per_px   a scale known to 5 %, which names the elements; or else
    coarsest    (group, element) of the largest element in sight
    Raises NoChartError with what to do.
    """
    triplets = find_triplets(even)
    if len(triplets) < LEAST_ELEMENTS:
        raise NoChartError(
            f"{len(triplets)} elements of a USAF-1951 target found, at least {LEAST_ELEMENTS} are needed; "
            "fill the field with groups whose bars are at least 3 px wide, in focus and evenly lit"
        )
    steps = -ELEMENTS * np.log2([triplet.period_px for triplet in triplets])  # 6 to the octave, finer is larger
    offset = _phase(steps)
    if um_per_px is not None:
        named = ELEMENTS * math.log2(1000.0 / um_per_px)  # number of an element whose line pair is one px
        offset += round(named - offset)
    elif coarsest is not None:
        first = ELEMENTS * coarsest[0] + coarsest[1] - 1
        offset += first - round(float(np.min(steps)) + offset)
    else:
        raise NoChartError("a USAF-1951 target needs a scale (from the board) or the name of its coarsest element")
    numbers = np.rint(steps + offset).astype(int)
    fits = np.abs(steps + offset - numbers) <= MOST_OFF_LADDER
    scales = 1000.0 / np.array([line_pairs_per_mm(*divmod_element(int(n))) for n in numbers])
    scales = scales[fits] / np.array([triplet.period_px for triplet in triplets])[fits]
    scale = float(np.median(scales))
    elements = _by_element(triplets, numbers, fits)
    resolved = [at for at in elements if at[2] >= RESOLVED_CONTRAST]
    if not resolved:
        raise NoChartError("no element of the USAF-1951 target is resolved in both directions; bring it into focus")
    group, element, _ = resolved[-1]
    spread = 100 * float(np.std(scales)) / scale
    return UsafReading(scale, group, element, line_pairs_per_mm(group, element), spread, tuple(elements))


def divmod_element(number: int) -> tuple[int, int]:
    """Group and element (1 to 6) of a running number; number 0 is group 0, element 1."""
    return number // ELEMENTS, number % ELEMENTS + 1


def find_triplets(even: Float32) -> list[Triplet]:
    """All triplets of bars in a picture, dark on clear or clear on dark, float32 (height, width)."""
    top = float(np.percentile(even, 99.5))
    shown = np.clip(even * (235 / max(top, 1e-6)), 0, 255).astype(np.uint8)
    size = (shown.shape[1] * ENLARGED, shown.shape[0] * ENLARGED)
    large = np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    best: list[Triplet] = []
    for picture in (large, 255 - large):
        bars = np.concatenate([_bars(picture, block) for block in BLOCKS_PX])
        found = [] if len(bars) < BARS else _triplets(_distinct(bars), even)
        if len(found) > len(best):
            best = found
    return best


def _bars(picture: NDArray[np.uint8], block: int) -> Float64:
    """x, y, length, width (px of the picture before it was enlarged) and angle (of the length, °), float64 (N, 5)."""
    dark = cv2.adaptiveThreshold(
        picture, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block * ENLARGED + 1, 6
    )
    contours, _ = cv2.findContours(dark, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    rows = []
    for contour in contours:
        if len(contour) < 3 * LEAST_LENGTH_PX:
            continue
        (x, y), (one, other), angle = cv2.minAreaRect(contour)
        length, width = max(one, other) + 1, min(one, other) + 1
        if length < LEAST_LENGTH_PX * ENLARGED or not LEAST_ASPECT <= length / width <= MOST_ASPECT:
            continue
        if cv2.contourArea(contour) < LEAST_FILL * (length - 1) * (width - 1):
            continue
        turn = angle if one >= other else angle + 90
        rows.append(((x + 0.5) / ENLARGED, (y + 0.5) / ENLARGED, length / ENLARGED, width / ENLARGED, turn % 180))
    return np.array(rows, np.float64).reshape(-1, 5)


def _distinct(bars: Float64) -> Float64:
    """One of every bar that several neighbourhoods have found."""
    kept: list[Float64] = []
    for bar in bars[np.argsort(-bars[:, 2])]:
        if all(math.hypot(*(bar[:2] - other[:2])) > 0.1 * bar[2] or bar[2] < 0.6 * other[2] for other in kept):
            kept.append(bar)
    return np.array(kept, np.float64)


def _triplets(bars: Float64, even: Float32) -> list[Triplet]:
    found = []
    for middle in bars:
        length, angle = middle[2], math.radians(middle[4])
        away = bars[:, :2] - middle[:2]
        along = away @ np.array([math.cos(angle), math.sin(angle)])
        across = away @ np.array([-math.sin(angle), math.cos(angle)])
        turned = np.abs((bars[:, 4] - middle[4] + 90) % 180 - 90)
        alike = (np.abs(bars[:, 2] / length - 1) < SAME_SIZE) & (turned < SAME_ANGLE_DEG)
        alike &= np.abs(along) < SPACING_SLACK * length * 1.5
        sides = [
            np.flatnonzero(alike & (np.abs(sign * across - SPACING_SHARE * length) < SPACING_SLACK * length))
            for sign in (-1, 1)
        ]
        if any(len(side) != 1 for side in sides):
            continue
        below, above = across[sides[0][0]], across[sides[1][0]]
        period = float(above - below) / 2
        contrast = _contrast(even, middle, period)
        found.append(Triplet(float(middle[0]), float(middle[1]), period, float(middle[4] + 90) % 180, contrast))
    return found


def _contrast(even: Float32, middle: Float64, period: float) -> float:
    """Gaps against bars through the triplet's middle, relative to paper against ink in the picture."""
    x, y, length, _, turn = middle
    angle = math.radians(turn)
    along = np.linspace(-0.3, 0.3, 15) * length
    across = np.linspace(-1.25, 1.25, 51) * period
    px = x + np.outer(np.ones(51), along) * math.cos(angle) - np.outer(across, np.ones(15)) * math.sin(angle)
    py = y + np.outer(np.ones(51), along) * math.sin(angle) + np.outer(across, np.ones(15)) * math.cos(angle)
    seen = cv2.remap(even, (px - 0.5).astype(np.float32), (py - 0.5).astype(np.float32), cv2.INTER_LINEAR)
    profile = np.asarray(seen).mean(axis=1)
    wave = np.cos(2 * np.pi * across / period)  # 1 on the bars, -1 in the gaps
    inner = np.abs(across) <= 1.0 * period
    swing = 2 * abs(float(np.mean(profile[inner] * wave[inner] - profile[inner].mean() * wave[inner])))
    low, high = np.percentile(even[even > 0], (2, 98)) if (even > 0).any() else (0.0, 1.0)
    return float(swing * math.pi / 4 / max((high - low) / 2, 1e-6))  # a square wave's first harmonic is 4/π


def _phase(steps: Float64) -> float:
    """Offset in -0.5 to 0.5 that brings the sizes nearest to whole steps: their mean angle on the circle of a step."""
    circle = np.exp(2j * np.pi * steps)
    return -float(np.angle(np.median(circle.real) + 1j * np.median(circle.imag))) / (2 * np.pi)


def _by_element(
    triplets: list[Triplet], numbers: NDArray[np.int64], fits: NDArray[np.bool_]
) -> list[tuple[int, int, float]]:
    """Group, element and the weaker direction's contrast (0 where one is missing), coarsest first."""
    elements = []
    for number in sorted(set(numbers[fits].tolist())):
        own = [triplet for triplet, at, fit in zip(triplets, numbers, fits, strict=True) if fit and at == number]
        first = own[0].angle_deg
        turned = [abs((triplet.angle_deg - first + 90) % 180 - 90) > 45 for triplet in own]
        both = any(turned) and not all(turned)
        elements.append((*divmod_element(int(number)), min(triplet.contrast for triplet in own) if both else 0.0))
    return elements
