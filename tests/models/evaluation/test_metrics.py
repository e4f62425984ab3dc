"""The figures agree with their definitions computed by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.evaluation.metrics import (
    RESAMPLES,
    Bin,
    Rates,
    auc,
    best_threshold,
    calibration_error,
    drawn_scenes,
    interval,
    rates,
    reliability,
    roc,
)

Scores = NDArray[np.float64]
Bools = NDArray[np.bool_]

pairs = st.lists(
    st.tuples(st.one_of(st.integers(0, 5).map(lambda n: n / 5), st.floats(0, 1)), st.booleans()),
    min_size=1,
    max_size=40,
)


def arrays(found: list[tuple[float, bool]]) -> tuple[Scores, Bools]:
    return np.array([score for score, _ in found], np.float64), np.array([sharp for _, sharp in found], np.bool_)


def balanced(scores: Scores, sharp: Bools, threshold: float) -> float:
    called = scores >= threshold
    return float(called[sharp].mean() + (~called)[~sharp].mean()) / 2


@given(pairs)
def test_auc_is_the_share_of_pairs_in_the_right_order(found: list[tuple[float, bool]]) -> None:
    scores, sharp = arrays(found)
    won = [float(a > b) + float(a == b) / 2 for a in scores[sharp] for b in scores[~sharp]]
    if won:
        assert auc(scores, sharp) == pytest.approx(np.mean(won))
    else:
        assert auc(scores, sharp) is None


@given(pairs)
def test_auc_is_the_area_under_the_roc_curve(found: list[tuple[float, bool]]) -> None:
    scores, sharp = arrays(found)
    false, hits = roc(scores, sharp)
    if sharp.any() and not sharp.all():
        area = ((hits[1:] + hits[:-1]) / 2 * np.diff(false)).sum()
        assert area == pytest.approx(auc(scores, sharp))
        assert (false[-1], hits[-1]) == (1.0, 1.0)


@given(pairs)
def test_no_threshold_is_better_than_the_best_and_the_best_is_as_good_as_it_says(
    found: list[tuple[float, bool]],
) -> None:
    scores, sharp = arrays(found)
    best = best_threshold(scores, sharp)
    if not sharp.any() or sharp.all():
        assert best is None
        return
    assert best is not None
    assert balanced(scores, sharp, best[0]) == pytest.approx(best[1])
    assert all(balanced(scores, sharp, threshold) <= best[1] + 1e-12 for threshold in [*scores, np.inf])


def test_the_best_threshold_lies_midway_between_the_classes() -> None:
    assert best_threshold(np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True])) == (0.4, 1.0)


@given(pairs)
def test_rates_count_what_is_wrong(found: list[tuple[float, bool]]) -> None:
    scores, sharp = arrays(found)
    got = rates(scores >= 0.5, sharp)
    out, missed = [s for s, t in found if not t], [s for s, t in found if t]
    assert got.false_sharp == (None if not out else pytest.approx(sum(s >= 0.5 for s in out) / len(out)))
    assert got.missed == (None if not missed else pytest.approx(sum(s < 0.5 for s in missed) / len(missed)))
    assert (got.balanced_accuracy is None) == (not out or not missed)


def test_rates_of_one_class_have_no_balanced_accuracy() -> None:
    assert rates(np.array([True, False]), np.array([False, False])) == Rates(0.5, None, None)
    assert rates(np.array([], np.bool_), np.array([], np.bool_)) == Rates(None, None, None)


def test_the_calibration_error_is_the_weighted_distance_from_the_diagonal() -> None:
    probability = np.array([0.05, 0.05, 0.95, 0.95, 1.0, 0.0])
    sharp = np.array([False, True, True, True, False, False])
    low, *empty, high = reliability(probability, sharp)
    assert low == Bin(0.0, 0.1, 3, pytest.approx(0.1 / 3), pytest.approx(1 / 3))
    assert high == Bin(0.9, 1.0, 3, pytest.approx(2.9 / 3), pytest.approx(2 / 3))
    assert [(each.count, each.mean_probability, each.share_in_focus) for each in empty] == [(0, None, None)] * 8
    assert calibration_error(probability, sharp) == pytest.approx(0.3)
    assert calibration_error(np.array([]), np.array([], np.bool_)) is None


@given(pairs)
def test_every_square_lies_in_the_one_bin_of_its_probability(found: list[tuple[float, bool]]) -> None:
    probability, sharp = arrays(found)
    bins = reliability(probability, sharp)
    assert [bins[0].low, *(each.high for each in bins)] == pytest.approx(np.linspace(0.0, 1.0, 11).tolist())
    assert sum(each.count for each in bins) == probability.size
    for each in bins:
        if each.count:
            assert each.mean_probability is not None
            assert each.low - 1e-9 <= each.mean_probability <= each.high + 1e-9
    true = sum(each.count * each.share_in_focus for each in bins if each.share_in_focus is not None)
    assert true == pytest.approx(sharp.sum())


def test_a_calibrated_score_has_next_to_no_calibration_error() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(20_000)
    assert calibration_error(probability, rng.random(20_000) < probability) == pytest.approx(0.0, abs=0.02)


def test_bootstrap_draws_whole_scenes_with_replacement() -> None:
    scenes = ["a", "b", "b", "c", "a", "a"]
    draws = list(drawn_scenes(scenes))
    assert len(draws) == RESAMPLES
    for drawn in draws:
        counts = np.bincount(drawn, minlength=6)
        assert counts[0] == counts[4] == counts[5]
        assert counts[1] == counts[2]
        assert counts[0] + counts[1] + counts[3] == 3
    assert np.array_equal(draws[5], list(drawn_scenes(scenes))[5])


def test_one_scene_gives_no_interval() -> None:
    assert list(drawn_scenes(["a", "a"])) == []
    assert interval([]) is None
    assert interval([None, None]) is None


def test_an_interval_holds_95_percent_of_the_defined_figures() -> None:
    assert interval([None, *(n / 1000 for n in range(1001))]) == pytest.approx((0.025, 0.975))
