"""The verdict in words agrees with the integer rule, at the boundary above all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.focusmap import Cause, FocusMap, TileGrid
from models.verdict import VerdictKind, verdict_of


def focus_map(in_focus: int, out: int, unjudged: dict[Cause, int] | None = None) -> FocusMap:
    """One row of tiles: first those in focus, then those out of focus, then those that are not judged."""
    causes = [Cause.JUDGED] * (in_focus + out) + [c for c, n in (unjudged or {}).items() for _ in range(n)]
    p = [1.0] * in_focus + [0.0] * (len(causes) - in_focus)
    return FocusMap(
        grid=TileGrid(96, 96, 1, len(causes)),
        blur_px=np.zeros((1, len(causes)), np.float32),
        p_in_focus=np.array([p], np.float32),
        cause=np.array([causes], np.uint8),
        criterion_px=1.5,
        threshold=0.5,
        model_name="fake",
        model_sha256="0" * 64,
    )


def test_exactly_ninety_percent_passes_without_a_reason() -> None:
    verdict = verdict_of(focus_map(9, 1))
    assert verdict.kind is VerdictKind.PASS
    assert verdict.reason is None


def test_a_hair_below_the_limit_fails_and_is_not_rounded_up_to_it() -> None:
    verdict = verdict_of(focus_map(899, 101))
    assert verdict.kind is VerdictKind.FAIL
    assert verdict.reason == "only 89 % in focus (90 % needed)"


@pytest.mark.parametrize(
    ("cause", "words"), [(Cause.DARK, "too dark"), (Cause.GLARE, "glare"), (Cause.NO_DETAIL, "no detail")]
)
def test_too_few_judged_tiles_name_the_commonest_cause(cause: Cause, words: str) -> None:
    verdict = verdict_of(focus_map(3, 0, {cause: 7}))
    assert verdict.kind is VerdictKind.CANNOT_JUDGE
    assert verdict.reason == f"cannot judge: {words}"


def test_a_field_of_view_without_tiles_cannot_be_judged() -> None:
    verdict = verdict_of(focus_map(0, 0, {Cause.OUTSIDE: 5}))
    assert verdict.reason == "cannot judge: nothing inside the field of view"


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(1, 100))
def test_the_verdict_is_pass_exactly_when_the_map_passes(inside: int, out: int, dark: int, percent: int) -> None:
    judged = focus_map(inside, out, {Cause.DARK: dark})
    verdict = verdict_of(judged, percent)
    assert (verdict.kind is VerdictKind.PASS) == judged.passes(percent)
    assert (verdict.kind is VerdictKind.CANNOT_JUDGE) == (not judged.can_judge)
    assert (verdict.reason is None) == (verdict.kind is VerdictKind.PASS)
