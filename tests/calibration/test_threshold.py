"""The operating point: over random devices its promise is kept as often as it says, and counting tiles would not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from calibration.threshold import (
    GRID,
    Labelled,
    OperatingPoint,
    TooFew,
    clopper_pearson_upper,
    evidence,
    false_passes,
    fewest_pictures,
    operating_point,
    rate_bound,
)
from models.errors import InputError

TILES = 60
WORLDS = 400
COARSE = GRID[::6]


def pictures_of(rng: np.random.Generator, count: int, spread: float, skill: float) -> Labelled:
    """Pictures of a random device. Scores of one picture share an offset: its tiles err together."""
    share = rng.choice([0.0, 0.2, 1.0], size=count, p=[0.35, 0.15, 0.5])
    sharp = rng.random((count, TILES)) > share[:, None]
    offset = rng.normal(0.0, spread, size=(count, 1))
    score = np.where(sharp, skill, -skill) + offset + rng.normal(0.0, 1.0, size=(count, TILES))
    p = 1.0 / (1.0 + np.exp(-score))
    return Labelled(p.ravel(), sharp.ravel(), np.repeat(np.arange(count), TILES))


def true_rate(tiles: Labelled, threshold: float) -> float:
    return float((tiles.p_in_focus >= threshold)[~tiles.in_focus].mean())


@pytest.mark.parametrize(("spread", "alpha"), [(0.3, 0.05), (1.2, 0.1), (2.0, 0.1)])
def test_over_random_devices_the_rate_exceeds_alpha_in_no_more_than_delta_of_them(spread: float, alpha: float) -> None:
    delta = 0.1
    rng = np.random.default_rng(round(100 * spread))
    skill = 1.5
    fresh = pictures_of(rng, 20_000, spread, skill)
    broken, chosen = 0, 0
    for _ in range(WORLDS):
        found = operating_point(
            pictures_of(rng, 150, spread, skill), alpha=alpha, delta=delta, most_tiles=TILES, grid=COARSE
        )
        if isinstance(found, OperatingPoint):
            chosen += 1
            broken += true_rate(fresh, found.threshold) > alpha
    assert chosen > WORLDS // 2
    assert broken <= stats.binom.ppf(0.999, WORLDS, delta)


def test_counting_tiles_as_if_they_were_independent_breaks_the_promise() -> None:
    """The very thing that counting by pictures is for; if this passed, the test above would show nothing."""
    rng, delta, alpha = np.random.default_rng(5), 0.1, 0.1
    fresh = pictures_of(rng, 20_000, 2.0, 1.5)
    broken = 0
    for _ in range(100):
        tiles = pictures_of(rng, 60, 2.0, 1.5)
        blurred = tiles.p_in_focus[~tiles.in_focus]
        passing = [t for t in COARSE if clopper_pearson_upper(int((blurred >= t).sum()), blurred.size, delta) <= alpha]
        broken += true_rate(fresh, min(passing)) > alpha
    assert broken > 30


@given(st.integers(0, 2**31), st.floats(0.01, 0.3), st.floats(0.01, 0.3))
@settings(max_examples=40, deadline=None)
def test_the_chosen_threshold_lies_on_the_grid_and_its_bound_keeps_alpha(seed: int, alpha: float, delta: float) -> None:
    tiles = pictures_of(np.random.default_rng(seed), 120, 0.5, 3.0)
    found = operating_point(tiles, alpha=alpha, delta=delta, most_tiles=TILES, grid=COARSE)
    if isinstance(found, OperatingPoint):
        assert found.threshold in COARSE
        assert found.rate <= found.bound <= alpha + 1e-9
        assert found.pictures <= 120


@given(st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_pictures_does_not_matter(order: list[int]) -> None:
    errors = np.array([0, 0, 1, 0, 2, 0, 0, 0, 0, 5, 0, 0], float)
    blurred = np.full(12, 40.0)
    shuffled = np.array(order)
    assert evidence(errors[shuffled], blurred, 60, 0.1) == pytest.approx(evidence(errors, blurred, 60, 0.1))


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_the_bound_grows_with_every_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blurred = rng.integers(1, 60, size=30).astype(float)
    errors = np.floor(blurred * rng.random(30) * 0.2)
    worse = np.minimum(errors + (rng.random(30) < 0.3), blurred)
    assert rate_bound(worse, blurred, 60, 0.05) >= rate_bound(errors, blurred, 60, 0.05) - 1e-9


def test_pictures_without_blurred_tiles_prove_nothing() -> None:
    some, none = np.full(20, 60.0), np.zeros(500)
    alone = rate_bound(np.zeros(20), some, 60, 0.05)
    together = rate_bound(np.zeros(520), np.concatenate([some, none]), 60, 0.05)
    assert together == pytest.approx(alone)


def test_too_few_pictures_are_told_how_many_more_would_do() -> None:
    rng = np.random.default_rng(3)
    few = pictures_of(rng, 30, 0.2, 6.0)
    found = operating_point(few, alpha=0.05, delta=0.05, most_tiles=TILES)
    assert isinstance(found, TooFew)
    assert found.more is not None
    again = pictures_of(rng, 30 + 4 * found.more, 0.2, 6.0)
    assert isinstance(operating_point(again, alpha=0.05, delta=0.05, most_tiles=TILES), OperatingPoint)


def test_no_number_of_pictures_helps_a_model_that_cannot_tell() -> None:
    p = np.full(600, 0.999)
    tiles = Labelled(p, np.zeros(600, bool), np.repeat(np.arange(10), 60))
    found = operating_point(tiles, alpha=0.05, delta=0.05, most_tiles=TILES)
    assert isinstance(found, TooFew)
    assert found.more is None
    assert found.rate == 1.0


def test_without_any_blurred_tile_the_fewest_pictures_are_named() -> None:
    tiles = Labelled(np.ones(4), np.ones(4, bool), np.arange(4))
    found = operating_point(tiles, alpha=0.05, delta=0.05, most_tiles=TILES)
    assert isinstance(found, TooFew)
    assert found.more == fewest_pictures(0.05, 0.05)
    # at best the 59 of Clopper and Pearson, log(0.05) / log(0.95); at worst those and the weight of the largest stake
    assert math.log(0.05) / math.log(0.95) <= found.more <= math.log(0.025) / math.log(0.95) + 1


def test_clopper_and_pearsons_bound_is_the_one_in_the_tables() -> None:
    assert clopper_pearson_upper(0, 59, 0.05) == pytest.approx(1.0 - 0.05 ** (1 / 59))
    assert stats.binom.cdf(3, 100, clopper_pearson_upper(3, 100, 0.05)) == pytest.approx(0.05)
    assert clopper_pearson_upper(5, 5, 0.05) == 1.0
    with pytest.raises(InputError, match="allowed are 0 to all"):
        clopper_pearson_upper(6, 5, 0.05)


def test_a_picture_passes_falsely_only_if_too_little_of_it_is_in_focus() -> None:
    sharp = np.array([True] * 9 + [False] + [True] * 8 + [False] * 2)
    tiles = Labelled(np.ones(20), sharp, np.repeat([0, 1], 10))
    found = false_passes(tiles, 0.5, 90, 0.05)
    assert (found.errors, found.pictures) == (1, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"delta": 1.0}, "alpha"),
        ({"grid": (0.5, 0.6)}, "fall"),
        ({"most_tiles": 3}, "field"),
    ],
)
def test_settings_that_mean_nothing_are_refused(values: dict[str, object], message: str) -> None:
    tiles = Labelled(np.zeros(10), np.zeros(10, bool), np.zeros(10, np.int64))
    with pytest.raises(InputError, match=message):
        operating_point(tiles, **({"alpha": 0.1, "delta": 0.1, "most_tiles": 60} | values))  # type: ignore[arg-type]


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="0 to 1"):
        Labelled(np.array([math.nan]), np.array([True]), np.array([0]))
    with pytest.raises(InputError, match="same length"):
        Labelled(np.zeros(2), np.array([True]), np.array([0]))
