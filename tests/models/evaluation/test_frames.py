"""Whole frames against the truth: which frames count where, and how sure the figures are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.frames import RATIOS, JudgedFrame, counted, mean_of, rate_of, rates_of, wholly_inside, wilson
from models.evaluation.frames_parts import by_blur, by_condition, by_truth, false_opens, worst_errors
from models.focusmap import Cause, FieldOfView, FocusMap, TileGrid
from models.verdict import VerdictKind

BINS = len(RATIOS) - 1

FRAME = JudgedFrame(
    seed=0,
    number=0,
    at_ns=0,
    conditions={"light": 1.0},
    field_tiles=100,
    judged_tiles=50,
    in_focus=50,
    true_tiles=100,
    true_strict=100,
    true_loose=100,
    true_judged_tiles=50,
    verdict=VerdictKind.PASS,
    cause=Cause.GLARE,
    causes=(50, 0, 0, 50, 0),
    called=((50, 50),) + ((0, 0),) * (BINS - 1),
)


def frame(true_tiles: int, verdict: VerdictKind = VerdictKind.PASS, **others: object) -> JudgedFrame:
    values = {"true_strict": true_tiles, "true_loose": true_tiles, "true_judged_tiles": true_tiles // 2} | others
    return replace(FRAME, true_tiles=true_tiles, verdict=verdict, **values)  # type: ignore[arg-type]


def test_wilson_agrees_with_published_values() -> None:
    """Newcombe 1998, table I, method 3."""
    for wrong, of, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(wrong, of) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_always_holds_the_rate_itself(counts: tuple[int, int]) -> None:
    wrong, of = counts
    between = wilson(wrong, of)
    assert between is not None
    assert 0.0 <= between[0] <= wrong / of + 1e-12
    assert wrong / of - 1e-12 <= between[1] <= 1.0


def test_false_open_counts_only_frames_below_80_percent_and_false_refuse_only_above_97() -> None:
    shut, none = VerdictKind.FAIL, VerdictKind.CANNOT_JUDGE
    frames = [frame(79), frame(80), frame(79, shut), frame(97, shut), frame(98, shut), frame(98), frame(100, none)]
    rates = rates_of(frames)
    assert (rates["false_open"].wrong, rates["false_open"].of) == (1, 2)
    assert (rates["false_refuse"].wrong, rates["false_refuse"].of) == (2, 3)
    assert (rates["false_refuse_judged"].wrong, rates["false_refuse_judged"].of) == (1, 2)
    assert (rates["cannot_judge"].wrong, rates["cannot_judge"].of) == (1, 7)


def test_what_the_truth_leaves_open_is_not_surely_wrong() -> None:
    near = frame(79, true_loose=85)
    assert rates_of([near])["false_open"].wrong == 1
    assert rates_of([near])["false_open_sure"].of == 0
    assert frame(40, true_strict=30, true_loose=60).sure_error == pytest.approx(0.4)
    assert frame(40, true_strict=30, true_loose=100).sure_error == 0.0


def test_the_frames_of_a_scene_count_as_one_in_the_interval() -> None:
    same = rate_of([frame(0), frame(0)], lambda _: True)
    two = rate_of([frame(0), frame(0, seed=1)], lambda _: True)
    assert (same.scenes, two.scenes) == (1, 2)
    assert same.interval is not None
    assert two.interval is not None
    assert same.interval[0] < two.interval[0]


def test_frames_that_cannot_be_judged_have_no_part_in_the_error() -> None:
    blind = frame(0, VerdictKind.CANNOT_JUDGE, judged_tiles=0, in_focus=0)
    assert math.isnan(blind.error)
    found = mean_of([blind, frame(60), frame(80, seed=1)], lambda f: abs(f.error))
    assert found.of == 2
    assert found.mean == pytest.approx(0.3)
    assert found.interval is not None
    assert found.interval[0] <= 0.3 <= found.interval[1]
    assert mean_of([blind], lambda f: f.error).mean is None


def test_one_scene_tells_nothing_about_others() -> None:
    assert mean_of([frame(60), frame(70)], lambda f: f.error).interval is None


def test_every_frame_is_in_one_third_of_a_condition() -> None:
    frames = [frame(100, conditions={"light": float(value)}) for value in (1, 1, 1, 1, 2, 3, 4, 5, 6)]
    parts = by_condition(frames, "light")
    assert [(part.low, part.high, part.frames) for part in parts] == [(1, 1, 4), (2, 3, 2), (4, 6, 3)]
    assert [part.frames for part in by_condition(frames[:4], "light")] == [4]


def test_every_frame_is_in_one_band_of_the_truth() -> None:
    parts = by_truth([frame(true) for true in (0, 1, 50, 51, 79, 80, 89, 90, 97, 98, 100)])
    spans = [(0, 0), (0.01, 0.5), (0.51, 0.79), (0.8, 0.89), (0.9, 0.97), (0.98, 1)]
    assert [(part.low, part.high) for part in parts] == spans


def test_the_worst_frames_come_first_one_to_a_scene() -> None:
    frames = [frame(70), frame(20), frame(10, seed=1), frame(90, seed=2), frame(0, VerdictKind.CANNOT_JUDGE, seed=3)]
    assert [(f.seed, f.true_tiles) for f in worst_errors(frames, 2)] == [(1, 10), (0, 20)]
    assert worst_errors([frame(0, true_loose=100), frame(50, seed=1)], 1)[0].seed == 1
    assert [f.true_tiles for f in false_opens(frames, 9)] == [10, 20, 70]


def test_tiles_are_counted_against_the_truth_inside_the_field() -> None:
    grid = TileGrid(32, 32, 1, 5)
    cause = np.array([[Cause.JUDGED, Cause.JUDGED, Cause.GLARE, Cause.OUTSIDE, Cause.JUDGED]], np.uint8)
    p = np.array([[0.9, 0.2, 0.9, 0.9, 0.9]], np.float32)
    found = FocusMap(grid, np.ones((1, 5), np.float32), p, cause, 2.0, 0.5, "m", "0")
    true_px = np.array([[2.0, 1.0, 1.0, 1.0, 2.1]])
    counts = counted(found, true_px, cause != Cause.OUTSIDE, 0.06)
    assert {name: counts[name] for name in ("field_tiles", "judged_tiles", "in_focus")} == {
        "field_tiles": 4,
        "judged_tiles": 3,
        "in_focus": 2,
    }
    assert (counts["true_strict"], counts["true_tiles"], counts["true_loose"]) == (2, 3, 4)
    assert counts["true_judged_tiles"] == 2
    assert counts["causes"] == (3, 0, 0, 1, 0)
    rows = by_blur([replace(FRAME, called=counts["called"])])  # type: ignore[arg-type]
    assert [(low, judged, share) for low, _, judged, share in rows if judged] == [
        (0.0, 1, 0.0),
        (0.9, 1, 1.0),
        (1.0, 1, 1.0),
    ]


def test_whole_tiles_have_all_their_corners_in_the_field() -> None:
    grid, field = TileGrid(10, 10, 3, 3), FieldOfView(15.0, 15.0, 15.9)
    assert field.mask(grid).all()
    cross = [[False, True, False], [True, True, True], [False, True, False]]
    assert wholly_inside(field, grid).tolist() == cross
