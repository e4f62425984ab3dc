"""Signs of life: who stands still, and that nobody is blamed for a time in which nobody could run."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.supervision.beats import GAP_NS, MS, USUAL_NS, Beat, Look, Sign, looked, stale
from device.supervision.ending import END_NS
from device.supervision.watch import Watch

NAMES = st.sampled_from(["camera", "vision", "recorder"])
SIGNS = st.lists(
    st.builds(Sign, NAMES, st.integers(0, 10_000 * MS), st.sampled_from([USUAL_NS, 15_000 * MS])), max_size=6
)


@given(SIGNS, st.integers(0, 20_000 * MS))
def test_exactly_those_are_stale_that_stayed_silent_for_longer_than_they_said(signs: list[Sign], now_ns: int) -> None:
    names = stale(signs, now_ns)
    assert list(names) == [sign.name for sign in signs if sign.at_ns + sign.allowed_ns < now_ns]


def test_at_the_limit_a_thread_is_alive_and_a_nanosecond_later_it_is_not() -> None:
    assert stale([Sign("vision", 0)], USUAL_NS) == ()
    assert stale([Sign("vision", 0)], USUAL_NS + 1) == ("vision",)


def test_a_beat_is_replaced_whole_and_keeps_its_name() -> None:
    beat = Beat("recorder", 5)
    before = beat.sign
    beat.mark(7, 30)
    assert (before, beat.sign) == (Sign("recorder", 5), Sign("recorder", 7, 30))


@pytest.mark.parametrize("value", [Sign("vision", 1), Look(1, 1)], ids=lambda value: type(value).__name__)
def test_what_others_read_at_any_time_cannot_be_changed(value: Sign | Look) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, 2)
    assert not hasattr(value, "__dict__")


def test_a_standstill_and_its_end_take_less_than_the_service_manager_would() -> None:
    assert (MS, USUAL_NS, GAP_NS) == (1_000_000, 1_800_000_000, 500_000_000)
    assert USUAL_NS + END_NS < 2_200 * MS


@given(st.lists(st.integers(1, GAP_NS // MS), min_size=1, max_size=400))
def test_with_steady_looks_a_frozen_thread_is_found_as_soon_as_its_time_is_over(gaps_ms: list[int]) -> None:
    look, signs, now_ns = Look(0, 0), [Sign("vision", 0)], 0
    for gap_ms in gaps_ms:
        now_ns += gap_ms * MS
        look, names = looked(look, signs, now_ns)
        assert bool(names) == (now_ns > USUAL_NS)


@given(SIGNS, st.integers(GAP_NS + 1, 10**12))
def test_after_a_pause_in_looking_nobody_stands_still_until_they_had_their_time(signs: list[Sign], gap_ns: int) -> None:
    now_ns = 10_000 * MS + gap_ns
    look, names = looked(Look(10_000 * MS, 0), signs, now_ns)
    assert names == ()
    later_ns = now_ns
    while later_ns < now_ns + USUAL_NS - GAP_NS:
        later_ns += GAP_NS
        look, names = looked(look, signs, later_ns)
        assert names == ()


def test_the_watch_names_who_stands_still_and_only_then() -> None:
    told: list[tuple[str, ...]] = []
    camera, vision = Beat("camera", 0), Beat("vision", 0)
    watch = Watch([camera, vision], 0, told.append)
    now_ns = 0
    while now_ns < USUAL_NS:
        now_ns += 100 * MS
        camera.mark(now_ns)
        watch.tick(now_ns)
    assert told == []
    watch.tick(now_ns + 100 * MS)
    assert told == [("vision",)]
