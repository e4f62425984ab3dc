"""The iris from a sweep both ways: f-numbers, play, stops and scatter are found; a jam or a flicker is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.aperture import ApertureResult, Sample, Sweep, aperture_table, f_number_at, takes_over
from models.errors import InputError

PLACES = np.linspace(0.0, 1.0, 25)
WIDEST = 2.4


class Iris:
    """Follows the actuator with play, between stops, with scatter; closes with the position, or opens."""

    def __init__(self, seed: int, *, play: float, scatter: float = 0.0, closes: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.play, self.scatter, self.closes = play, scatter, closes
        self.low, self.high = 0.02, 0.97
        self.held = self.low
        self.where = self.low

    def go(self, position: float) -> None:
        held = min(max(self.held, position - self.play / 2), position + self.play / 2)
        held = min(max(held, self.low), self.high)
        if held != self.held:
            self.where = min(max(held + self.scatter * float(self.rng.standard_normal()), self.low), self.high)
        self.held = held

    def f_number(self) -> float:
        share = (self.where - self.low) / (self.high - self.low)
        return WIDEST * 7.0 ** (share if self.closes else 1.0 - share)

    def sample(self, position: float) -> Sample:
        self.go(position)
        return Sample(position, 50.0 / self.f_number() ** 2)


def sweep_of(iris: Iris) -> Sweep:
    iris.go(0.0)
    up = tuple(iris.sample(float(place)) for place in PLACES)
    down = tuple(iris.sample(float(place)) for place in PLACES[::-1])
    again = []
    for place in (0.3, 0.5, 0.7):
        visits = []
        for _ in range(30):
            iris.go(0.0)
            visits.append(iris.sample(place))
        again.append(tuple(visits))
    return Sweep(up, down, tuple(again), (0.4, 0.5, 0.6))


@pytest.mark.parametrize("closes", [True, False])
@given(st.floats(0.0, 0.1), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_f_numbers_are_found_within_two_percent_and_play_within_a_hundredth(
    closes: bool, play: float, seed: int
) -> None:
    iris = Iris(seed, play=play, closes=closes)
    iris.go(1.0)
    if closes:
        iris.go(0.0)
    widest = iris.f_number()  # with much play a stop is not reached
    found = aperture_table(sweep_of(iris), widest)
    assert found.backlash == pytest.approx(play, abs=0.01)
    for place in np.linspace(0.15, 0.95, 9):
        iris.go(0.0)
        iris.go(float(place))
        assert f_number_at(found, float(place)) == pytest.approx(iris.f_number(), rel=0.02)
    assert found.lowest == pytest.approx(max(iris.low + play / 2, play), abs=0.01)
    assert found.highest == pytest.approx(min(iris.high + play / 2, 1.0), abs=0.01)
    assert found.move_s == 0.5


def test_the_table_rises_in_f_number_and_its_light_falls() -> None:
    found = aperture_table(sweep_of(Iris(1, play=0.03, scatter=0.001)), WIDEST)
    assert (np.diff(found.f_numbers) > 0).all()
    assert (np.diff(found.relative_light) < 0).all()
    assert found.f_numbers[0] == pytest.approx(WIDEST)


def test_scatter_is_told_from_play() -> None:
    found = aperture_table(sweep_of(Iris(2, play=0.05, scatter=0.004)), WIDEST)
    assert found.repeatability == pytest.approx(0.004, rel=0.25)
    assert found.backlash == pytest.approx(0.05, abs=0.01)
    assert aperture_table(replace(sweep_of(Iris(2, play=0.05)), again=()), WIDEST).repeatability == 0.0


def test_what_is_no_sweep_is_refused_with_what_to_do() -> None:
    good = sweep_of(Iris(3, play=0.02))
    still = tuple(Sample(each.position, 1.0) for each in good.up)
    flicker = tuple(
        replace(each, light=each.light * (4.0 if index == 12 else 1.0)) for index, each in enumerate(good.up)
    )
    dark = (replace(good.up[0], light=0.0), *good.up[1:])
    for wrong, message in (
        (replace(good, up=good.up[:3]), "at least 6"),
        (replace(good, up=still), "is the iris connected"),
        (replace(good, up=flicker), "wrong way"),
        (replace(good, up=dark), "no light"),
        (replace(good, up=(good.up[0], *good.up)), "occurs twice"),
    ):
        with pytest.raises(InputError, match=message):
            aperture_table(wrong, WIDEST)
    with pytest.raises(InputError, match="above 0"):
        aperture_table(good, 0.0)


def test_where_something_takes_over_lies_between_points() -> None:
    f_numbers = (2.0, 4.0, 8.0)
    assert takes_over(f_numbers, (1.0, 2.0, 4.0), 3.0, above=True) == pytest.approx(6.0)
    assert takes_over(f_numbers, (30.0, 20.0, 10.0), 15.0, above=False) == pytest.approx(6.0)
    assert takes_over(f_numbers, (1.0, 2.0, 3.0), 5.0, above=True) is None
    assert takes_over(f_numbers, (6.0, 7.0, 8.0), 5.0, above=True) == 2.0
    assert math.isclose(f_number_at(ApertureResult((2.0, 8.0), (1.0, 0.0), (1.0, 0.0625), 0, 0, 0, 1, 0), 0.5), 4.0)
