"""Samples whose truth is set by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from models.training.samples import Samples


@pytest.fixture
def samples_of() -> Callable[..., Samples]:
    """One picture a radius: noise, whose truth says that much detail is there and seen."""
    from models.training.optics import EDGES_PX
    from models.training.samples import SIDE, Samples

    def make(radius_px: list[float], motion_px: float = 0.0) -> Samples:
        count = len(radius_px)
        tiles = (count, 3, 3)
        radius = np.repeat(np.array(radius_px, np.float32), 9).reshape(tiles)
        full = {
            "luma": np.random.default_rng(1).integers(0, 255, (count, SIDE, SIDE), np.uint8),
            "radius_px": radius,
            "within": (radius[..., None] <= np.array(EDGES_PX)).astype(np.float32),
            "motion_px": np.full(tiles, motion_px, np.float32),
            "source": np.full(tiles, 9.0, np.float32),
            "visible": np.full(tiles, 20.0, np.float32),
            "detail": np.full(tiles, 20.0, np.float32),
            "noise": np.full(tiles, 1.0, np.float32),
            "saturated": np.zeros(tiles, np.float32),
            "mean": np.full(tiles, 120.0, np.float32),
        }
        return Samples(**full)  # type: ignore[arg-type]

    return make
