"""Tables and ways are pure: monotone, inside the travel, and every position reached from the same side."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.aperture.plan import Travel, approach, ramp
from device.aperture.table import ApertureTable
from models.errors import InputError

RISING = ApertureTable((1.4, 2.0, 2.8, 4.0), (1000.0, 1200.0, 1500.0, 1600.0))
FALLING = ApertureTable((1.4, 2.0, 2.8, 4.0), (1600.0, 1500.0, 1200.0, 1000.0))
TRAVEL = Travel(lowest=900.0, highest=1700.0, rate_per_s=1000.0, backlash=40.0)

tables = st.builds(
    lambda f_numbers, positions, falls: ApertureTable(
        tuple(sorted(f_numbers)), tuple(sorted(positions, reverse=falls))[: len(f_numbers)]
    ),
    st.sets(st.floats(1.0, 22.0), min_size=3, max_size=6),
    st.sets(st.integers(500, 2500), min_size=6, max_size=6),
    st.booleans(),
)


@pytest.mark.parametrize("table", [RISING, FALLING], ids=["rising", "falling"])
def test_a_table_gives_its_own_points_and_lines_between_them(table: ApertureTable) -> None:
    for f_number, position in zip(table.f_numbers, table.positions, strict=True):
        assert table.position(f_number) == position
        assert table.f_number(position) == f_number
    assert table.position(2.4) == pytest.approx((table.position(2.0) + table.position(2.8)) / 2)
    assert table.position(1.0) == table.positions[0]
    assert table.position(22.0) == table.positions[-1]


@given(tables, st.floats(0.5, 30.0), st.floats(0.5, 30.0))
def test_positions_never_turn(table: ApertureTable, one: float, other: float) -> None:
    low, high = sorted((one, other))
    rises = table.positions[0] < table.positions[-1]
    assert (table.position(low) <= table.position(high)) if rises else (table.position(low) >= table.position(high))


@given(tables, st.floats(0.0, 1.0))
def test_there_and_back_is_where_one_was(table: ApertureTable, share: float) -> None:
    f_number = table.f_numbers[0] + share * (table.f_numbers[-1] - table.f_numbers[0])
    assert table.f_number(table.position(f_number)) == pytest.approx(f_number, rel=1e-6)


def test_steps_count_points_of_the_table_and_stay_in_it() -> None:
    assert RISING.after(2.0, 1) == 2.8
    assert RISING.after(2.0, -7) == 1.4
    assert RISING.after(2.9, 0) == 2.8
    assert RISING.after(4.0, 3) == 4.0


@pytest.mark.parametrize(
    ("f_numbers", "positions", "words"),
    [
        ((1.4, 2.0), (1.0,), "2 f-numbers and 1 positions"),
        ((1.4,), (1.0,), "at least 2"),
        ((2.0, 1.4), (1.0, 2.0), "must rise"),
        ((1.4, 1.4), (1.0, 2.0), "must rise"),
        ((1.4, 2.0, 2.8), (1.0, 3.0, 2.0), "all rise or all fall"),
        ((1.4, 2.0), (1.0, 1.0), "all rise or all fall"),
        ((1.4, 2.0, 2.8), (1.0, 2.0, 2.0), "all rise or all fall"),
        ((0.0, 2.0), (1.0, 2.0), "f above 0"),
        ((1.4, float("inf")), (1.0, 2.0), "finite"),
        ((1.4, 2.0), (1.0, float("nan")), "finite"),
    ],
)
def test_a_table_that_is_none_is_refused(
    f_numbers: tuple[float, ...], positions: tuple[float, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        ApertureTable(f_numbers, positions)


def test_the_way_up_is_straight_and_the_way_down_goes_below_first() -> None:
    assert approach(1000.0, 1200.0, TRAVEL) == (1200.0,)
    assert approach(1200.0, 1000.0, TRAVEL) == (960.0, 1000.0)
    assert approach(1200.0, 1200.0, TRAVEL) == ()
    assert approach(1200.0, 1000.0, Travel(900.0, 1700.0, 1000.0)) == (1000.0,)


@given(st.floats(900, 1700), st.floats(0, 3000))
def test_every_way_ends_upwards_at_its_target_and_never_leaves_the_travel(start: float, target: float) -> None:
    way = approach(start, target, TRAVEL)
    assert all(TRAVEL.lowest <= point <= TRAVEL.highest for point in way)
    if way:
        assert way[-1] == min(max(target, TRAVEL.lowest), TRAVEL.highest)
        assert (start, *way)[-2] < way[-1] or way[-1] == TRAVEL.lowest


@given(st.floats(-3000, 3000), st.floats(-3000, 3000), st.floats(0.5, 100))
def test_a_ramp_is_even_bounded_and_exact_at_its_end(start: float, target: float, step: float) -> None:
    way = (start, *ramp(start, target, step))
    assert way[-1] == target
    assert all(abs(after - before) <= step * (1 + 1e-9) + 1e-9 for before, after in pairwise(way))


def test_a_table_needs_room_for_the_backlash() -> None:
    TRAVEL.check(RISING)
    with pytest.raises(InputError, match=r"from 1000 to 1600 are not possible; allowed: from 1001 .* to 1700"):
        Travel(lowest=961.0, highest=1700.0, rate_per_s=1000.0, backlash=40.0).check(RISING)
    with pytest.raises(InputError, match="are not possible"):
        Travel(lowest=900.0, highest=1599.0, rate_per_s=1000.0).check(RISING)


def test_a_rate_that_takes_too_long_is_refused() -> None:
    with pytest.raises(InputError, match=r"rate_per_s = 100 is not possible.*takes 6.90 s"):
        Travel(lowest=900.0, highest=1700.0, rate_per_s=100.0, backlash=40.0).check(RISING)
