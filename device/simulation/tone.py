"""From light to display values and back, and the weights of luma."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


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
