"""Fusing frames: less noise, never fresher than the oldest frame, never sharper than the newest allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st
from numpy.typing import NDArray

from models.errors import InputError, ModelError
from models.focusmap import Cause, FocusMap, TileGrid
from models.fusion import DEFAULT, SURE, Fusion, fusable, fuse

GRID = TileGrid(128, 128, 3, 4)
SHAPE = (GRID.rows, GRID.columns)
PERIOD_NS = 100_000_000
LONG = Fusion(frames=5, window_ns=10 * PERIOD_NS)

probabilities = np_st.arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
causes = np_st.arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 0, *(int(cause) for cause in Cause)]))


def a_map(number: int, p: NDArray[np.float32], cause: NDArray[np.uint8] | None = None) -> FocusMap:
    """Frame `number` of a camera of ten frames a second, its blur radius the lower the higher p."""
    return FocusMap(
        grid=GRID,
        blur_px=(8 * (1 - p)).astype(np.float32),
        p_in_focus=p,
        cause=np.zeros(SHAPE, np.uint8) if cause is None else cause,
        criterion_px=2.5,
        threshold=0.5,
        model_name="m",
        model_sha256="0" * 64,
        frame_id=number,
        exposed_ns=number * PERIOD_NS,
    )


def even(number: int, p: float) -> FocusMap:
    return a_map(number, np.full(SHAPE, p, np.float32))


@st.composite
def runs(draw: st.DrawFn, most: int = 5) -> list[FocusMap]:
    """Consecutive frames of the same camera and model."""
    count = draw(st.integers(1, most))
    return [a_map(7 + number, draw(probabilities), draw(causes)) for number in range(count)]


fusions = st.builds(
    Fusion,
    frames=st.just(5),
    forgetting=st.floats(0.01, 1.0),
    window_ns=st.just(10 * PERIOD_NS),
    floor=st.floats(0.0, 1.0),
)


@given(runs(), fusions)
def test_the_result_is_as_old_as_its_oldest_frame_and_bears_the_id_of_its_newest(
    maps: list[FocusMap], fusion: Fusion
) -> None:
    found = fuse(maps, fusion)
    assert found.exposed_ns == maps[0].exposed_ns
    assert found.frame_id == maps[-1].frame_id
    assert (found.grid, found.criterion_px, found.model_sha256) == (GRID, 2.5, "0" * 64)


@given(runs(), fusions)
def test_what_the_newest_frame_cannot_judge_is_not_judged(maps: list[FocusMap], fusion: Fusion) -> None:
    assert np.array_equal(fuse(maps, fusion).cause, maps[-1].cause)


@given(runs(), fusions)
def test_every_probability_lies_between_those_that_it_was_made_of(maps: list[FocusMap], fusion: Fusion) -> None:
    found = fuse(maps, fusion)
    for row, column in np.ndindex(SHAPE):
        if found.judged[row, column]:
            used = [each for each in maps if each.judged[row, column]]
            for name, slack in (("p_in_focus", SURE), ("blur_px", 1e-5)):
                values = [float(getattr(each, name)[row, column]) for each in used]
                value = float(getattr(found, name)[row, column])
                assert min(values) - slack - 1e-6 <= value <= max(values) + slack + 1e-6


@given(probabilities, causes, st.integers(1, 5), fusions)
def test_equal_frames_say_what_one_says(
    p: NDArray[np.float32], cause: NDArray[np.uint8], count: int, fusion: Fusion
) -> None:
    maps = [a_map(number, p, cause) for number in range(count)]
    found = fuse(maps, fusion)
    assert np.allclose(found.p_in_focus, p, rtol=0.0, atol=1.01 * SURE)
    assert np.allclose(found.blur_px, maps[0].blur_px, atol=1e-5)
    assert found.in_focus == maps[0].in_focus


@given(runs())
def test_one_frame_is_itself(maps: list[FocusMap]) -> None:
    assert fuse(maps[-1:]) is maps[-1]


@given(runs(), fusions)
def test_a_tile_that_the_newest_frame_puts_below_the_floor_stays_out_of_focus(
    maps: list[FocusMap], fusion: Fusion
) -> None:
    found, newest = fuse(maps, fusion), maps[-1]
    below = newest.judged & (newest.p_in_focus < min(fusion.floor, newest.threshold))
    assert not found.sharp[below].any()
    assert (found.p_in_focus[below] <= newest.p_in_focus[below]).all()
    assert (found.blur_px[below] >= newest.blur_px[below]).all()


def test_a_frame_that_alone_is_far_from_passing_never_passes_by_its_past() -> None:
    past = [even(number, 0.999) for number in range(2)]
    lax = replace(DEFAULT, floor=0.25)
    assert not fuse([*past, even(2, 0.24)], lax).passes()
    assert fuse([*past, even(2, 0.26)], lax).passes()


@given(runs(3))
def test_as_it_comes_the_result_passes_only_if_the_newest_frame_does(maps: list[FocusMap]) -> None:
    found = fuse(maps)
    assert not (found.sharp & ~maps[-1].sharp).any()
    assert maps[-1].passes() or not found.passes()


@given(runs(), fusions, st.randoms(use_true_random=False))
def test_a_sharper_frame_never_makes_the_result_less_sharp(
    maps: list[FocusMap], fusion: Fusion, random: object
) -> None:
    which = random.randrange(len(maps))  # type: ignore[attr-defined]
    sharper = list(maps)
    raised = np.minimum(maps[which].p_in_focus + np.float32(0.2), np.float32(1.0))
    sharper[which] = replace(maps[which], p_in_focus=raised)
    assert (fuse(sharper, fusion).p_in_focus >= fuse(maps, fusion).p_in_focus - 1e-6).all()


@given(st.permutations(range(4)), st.lists(probabilities, min_size=4, max_size=4))
def test_without_forgetting_the_order_of_what_was_seen_before_does_not_matter(
    order: list[int], seen: list[NDArray[np.float32]]
) -> None:
    fusion = replace(LONG, forgetting=1.0, floor=0.0)
    one = fuse([a_map(number, p) for number, p in enumerate(seen)], fusion)
    other = fuse([a_map(number, seen[place]) for number, place in enumerate(order)], fusion)
    assert np.allclose(one.p_in_focus, other.p_in_focus, atol=1e-6)


def test_with_forgetting_the_newer_frame_counts_more() -> None:
    fusion = replace(DEFAULT, floor=0.0)
    assert fuse([even(0, 0.3), even(1, 0.7)], fusion).p_in_focus[0, 0] > 0.5
    assert fuse([even(0, 0.7), even(1, 0.3)], fusion).p_in_focus[0, 0] < 0.5


def test_a_frame_that_cannot_judge_a_tile_has_no_say_in_it() -> None:
    glare = np.full(SHAPE, Cause.GLARE, np.uint8)
    blind = a_map(0, np.zeros(SHAPE, np.float32), glare)
    assert np.allclose(fuse([blind, even(1, 0.8)]).p_in_focus, 0.8, atol=1e-6)


def test_independent_errors_shrink_as_their_number_grows() -> None:
    rng = np.random.default_rng(1)

    def noisy(count: int) -> float:
        fusion = replace(LONG, forgetting=1.0, floor=0.0)
        logits = 1.0 + 0.5 * rng.standard_normal((400, count, *SHAPE))
        maps = [[a_map(n, (1 / (1 + np.exp(-each))).astype(np.float32)) for n, each in enumerate(x)] for x in logits]
        found = np.array([fuse(each, fusion).p_in_focus for each in maps], np.float64)
        return float(np.std(np.log(found / (1 - found))))

    assert noisy(1) == pytest.approx(0.5, rel=0.05)
    assert noisy(4) == pytest.approx(0.25, rel=0.05)


def with_gap(maps: Sequence[FocusMap]) -> list[FocusMap]:
    return [maps[0], replace(maps[1], frame_id=maps[1].frame_id + 1)]


MIXED = {
    "model_sha256": lambda maps: [maps[0], replace(maps[1], model_sha256="1" * 64)],
    "criterion_px": lambda maps: [maps[0], replace(maps[1], criterion_px=1.5)],
    "threshold": lambda maps: [maps[0], replace(maps[1], threshold=0.6)],
    "grid": lambda maps: [maps[0], replace(maps[1], grid=TileGrid(64, 64, 3, 4))],
    "min_judged_percent": lambda maps: [maps[0], replace(maps[1], min_judged_percent=10)],
    "not consecutive": with_gap,
    "not in order": lambda maps: [maps[0], replace(maps[1], exposed_ns=maps[0].exposed_ns)],
    "more than 250 ms": lambda maps: [maps[0], replace(maps[1], exposed_ns=maps[0].exposed_ns + 250_000_001)],
}


@pytest.mark.parametrize("reason", MIXED)
def test_mixed_frames_are_refused_with_the_reason_and_never_chosen(reason: str) -> None:
    maps = MIXED[reason]([even(4, 0.9), even(5, 0.9)])
    with pytest.raises(ModelError, match=reason) as caught:
        fuse(maps)
    assert "\n" not in str(caught.value)
    assert fusable(maps) == maps[1:]


@pytest.mark.parametrize("count", [0, 4])
def test_no_frame_or_too_many_are_refused(count: int) -> None:
    with pytest.raises(ModelError, match=f"fusion of {count} frames: allowed are 1 to 3"):
        fuse([even(number, 0.9) for number in range(count)])


@given(runs(), fusions)
def test_whatever_is_chosen_can_be_fused_and_ends_with_the_newest(maps: list[FocusMap], fusion: Fusion) -> None:
    chosen = fusable(maps, fusion)
    assert chosen[-1] is maps[-1]
    assert list(chosen) == maps[len(maps) - len(chosen) :]
    fuse(chosen, fusion)


def test_the_chosen_frames_are_few_recent_and_of_a_scene_that_keeps_still() -> None:
    maps = [even(number, 0.9) for number in range(6)]
    assert fusable(maps) == maps[-3:]
    assert fusable(maps, LONG) == maps[-5:]
    assert fusable(maps, replace(LONG, window_ns=PERIOD_NS)) == maps[-2:]
    moved = [*maps[:4], even(4, 0.1), maps[5]]
    assert fusable(moved, LONG) == [maps[5]]
    unseen = a_map(4, np.ones(SHAPE, np.float32), np.full(SHAPE, Cause.DARK, np.uint8))
    assert fusable([*maps[:4], unseen, maps[5]], LONG) == [maps[5]]
    assert fusable([]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("frames", 0), ("frames", 17), ("forgetting", 0.0), ("forgetting", math.nan), ("window_ns", -1), ("floor", 1.1)],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"fusion: {name} = "):
        replace(DEFAULT, **{name: value})
