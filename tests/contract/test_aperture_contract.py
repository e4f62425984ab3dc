"""What every aperture keeps, whatever drives it. A new driver is one line in APERTURES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from device.aperture.fixed import FixedAperture
from device.aperture.protocol import Aperture
from device.aperture.simulated import SimulatedAperture
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld


@cache
def small_world() -> SimulatedWorld:
    return SimulatedWorld(WorldSettings(width=128, height=128))


APERTURES: dict[str, Callable[[], Aperture]] = {
    "simulated": lambda: SimulatedAperture(small_world()),
    "fixed": lambda: FixedAperture(4.0),
    "unknown": lambda: FixedAperture(None),
}


@pytest.fixture(params=list(APERTURES))
def aperture(request: pytest.FixtureRequest) -> Iterator[Aperture]:
    made = APERTURES[request.param]()
    yield made
    made.close()


def test_f_numbers_rise(aperture: Aperture) -> None:
    assert list(aperture.f_numbers) == sorted(set(aperture.f_numbers))


def test_the_position_is_one_of_the_f_numbers_or_unknown(aperture: Aperture) -> None:
    assert aperture.f_number in (*aperture.f_numbers, None)


@pytest.mark.parametrize("steps", [0, 1, -1, 1000, -1000])
def test_a_move_ends_within_the_limits_and_says_where(aperture: Aperture, steps: int) -> None:
    found = aperture.move(steps)
    assert found == aperture.f_number
    assert found in (*aperture.f_numbers, None)


def test_closing_raises_the_f_number_and_opening_lowers_it_where_there_is_room(aperture: Aperture) -> None:
    if len(aperture.f_numbers) < 2:
        assert aperture.move(1) == aperture.move(-1)
        return
    aperture.move(-1000)
    wide = aperture.f_number
    assert wide is not None
    closed = aperture.move(1)
    assert closed is not None
    assert closed > wide
    assert aperture.move(-1) == wide


def test_it_can_be_closed_twice(aperture: Aperture) -> None:
    aperture.close()
    aperture.close()
