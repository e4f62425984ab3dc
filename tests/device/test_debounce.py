"""Debouncing by timestamps."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from device.debounce import MS, Debounced, DebounceSettings, debounce

SETTINGS = DebounceSettings()


def play(levels: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """The debounced level after each poll (time ns, raw level)."""
    state, seen = Debounced(), []
    for now_ns, raw in levels:
        state = debounce(state, raw, now_ns)
        seen.append((now_ns, state.pressed))
    return seen


def presses(seen: list[tuple[int, bool]]) -> list[int]:
    """When the debounced level rose."""
    levels = [(0, False), *seen]
    return [now for (_, before), (now, after) in itertools.pairwise(levels) if after and not before]


def test_a_clean_press_counts_after_20_ms_and_a_release_too() -> None:
    seen = play([(t * MS, 100 <= t < 200) for t in range(0, 300, 5)])
    changes = [now // MS for (now, level), (_, last) in zip(seen[1:], seen, strict=False) if level != last]
    assert changes == [120, 220]


def test_a_bounce_shorter_than_20_ms_is_nothing() -> None:
    assert presses(play([(t * MS, t in (100, 105, 110, 115)) for t in range(0, 400, 5)])) == []


def test_two_presses_within_250_ms_are_one() -> None:
    levels = [(t * MS, 100 <= t < 150 or 200 <= t < 300) for t in range(0, 600, 5)]
    assert [at // MS for at in presses(play(levels))] == [120]


def test_a_second_press_that_outlasts_the_pause_counts_when_it_is_over() -> None:
    levels = [(t * MS, 100 <= t < 150 or t >= 200) for t in range(0, 600, 5)]
    assert [at // MS for at in presses(play(levels))] == [120, 370]


def test_a_second_press_long_after_the_first_counts_at_once() -> None:
    levels = [(t * MS, 100 <= t < 150 or t >= 700) for t in range(0, 1000, 5)]
    assert [at // MS for at in presses(play(levels))] == [120, 720]


def test_a_level_that_lasted_counts_however_seldom_it_is_looked_at() -> None:
    assert debounce(Debounced(raw=True, raw_since_ns=100 * MS), True, 200 * MS).pressed


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=400))
def test_an_edge_storm_gives_at_most_one_press_in_250_ms(storm: list[tuple[int, bool]]) -> None:
    now_ms, levels = 0, []
    for gap_ms, raw in storm:
        now_ms += gap_ms
        levels.append((now_ms * MS, raw))
    times = presses(play(levels))
    assert all(later - earlier >= SETTINGS.refractory_ns for earlier, later in itertools.pairwise(times))


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=200))
def test_it_presses_only_after_a_raw_level_that_lasted(storm: list[tuple[int, bool]]) -> None:
    now_ms, levels = 0, []
    for gap_ms, raw in storm:
        now_ms += gap_ms
        levels.append((now_ms * MS, raw))
    for at_ns in presses(play(levels)):
        recent = [raw for now_ns, raw in levels if at_ns - SETTINGS.settle_ns <= now_ns <= at_ns]
        assert all(recent)
