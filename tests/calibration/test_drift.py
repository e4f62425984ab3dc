"""Drift in use: a slow fall is told, patients who differ are not; and one picture of the chart tells on demand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calibration.drift import START, ChartMeasure, DriftState, deviations, next_state, warning_of

MEAN, SD = 0.85, 0.05


def after(scores: list[float]) -> DriftState:
    state = DriftState("p")
    for score in scores:
        state = next_state(state, score)
    return state


def first_warning(scores: np.ndarray, reference: float | None = MEAN) -> int | None:
    state = DriftState("p")
    for count, score in enumerate(scores, start=1):
        state = next_state(state, float(score))
        if warning_of(state, reference) is not None:
            return count
    return None


def test_a_device_that_stays_as_it_is_is_rarely_accused() -> None:
    rng = np.random.default_rng(1)
    accused = sum(first_warning(rng.normal(MEAN, SD, 100)) is not None for _ in range(300))
    assert accused < 30  # the mean is known from few openings, so a little more often than the tables say


def test_a_fall_of_two_deviations_is_told_within_twenty_openings() -> None:
    rng = np.random.default_rng(2)
    told = []
    for _ in range(200):
        scores = np.concatenate([rng.normal(MEAN, SD, 40), rng.normal(MEAN - 2 * SD, SD, 20)])
        told.append(first_warning(scores) is not None)
    assert np.mean(told) > 0.95


def test_one_bad_patient_is_no_drift() -> None:
    scores = [MEAN, MEAN + 0.02] * START + [0.3] + [MEAN] * 10
    assert first_warning(np.array(scores)) is None


def test_tissue_that_scores_a_little_lower_than_the_chart_is_no_drift() -> None:
    rng = np.random.default_rng(3)
    assert warning_of(after(list(rng.normal(MEAN - 0.08, 0.03, START))), MEAN) is None


def test_scores_far_below_the_calibration_from_the_start_are_told() -> None:
    said = warning_of(after([0.6] * START), MEAN)
    assert said is not None
    assert "no longer behaves as calibrated" in said
    assert warning_of(after([0.6] * START), None) is None


@given(st.lists(st.floats(0.0, 1.0), max_size=60))
def test_the_sum_never_falls_below_zero_and_every_opening_counts(scores: list[float]) -> None:
    state = after(scores)
    assert state.openings == len(scores)
    assert state.fall >= 0.0
    assert state.sd > 0.0


@given(st.lists(st.floats(0.9, 1.0), min_size=START, max_size=START), st.integers(1, 100))
def test_scores_above_the_mean_never_warn(settling: list[float], more: int) -> None:
    assert warning_of(after([*settling, *([1.0] * more)]), None) is None


def test_one_picture_of_the_chart_is_compared_with_that_of_the_day() -> None:
    then = ChartMeasure(mtf50=0.2, um_per_px=15.0)
    same, worse = (deviations(then, ChartMeasure(mtf50=value, um_per_px=15.1, light=3.0)) for value in (0.195, 0.15))
    assert [each.ok for each in same] == [True, True]
    assert [each.ok for each in worse] == [False, True]
    assert deviations(ChartMeasure(), ChartMeasure(light=2.0)) == ()
