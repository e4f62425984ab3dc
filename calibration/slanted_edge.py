"""Modulation transfer from a slanted edge, after ISO 12233:2017, Annex D (e-SFR).

One row after another crosses the edge at another fraction of a pixel, so all rows together sample the edge four times
finer than the pixels do. Departures from the standard, each for a reason: the edge is fitted by a parabola, since
distortion bends it (as the 2023 edition allows); the width of the bins is corrected for, as the derivative is; the
window is flat in the middle (Tukey) instead of Hamming's, whose bias a sharp lens can afford and a blurred one cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.faults import NoEdgeError

Float64 = NDArray[np.float64]
Picture = NDArray[np.float32] | Float64

OVERSAMPLING = 4
"""Bins a pixel (ISO 12233:2017, D.2)."""

LEAST_SLANT_DEG, MOST_SLANT_DEG = 1.5, 20.0
"""Below, too few phases; above, the correction by the cosine grows and bins empty."""

LEAST_ROWS = 16
LEAST_CONTRAST = 0.2
"""Michelson contrast between the sides of the edge, below which noise decides."""

WINDOW_WIDTHS = 2.2
"""Half width of the window in 10–90 % widths of the edge: a disc of radius r rises in 1.37·r, and ends at r."""

LEAST_WINDOW_PX = 5.0
FIT_ROUNDS = 4
EDGE_DEGREE = 2
FLAT_SHARE = 0.5
"""Share of the window that is flat."""

SPECTRUM_POINTS = 4096
"""With zeros behind the line, one value every 0.001 cycles per px."""

MTF50_LEVEL = 0.5
HIGHEST_FREQUENCY = 1.0
DISC_AT_HALF_CONTRAST = 2.2150894
"""x where the disc's transfer function 2·J1(x)/x falls to one half; x = 2π·radius·frequency."""


@dataclass(frozen=True, slots=True, eq=False)
class EdgeMtf:
    """What one edge shows.

    frequency    cycles per px along the edge's normal, float64 (N,), from 0 to HIGHEST_FREQUENCY
    modulation   the same shape; 1 at frequency 0
    mtf50        cycles per px where modulation falls to one half
    slant_deg    angle between edge and pixel column
    contrast     Michelson contrast of its two sides
    rise_px      distance from 10 % to 90 % along the normal
    """

    frequency: Float64
    modulation: Float64
    mtf50: float
    slant_deg: float
    contrast: float
    rise_px: float


def edge_mtf(patch: Picture, black_dn: float = 0.0) -> EdgeMtf:
    """The MTF of one nearly upright or nearly level edge that crosses the whole patch; linear light, (height, width).

    Raises NoEdgeError where there is none, or none of a usable slant.
    """
    upright = _upright(np.asarray(patch, np.float64) - black_dn)
    dark, light = _sides(upright)
    contrast = (light - dark) / max(light + dark, 1e-6)
    if contrast < LEAST_CONTRAST:
        raise NoEdgeError(f"the edge's contrast is {contrast:.2f}; at least {LEAST_CONTRAST} is needed: print darker")
    curve = _edge_curve(upright)
    middle = upright.shape[0] / 2
    slope = float(np.polyval(np.polyder(curve), middle))
    slant_deg = math.degrees(math.atan(slope))
    if not LEAST_SLANT_DEG <= abs(slant_deg) <= MOST_SLANT_DEG:
        raise NoEdgeError(
            f"the edge leans by {slant_deg:.1f}°; {LEAST_SLANT_DEG} to {MOST_SLANT_DEG}° is needed: turn the chart"
        )
    spread, step = _edge_spread(upright, curve, slope)
    rise_px = _rise(spread, dark, light) * step
    line = np.convolve(spread, [0.5, 0.0, -0.5], mode="same")[1:-1]  # ISO 12233:2017, D.3: central differences
    line = line * math.copysign(1.0, line.sum())
    line = line * _window(line, max(WINDOW_WIDTHS * rise_px, LEAST_WINDOW_PX) / step)
    frequency = np.linspace(0.0, HIGHEST_FREQUENCY, 401)
    spectrum = np.abs(np.fft.rfft(line, SPECTRUM_POINTS))
    found = np.interp(frequency, np.fft.rfftfreq(SPECTRUM_POINTS, step), spectrum)
    # np.sinc(x) is sin(πx)/(πx): differences over two steps, and the mean over one bin
    modulation = found / abs(line.sum()) / (np.sinc(2 * step * frequency) * np.sinc(step * frequency))
    return EdgeMtf(frequency, modulation, falls_to(frequency, modulation), slant_deg, contrast, rise_px)


def falls_to(frequency: Float64, modulation: Float64, level: float = MTF50_LEVEL) -> float:
    """The first frequency at which modulation falls to `level`; the highest one if it never does."""
    below = np.flatnonzero(modulation < level)
    if len(below) == 0 or below[0] == 0:
        return float(frequency[-1])
    last = int(below[0]) - 1
    share = (modulation[last] - level) / (modulation[last] - modulation[last + 1])
    return float(frequency[last] + share * (frequency[last + 1] - frequency[last]))


def blur_px_of(frequency: Float64, modulation: Float64) -> float:
    """Radius of the disc with the same MTF50 as lens and defocus, without the pixel's own square; px.

    The unit of the classifier's `blur_px`. The square pixel's sinc is divided out before.
    """
    usable = frequency < 0.8  # beyond, the pixel's sinc leaves nothing to divide
    optics = modulation[usable] / np.sinc(frequency[usable])
    return DISC_AT_HALF_CONTRAST / (2 * math.pi * falls_to(frequency[usable], optics))


def _upright(patch: Float64) -> Float64:
    """The patch with its edge nearly upright and dark on the left."""
    if min(patch.shape) < LEAST_ROWS:
        raise NoEdgeError(
            f"the patch is {patch.shape[1]} × {patch.shape[0]} px; at least {LEAST_ROWS} a side are needed"
        )
    across = abs(np.diff(patch.mean(axis=0))).max()
    along = abs(np.diff(patch.mean(axis=1))).max()
    upright = patch if across >= along else patch.T
    quarter = max(upright.shape[1] // 4, 1)
    return upright if upright[:, :quarter].mean() <= upright[:, -quarter:].mean() else upright[:, ::-1]


def _sides(upright: Float64) -> tuple[float, float]:
    """Light of the dark and the light side, from the outer eighths."""
    eighth = max(upright.shape[1] // 8, 2)
    return float(np.median(upright[:, :eighth])), float(np.median(upright[:, -eighth:]))


def _edge_curve(upright: Float64) -> Float64:
    """Coefficients of the parabola x(y) through the edge: centroids of the derivative, row by row, in a window that
    follows the fit of the round before (ISO 12233:2017, D.2.1 with a window)."""
    height, width = upright.shape
    slope = np.clip(np.diff(upright, axis=1), 0.0, None)
    x, y = np.arange(width - 1) + 1.0, np.arange(height) + 0.5  # between pixels
    half = float(width)
    curve = np.zeros(1)
    for round_number in range(FIT_ROUNDS):
        if round_number == 0:
            weight = slope * (slope > 0.3 * slope.max(axis=1, keepdims=True))
        else:
            weight = slope * (np.abs(x[None, :] - np.polyval(curve, y)[:, None]) <= half)
        mass = weight.sum(axis=1)
        usable = mass > 0.3 * np.median(mass)
        if np.count_nonzero(usable) < LEAST_ROWS // 2:
            raise NoEdgeError("no edge runs through the patch from border to border; aim at the chart's squares")
        centroid = (weight @ x)[usable] / mass[usable]
        curve = np.polyfit(y[usable], centroid, 1 if round_number < 2 else EDGE_DEGREE)
        away = np.abs(centroid - np.polyval(curve, y[usable]))
        half = max(width / 4 / (round_number + 1), 4.0, 3 * float(np.median(away)))
    if (away > max(1.0, half / 2)).mean() > 0.2:
        raise NoEdgeError("the edge is not straight; keep the chart flat and aim at its squares")
    return np.asarray(curve, np.float64)


def _edge_spread(upright: Float64, curve: Float64, slope: float) -> tuple[Float64, float]:
    """Mean light in bins of the distance from the edge, and the width of a bin along the edge's normal, px."""
    height, width = upright.shape
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    away = x[None, :] - np.polyval(curve, y)[:, None]
    reach = math.floor(min(-away.max(axis=0)[0], away.min(axis=0)[-1]))
    if reach < LEAST_WINDOW_PX:
        raise NoEdgeError("the edge runs too close to the patch's border; aim so that it runs through the middle")
    number = np.floor((away + reach) * OVERSAMPLING).astype(np.int64).ravel()
    count = 2 * reach * OVERSAMPLING
    inside = (number >= 0) & (number < count)
    total = np.bincount(number[inside], upright.ravel()[inside], count)
    hits = np.bincount(number[inside], minlength=count)
    filled = hits > 0
    if filled.mean() < 0.7:
        raise NoEdgeError("too few rows for this slant; take a longer edge")
    spread = np.interp(np.arange(count), np.flatnonzero(filled), total[filled] / hits[filled])
    return spread, math.cos(math.atan(slope)) / OVERSAMPLING


def _rise(spread: Float64, dark: float, light: float) -> float:
    """Bins from 10 % to 90 % of the way between the sides."""
    share = (spread - dark) / (light - dark)
    middle = len(share) // 2
    low = np.flatnonzero(share[: middle + len(share) // 4] < 0.1)
    high = np.flatnonzero(share[middle - len(share) // 4 :] > 0.9)
    if len(low) == 0 or len(high) == 0:
        raise NoEdgeError("the blur is wider than the patch; come into focus first")
    return float(max(high[0] + middle - len(share) // 4 - low[-1], 1))


def _window(line: Float64, half_bins: float) -> Float64:
    """A Tukey window about the line's centroid: flat over FLAT_SHARE of `half_bins`, a cosine down to 0 at its end."""
    place = np.arange(len(line), dtype=np.float64)
    quarter = len(line) // 4
    core = np.clip(line, 0.0, None)
    core[:quarter] = core[-quarter:] = 0.0
    centre = float((core @ place) / max(core.sum(), 1e-12))
    half = min(half_bins, centre, len(line) - 1 - centre)
    share = np.clip((np.abs(place - centre) / half - FLAT_SHARE) / (1 - FLAT_SHARE), 0.0, 1.0)
    return np.asarray(0.5 * (1 + np.cos(np.pi * share)), np.float64)
