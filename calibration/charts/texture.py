"""A fine random texture for focus: sharp-edged blobs in several octaves, so that every blur takes something away."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_CELLS = 2048
OCTAVES = 7
"""Blobs of about 2, 4, … 128 cells."""

PRINTED_OCTAVES = 4

DARKEST, LIGHTEST = 0.08, 0.88
"""Reflectance between toner and paper."""


@lru_cache(maxsize=8)
def texture_cells(seed: int = 0, side: int = SIDE_CELLS, octaves: int = OCTAVES) -> NDArray[np.float32]:
    """Reflectance 0 to 1, float32 (side, side): the mean of `octaves` two-valued patterns, each twice as coarse."""
    rng = np.random.default_rng([seed, 41])
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        coarse = max(side // 2 ** (octave + 1), 2)
        noise = rng.standard_normal((coarse, coarse), dtype=np.float32)
        total += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) > 0
    spread = LIGHTEST - DARKEST
    return np.asarray(DARKEST + np.float32(spread / octaves) * total, np.float32)


def printed_cells(side: int, seed: int = 0) -> NDArray[np.bool_]:
    """In black and white for print, where grey would become dots: True = paper, bool (side, side).

    Only blobs of about 2 to 16 cells, so that every tile of a picture shows some.
    """
    total = texture_cells(seed, -(-side // 128) * 128, PRINTED_OCTAVES)[:side, :side]
    return np.asarray(total > np.median(total), np.bool_)
