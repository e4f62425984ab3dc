"""What the guard decides: high only inside a lease that was asked for, in so many words, within the last 150 ms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.guard_state import (
    LONGEST_LEASE_NS,
    MESSAGE_BYTES,
    VERSION,
    GuardState,
    close_message,
    remaining_ns,
    renew_message,
    step,
)
from device.lease import MS

NOW_NS = 5_000 * MS


def after(*events: tuple[bytes | None, int]) -> tuple[GuardState, bool]:
    state, level = GuardState(), False
    for datagram, now_ns in events:
        state, level = step(state, datagram, now_ns)
    return state, level


def test_the_line_is_low_until_somebody_asks() -> None:
    assert after((None, NOW_NS)) == (GuardState(now_ns=NOW_NS), False)


def test_a_renewal_holds_the_line_until_its_deadline_and_not_longer() -> None:
    asked = (renew_message(NOW_NS + 100 * MS), NOW_NS)
    assert after(asked)[1]
    assert after(asked, (None, NOW_NS + 100 * MS - 1))[1]
    assert not after(asked, (None, NOW_NS + 100 * MS))[1]


def test_no_lease_is_longer_than_150_ms_from_the_moment_it_was_received() -> None:
    asked = (renew_message(NOW_NS + 10_000 * MS), NOW_NS)
    assert after(asked, (None, NOW_NS + 150 * MS - 1))[1]
    assert not after(asked, (None, NOW_NS + 150 * MS))[1]


def test_a_message_that_waited_beyond_its_deadline_opens_nothing() -> None:
    assert not after((renew_message(NOW_NS - 1), NOW_NS))[1]
    assert not after((renew_message(NOW_NS), NOW_NS))[1]


def test_closing_drops_the_line_at_once() -> None:
    assert not after((renew_message(NOW_NS + 100 * MS), NOW_NS), (close_message(), NOW_NS + 1))[1]
    assert after((close_message(), NOW_NS), (renew_message(NOW_NS + 100 * MS), NOW_NS + 1))[1]


def test_time_that_runs_backwards_prolongs_nothing() -> None:
    state, level = after((renew_message(NOW_NS + 100 * MS), NOW_NS), (None, NOW_NS + 100 * MS), (None, NOW_NS))
    assert not level
    assert state.now_ns == NOW_NS + 100 * MS
    assert remaining_ns(state, 0) == 0


def test_what_remains_is_the_time_until_the_line_falls() -> None:
    state, _ = after((renew_message(NOW_NS + 100 * MS), NOW_NS))
    assert remaining_ns(state, NOW_NS + 40 * MS) == 60 * MS
    assert remaining_ns(state, NOW_NS + 101 * MS) == 0


GOOD = renew_message(NOW_NS + 100 * MS)
MALFORMED = {
    "empty": b"",
    "one byte short": GOOD[:-1],
    "one byte long": GOOD + b"\0",
    "oversized": GOOD * 5000,
    "foreign": b"GF" + GOOD[2:],
    "a later version": GOOD[:2] + bytes([VERSION + 1]) + GOOD[3:],
    "an earlier version": GOOD[:2] + bytes([VERSION - 1]) + GOOD[3:],
    "an unknown kind": GOOD[:3] + b"\x02" + GOOD[4:],
    "a deadline before time began": GOOD[:4] + b"\xff" * 8,
    "text": b"READY=1 now!",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_message_renews_nothing_closes_nothing_and_is_counted(what: str) -> None:
    state, level = after((MALFORMED[what], NOW_NS))
    assert not level
    assert state.refused == 1
    state, level = after((GOOD, NOW_NS), (MALFORMED[what], NOW_NS + 99 * MS))
    assert level
    assert not step(state, MALFORMED[what], NOW_NS + 100 * MS)[1]


def test_all_messages_have_the_size_that_the_guard_reads() -> None:
    assert len(GOOD) == len(close_message()) == MESSAGE_BYTES == 12


def test_messages_are_these_bytes() -> None:
    assert renew_message(258) == b"FG\x01\x01\0\0\0\0\0\0\x01\x02"
    assert close_message() == b"FG\x01\0\0\0\0\0\0\0\0\0"


def test_a_renewal_until_the_beginning_of_time_closes() -> None:
    state, level = after((GOOD, NOW_NS), (renew_message(0), NOW_NS + 1))
    assert (level, state.refused) == (False, 0)


@pytest.mark.parametrize("until_ns", [-1, 2**63])
def test_a_deadline_that_does_not_fit_is_refused_before_it_is_sent(until_ns: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        renew_message(until_ns)


times = st.integers(0, 2**63 - 1)
datagrams = (
    st.none()
    | st.binary(max_size=64)
    | times.map(renew_message)
    | st.just(close_message())
    | st.tuples(times.map(renew_message), st.integers(0, 11), st.integers(0, 255)).map(
        lambda item: item[0][: item[1]] + bytes([item[2]]) + item[0][item[1] + 1 :]
    )
)


@given(st.lists(st.tuples(datagrams, st.integers(0, 400 * MS)), max_size=40))
def test_whatever_arrives_the_line_is_high_only_within_150_ms_of_a_message_that_reads_as_a_renewal(
    events: list[tuple[bytes | None, int]],
) -> None:
    state, now_ns = GuardState(), NOW_NS
    last_renewal_ns: int | None = None
    for datagram, wait_ns in events:
        now_ns += wait_ns
        state, level = step(state, datagram, now_ns)
        if datagram is not None and datagram[:4] == GOOD[:4] and len(datagram) == MESSAGE_BYTES:
            last_renewal_ns = now_ns
        if level:
            assert last_renewal_ns is not None
            assert now_ns - last_renewal_ns < LONGEST_LEASE_NS
            assert 0 < remaining_ns(state, now_ns) <= LONGEST_LEASE_NS
        if datagram == close_message():
            assert not level


@given(st.lists(st.tuples(times.map(renew_message) | st.none(), st.integers(-(2**62), 2**62)), max_size=20))
def test_no_clock_however_wild_holds_the_line_beyond_a_lease(events: list[tuple[bytes | None, int]]) -> None:
    state = GuardState()
    for datagram, now_ns in events:
        state, _ = step(state, datagram, now_ns)
        assert not step(state, None, state.now_ns + LONGEST_LEASE_NS)[1]
