"""The lease on the shutter line, and what the lamp says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.gate import (
    MS,
    SECOND,
    Button,
    ButtonStuck,
    Capture,
    GateState,
    Mode,
    OverrideArmed,
    OverrideExpired,
    Refused,
)
from device.lamp import Shown, next_lamp, tone_for, with_room
from device.lease import Lease, closed, renewed
from device.pins.protocol import Lamp, Tone


@pytest.mark.parametrize(("now_ns", "high"), [(99, True), (100, False), (101, False)])
def test_a_lease_is_high_until_its_end_and_not_at_it(now_ns: int, high: bool) -> None:
    assert Lease(100).is_high(now_ns) is high


def test_no_lease_is_low_from_the_start() -> None:
    assert not closed().is_high(0)


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_nobody_gets_more_than_150_ms(until_ns: int, now_ns: int) -> None:
    assert not renewed(closed(), until_ns, now_ns).is_high(now_ns + 150 * MS)


def test_renewing_never_shortens_and_extends_from_now() -> None:
    lease = renewed(closed(), 100 * MS, 0)
    assert renewed(lease, 50 * MS, 0) == lease
    assert renewed(lease, 200 * MS, 60 * MS).is_high(199 * MS)


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_a_lamp_of_its_own(mode: Mode) -> None:
    lamps = {other: next_lamp(Shown(), GateState(mode=other), SECOND).lamp for other in Mode}
    assert [other for other in Mode if lamps[other] is lamps[mode]] == [mode]


def test_closing_shows_at_once_and_opening_again_waits_a_second() -> None:
    shown = next_lamp(Shown(), GateState(mode=Mode.OPEN), SECOND)
    assert shown.lamp is Lamp.OPEN
    shown = next_lamp(shown, GateState(mode=Mode.CLOSED), SECOND + MS)
    assert shown.lamp is Lamp.CLOSED
    shown = next_lamp(shown, GateState(mode=Mode.OPEN), 2 * SECOND)
    assert shown.lamp is Lamp.CLOSED
    shown = next_lamp(shown, GateState(mode=Mode.OPEN), 2 * SECOND + MS)
    assert shown.lamp is Lamp.OPEN
    assert next_lamp(shown, GateState(mode=Mode.OPEN), 3 * SECOND) == shown


@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), max_size=200))
def test_flicker_at_the_edge_changes_the_lamp_at_most_twice_a_second(moments: list[tuple[int, bool]]) -> None:
    shown, now_ns, changes = Shown(Lamp.CLOSED), 0, []
    for gap_ms, is_open in moments:
        now_ns += gap_ms * MS
        state = GateState(mode=Mode.OPEN if is_open else Mode.CLOSED)
        after = next_lamp(shown, state, now_ns)
        assert after.lamp is not Lamp.OPEN or is_open
        if after.lamp is not shown.lamp:
            changes.append(now_ns)
        shown = after
    assert all(third - first >= SECOND for first, third in zip(changes, changes[2:], strict=False))


def test_every_event_has_its_tone_and_a_capture_none_before_it_is_durable() -> None:
    assert tone_for(Refused("x")) is Tone.REFUSED
    assert tone_for(OverrideArmed(1)) is Tone.ARMED
    assert tone_for(ButtonStuck(Button.CAPTURE)) is Tone.FAULT
    assert tone_for(Capture(1, 1, override=False, judged=True)) is None
    assert tone_for(OverrideExpired()) is None


def test_room_that_is_low_shows_beside_open_and_closed_and_never_instead_of_what_is_more_urgent() -> None:
    low = {lamp: with_room(lamp, low=True) for lamp in (Lamp.STARTING, Lamp.CLOSED, Lamp.OPEN, Lamp.ARMED, Lamp.FAULT)}
    changed = {lamp for lamp, shown in low.items() if shown is not lamp}
    assert changed == {Lamp.CLOSED, Lamp.OPEN}
    assert (low[Lamp.CLOSED], low[Lamp.OPEN]) == (Lamp.CLOSED_LOW, Lamp.OPEN_LOW)
    assert all(with_room(lamp, low=False) is lamp for lamp in low)
