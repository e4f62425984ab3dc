"""Temperature scaling: one number that makes this device's probabilities mean what they say.

p' = sigmoid(logit(p) / T), with the T that makes the labels likeliest (Guo, Pleiss, Sun, Weinberger, "On calibration
of modern neural networks", ICML 2017, section 4.2). T above 1: the model was too sure of itself on this device. The
order of tiles does not change, so a threshold moves along with it and no verdict becomes another by it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.extra import scipy_module
from calibration.threshold import Labelled
from models.scores import CERTAIN, tempered

Float = NDArray[np.float64]

SMALLEST, LARGEST = 0.1, 10.0
"""Beyond these a model is not miscalibrated, but wrong."""

BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bin of probability: what was said on average, how often it was so, and of how many tiles."""

    said: float
    was: float
    tiles: int


@dataclass(frozen=True, slots=True)
class Temperature:
    """The temperature and what it did; log losses in nats a tile, every picture with the same weight."""

    value: float
    loss_before: float
    loss_after: float
    error_before: float
    error_after: float


def fit_temperature(tiles: Labelled) -> Temperature:
    """The temperature of one device, from tiles whose truth is known. Every picture has the same weight.

    Without tiles of both kinds nothing can be learned, and it is 1. Raises InputError if SciPy is missing.
    """
    weight = _weights(tiles)
    if not tiles.in_focus.any() or tiles.in_focus.all():
        return Temperature(1.0, 0.0, 0.0, 0.0, 0.0)

    def loss(log_temperature: float) -> float:
        return _loss(_scaled(tiles.p_in_focus, float(np.exp(log_temperature))), tiles, weight)

    bounds = (float(np.log(SMALLEST)), float(np.log(LARGEST)))
    found = scipy_module("optimize").minimize_scalar(loss, bounds=bounds, method="bounded")
    value = round(float(np.exp(found.x)), 4)
    after = _scaled(tiles.p_in_focus, value)
    return Temperature(
        value,
        loss(0.0),
        _loss(after, tiles, weight),
        calibration_error(reliability(tiles.p_in_focus, tiles.in_focus)),
        calibration_error(reliability(after, tiles.in_focus)),
    )


def scaled(tiles: Labelled, temperature: float) -> Labelled:
    """The same tiles with probabilities at another temperature, as the device computes them."""
    return Labelled(_scaled(tiles.p_in_focus, temperature), tiles.in_focus, tiles.picture)


def reliability(p: Float, was: NDArray[np.bool_], bins: int = BINS) -> tuple[Reliability, ...]:
    """What was said against how often it was so, in equal bins of probability that hold a tile at all."""
    index = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    said, true = (np.bincount(index, weights=values, minlength=bins) for values in (p, was.astype(np.float64)))
    return tuple(
        Reliability(float(said[k] / count[k]), float(true[k] / count[k]), int(count[k]))
        for k in range(bins)
        if count[k]
    )


def calibration_error(bins: tuple[Reliability, ...]) -> float:
    """Mean difference between said and so, weighted by tiles (Naeini, Cooper, Hauskrecht, AAAI 2015)."""
    tiles = sum(each.tiles for each in bins)
    return sum(each.tiles * abs(each.said - each.was) for each in bins) / tiles if tiles else 0.0


def _scaled(p: Float, temperature: float) -> Float:
    return tempered(p.astype(np.float32), temperature).astype(np.float64)


def _weights(tiles: Labelled) -> Float:
    names, picture = np.unique(tiles.picture, return_inverse=True)
    return 1.0 / np.bincount(picture, minlength=len(names))[picture] if names.size else np.ones(0)


def _loss(p: Float, tiles: Labelled, weight: Float) -> float:
    held = np.clip(p, CERTAIN, 1.0 - CERTAIN)
    losses = -np.where(tiles.in_focus, np.log(held), np.log1p(-held))
    return float((weight * losses).sum() / weight.sum())
