"""Point spread functions on the pixel grid whose second moments are exactly those of the continuous shapes."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float32]

SUBSAMPLES = 16
"""Points a side into which a pixel is divided where the disc's rim crosses it."""

SHORT_SMEAR_PX = 3.0
"""Up to here a smear is nine weights with exact moments (all weights positive up to 3.46 px)."""

BISECTIONS = 30


@lru_cache(maxsize=128)
def disc_kernel(radius_px: float) -> Kernel:
    """A uniform disc, float32 of odd square shape, sum 1, with variance radius²/4 along each axis.

    A disc sampled by pixel area is wider than the disc itself (by up to 1/12 px² of variance), so the disc drawn is
    slightly smaller, such that what comes out has the variance asked for. Radius 0 gives one pixel of weight 1.
    """
    if radius_px <= 0:
        return np.ones((1, 1), np.float32)
    low, high = 0.0, radius_px + 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if variance(_area_disc(middle)) < radius_px**2 / 4:
            low = middle
        else:
            high = middle
    return _area_disc(high).astype(np.float32)


def _area_disc(radius_px: float) -> NDArray[np.float64]:
    """The share of every pixel that a disc around the middle pixel's centre covers, scaled to sum 1."""
    reach = max(math.ceil(radius_px - 0.5), 0)
    fine = (np.arange((2 * reach + 1) * SUBSAMPLES) + 0.5) / SUBSAMPLES - reach - 0.5
    # One axis of each pixel exactly, by the chord's length; the other by sampling.
    chord = np.sqrt(np.maximum(radius_px**2 - fine**2, 0.0))
    edges = np.arange(2 * reach + 2) - reach - 0.5
    covered = np.clip(edges[None, 1:], -chord[:, None], chord[:, None]) - np.clip(
        edges[None, :-1], -chord[:, None], chord[:, None]
    )
    area = covered.reshape(2 * reach + 1, SUBSAMPLES, -1).sum(axis=1)
    area = area + area.T  # the sampled axis takes turns, so the disc is symmetric
    total = float(area.sum())
    if total == 0.0:
        area[reach, reach] = total = 1.0
    return np.asarray(area / total, np.float64)


def variance(kernel: NDArray[np.float64] | Kernel) -> float:
    """Variance of a kernel about its middle pixel, px², averaged over both axes."""
    offset = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    weight = np.asarray(kernel, np.float64)
    return float((weight * (offset[:, None] ** 2 + offset[None, :] ** 2)).sum() / 2 / weight.sum())


def line_kernel(dx_px: float, dy_px: float) -> Kernel:
    """A straight smear of the given extent, float32 of odd square shape, sum 1, with variance length²/12 along it."""
    length = math.hypot(dx_px, dy_px)
    if length <= SHORT_SMEAR_PX:
        return _short_line(dx_px, dy_px)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):  # spreading points over their neighbours widens the line: shorten it by as much
        middle = (low + high) / 2
        if 2 * variance(_dotted_line(dx_px * middle, dy_px * middle)) < length**2 / 12:
            low = middle
        else:
            high = middle
    return _dotted_line(dx_px * high, dy_px * high).astype(np.float32)


def _short_line(dx_px: float, dy_px: float) -> Kernel:
    """Nine weights with the smear's variance along both axes; its direction as far as eight neighbours can show it."""
    xx, yy, xy = dx_px**2 / 12, dy_px**2 / 12, dx_px * dy_px / 12
    diagonal = min(abs(xy), xx, yy) / 2
    kernel = np.zeros((3, 3))
    kernel[1, 0] = kernel[1, 2] = xx / 2 - diagonal
    kernel[0, 1] = kernel[2, 1] = yy / 2 - diagonal
    if xy >= 0:
        kernel[0, 0] = kernel[2, 2] = diagonal
    else:
        kernel[0, 2] = kernel[2, 0] = diagonal
    kernel[1, 1] = 1 - kernel.sum()
    return kernel.astype(np.float32)


def _dotted_line(dx_px: float, dy_px: float) -> NDArray[np.float64]:
    """Points along the smear, each shared among its four neighbouring pixels."""
    reach = math.ceil(max(abs(dx_px), abs(dy_px)) / 2) + 1
    count = 8 * reach + 1
    along = (np.arange(count) + 0.5) / count - 0.5
    x, y = along * dx_px + reach, along * dy_px + reach
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = x - column, y - row
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    np.add.at(kernel, (row, column), (1 - right) * (1 - down))
    np.add.at(kernel, (row, column + 1), right * (1 - down))
    np.add.at(kernel, (row + 1, column), (1 - right) * down)
    np.add.at(kernel, (row + 1, column + 1), right * down)
    return kernel / count
