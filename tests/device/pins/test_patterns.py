"""Lamp and tones can be told apart, by eyes that see no colours too, and flash no faster than is safe."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.pins.patterns import BLUE, DARK, LONGEST_WINK_MS, MS, RHYTHMS, TONES, pattern_level, tone_level
from device.pins.protocol import Lamp, Tone

SHOWN = [lamp for lamp in Lamp if lamp is not Lamp.OFF]


def shape(lamp: Lamp) -> list[bool]:
    """Lit or dark every 10 ms for six seconds."""
    return [pattern_level(lamp, ms * MS) != DARK for ms in range(0, 6000, 10)]


def test_no_two_lamps_have_the_same_rhythm() -> None:
    rhythms = {tuple(shape(lamp)) for lamp in SHOWN}
    assert len(rhythms) == len(SHOWN)


def test_only_open_is_a_steady_light() -> None:
    assert [lamp for lamp in SHOWN if all(shape(lamp))] == [Lamp.OPEN]
    assert not any(shape(Lamp.OFF))


def longest_dark_ms(lamp: Lamp) -> int:
    """The longest pause in six seconds of light."""
    return max((10 * len(list(run)) for lit, run in groupby(shape(lamp)) if not lit), default=0)


def test_open_is_told_by_its_rhythm_alone_whether_room_is_low_or_not() -> None:
    pauses_ms = {lamp: longest_dark_ms(lamp) for lamp in SHOWN}
    opened = {Lamp.OPEN, Lamp.OPEN_LOW}
    assert {lamp for lamp, dark_ms in pauses_ms.items() if dark_ms <= LONGEST_WINK_MS} == opened
    assert min(dark_ms for lamp, dark_ms in pauses_ms.items() if lamp not in opened) >= 2 * LONGEST_WINK_MS


@pytest.mark.parametrize(("lamp", "low"), [(Lamp.OPEN, Lamp.OPEN_LOW), (Lamp.CLOSED, Lamp.CLOSED_LOW)])
def test_room_that_is_low_adds_blue_to_the_colour_of_the_state_and_to_nothing_else(lamp: Lamp, low: Lamp) -> None:
    colours = {one: {pattern_level(one, ms * MS) for ms in range(0, 6000, 10)} - {DARK} for one in Lamp}
    assert colours[low] == colours[lamp] | {BLUE}
    assert [one for one in Lamp if BLUE in colours[one]] == [Lamp.CLOSED_LOW, Lamp.OPEN_LOW]


def test_every_lamp_is_lit_from_its_first_moment() -> None:
    assert all(pattern_level(lamp, 0) == RHYTHMS[lamp].colour != DARK for lamp in SHOWN)
    assert pattern_level(Lamp.FAULT, -5) == RHYTHMS[Lamp.FAULT].colour


@given(st.sampled_from(list(Lamp)), st.integers(0, 60_000))
def test_no_lamp_flashes_more_than_three_times_in_any_second(lamp: Lamp, start_ms: int) -> None:
    lit = [pattern_level(lamp, ms * MS) != DARK for ms in range(start_ms, start_ms + 1000, 10)]
    assert sum(not before and after for before, after in pairwise(lit)) <= 3


def test_a_fault_flashes_twice_and_pauses() -> None:
    edges = [
        ms for ms in range(1, 1500) if pattern_level(Lamp.FAULT, ms * MS) != pattern_level(Lamp.FAULT, ms * MS - MS)
    ]
    assert edges == [150, 300, 450]


@pytest.mark.parametrize("tone", Tone)
def test_a_tone_begins_with_sound_and_comes_to_an_end_within_a_second(tone: Tone) -> None:
    assert tone_level(tone, 0)
    assert tone_level(tone, 1000 * MS) is None


def test_saved_rises_and_refused_is_lower_and_longer_than_any_note_of_it() -> None:
    low, high = (pitch for pitch, _ in TONES[Tone.SAVED])
    assert low < high
    ((refused_hz, refused_ms),) = TONES[Tone.REFUSED]
    assert refused_hz < low
    assert refused_ms > max(length for _, length in TONES[Tone.SAVED])


@pytest.mark.parametrize(("tone", "beeps"), [(Tone.ARMED, 2), (Tone.FAULT, 3)])
def test_beeps_can_be_counted(tone: Tone, beeps: int) -> None:
    pitches = [tone_level(tone, ms * MS) or 0 for ms in range(-1, 1000)]
    assert sum(before == 0 and after > 0 for before, after in pairwise([0, *pitches])) == beeps
