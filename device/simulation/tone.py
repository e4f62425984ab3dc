"""From light to display values and back, and the weights of luma."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

TONE_STEPS = 16384
"""Entries of the tone curve's table; finer than an 8-bit step everywhere."""


def luma_weights() -> Float32:
    """Weights of red, green and blue in luma (ITU-R BT.601)."""
    return np.array([0.299, 0.587, 0.114], np.float32)


def to_linear(displayed: NDArray[np.floating[Any]]) -> Float32:
    """Linear light of displayed values 0 to 1 (IEC 61966-2-1), any shape."""
    high = ((displayed + 0.055) / 1.055) ** 2.4
    return np.where(displayed <= 0.04045, displayed / 12.92, high).astype(np.float32)


def to_displayed(linear: NDArray[np.floating[Any]]) -> Float32:
    """Displayed values 0 to 1 of linear light, clipped to 0 to 1 (IEC 61966-2-1), any shape."""
    light = np.clip(linear, 0.0, 1.0)
    return np.asarray(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055), np.float32)


@lru_cache(maxsize=1)
def tone_table() -> NDArray[np.uint8]:
    """Display values 0 to 255 for linear light of 0 to 1 in `TONE_STEPS` equal steps, uint8."""
    light = np.arange(TONE_STEPS, dtype=np.float32) / (TONE_STEPS - 1)
    table = np.rint(255 * to_displayed(light)).astype(np.uint8)
    table.flags.writeable = False
    return table
