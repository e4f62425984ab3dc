"""Luma made linear: what MTF, flat field and photon transfer must be measured on."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Tone = Literal["linear", "srgb"]
"""Curve between light and luma. "srgb": IEC 61966-2-1, which the camera's own curve resembles; measure the real one by
photon transfer or a grey wedge where more than a few percent matter."""

FULL_SCALE_DN = 255.0


@lru_cache(maxsize=4)
def _table(tone: Tone) -> NDArray[np.float32]:
    shown = np.arange(256, dtype=np.float64) / FULL_SCALE_DN
    curved = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    light = shown if tone == "linear" else curved
    return (FULL_SCALE_DN * light).astype(np.float32)


def linear_dn(luma: NDArray[np.uint8], tone: Tone = "linear") -> NDArray[np.float32]:
    """Light in units of 1/255 of full scale, float32 of the same shape; the black level is still in it."""
    return np.asarray(_table(tone)[luma], np.float32)
