"""Room is counted in captures, and the levels are where they are said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.store.space import FULL_SIZE_BYTES, LOW_CAPTURES, RESERVE_BYTES, RESERVE_CAPTURES, Room, Space, space_of


@pytest.mark.parametrize(
    ("left", "room"),
    [(-5, Room.FULL), (0, Room.FULL), (1, Room.LOW), (LOW_CAPTURES - 1, Room.LOW), (LOW_CAPTURES, Room.ENOUGH)],
)
def test_the_levels_are_dense_around_their_borders(left: int, room: Room) -> None:
    assert Space(left).room is room
    assert ("export and delete captures" in Space(left).line()) is (room is not Room.ENOUGH)


@given(st.integers(0, 10**13), st.integers(0, 10**8))
def test_what_is_said_to_fit_leaves_the_reserve_untouched_and_one_more_would_not(free: int, largest: int) -> None:
    each = max(largest, FULL_SIZE_BYTES)
    reserve = max(RESERVE_BYTES, RESERVE_CAPTURES * each)
    left = space_of(free, largest).captures_left
    assert free - left * each >= reserve > free - (left + 1) * each
