"""Pictures of simulated devices, taken once for all tests of calibration."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from device.simulation.unit import Unit, drawn_unit, fitting_exposure_us, picture

Shoot = Callable[..., NDArray[np.uint8]]


@lru_cache(maxsize=16)
def _unit(seed: int) -> Unit:
    return drawn_unit(seed, width=1296, height=972)


@lru_cache(maxsize=64)
def _shot(seed: int, target: str, fill: float, more: tuple[tuple[str, object], ...]) -> NDArray[np.uint8]:
    unit = _unit(seed)
    options = dict(more)
    options.setdefault("exposure_us", fitting_exposure_us(unit, fill=fill))
    return picture(unit, target, **options)


@pytest.fixture(scope="session")
def half_unit() -> Callable[[int], Unit]:
    """The drawn unit with this seed, at half the sensor's size."""
    return _unit


@pytest.fixture(scope="session")
def shoot() -> Shoot:
    """shoot(device, target, fill=0.7, **options of `picture`) -> luma; the same call is taken only once."""

    def shot(device: int, target: str, fill: float = 0.7, **more: object) -> NDArray[np.uint8]:
        return _shot(device, target, fill, tuple(sorted(more.items())))

    return shot
