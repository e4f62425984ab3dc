"""Clocks, rates and faults."""

from __future__ import annotations

import logging

import pytest

from device.clock import MS, SECOND, FakeClock, MonotonicClock
from device.gate import GateState, Mode
from device.status import Faults, Rate, Status


def test_the_fake_clock_moves_only_when_told_and_never_back() -> None:
    clock = FakeClock(5)
    clock.sleep_until_ns(3)
    assert clock.now_ns() == 5
    clock.sleep_until_ns(10)
    clock.advance_ns(2)
    assert clock.now_ns() == 12
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_ns(-1)


def test_the_monotonic_clock_sleeps_at_least_until_the_deadline() -> None:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + 2 * MS
    clock.sleep_until_ns(deadline_ns)
    assert clock.now_ns() >= deadline_ns
    clock.sleep_until_ns(0)


def test_a_rate_is_events_a_second_and_none_when_they_stopped() -> None:
    rate = Rate()
    for number in range(11):
        rate.mark(number * 100 * MS)
    assert rate.per_second(SECOND) == pytest.approx(10.0)
    assert rate.per_second(4 * SECOND) == 0.0
    assert Rate().per_second(0) == 0.0


def test_faults_of_several_parts_are_told_together_and_cleared_apart() -> None:
    faults = Faults()
    assert faults.current() is None
    faults.raise_("camera", "camera gone")
    faults.raise_("model", "model broken")
    assert faults.current() == "camera gone; model broken"
    faults.clear("camera")
    faults.clear("camera")
    assert faults.current() == "model broken"


def test_a_notice_closes_nothing_and_stands_in_the_log_once_when_it_comes_and_when_it_goes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("focusgate"), "propagate", True)
    caplog.set_level(logging.INFO, "focusgate")
    faults = Faults()
    for words in ("fewer than 100", "fewer than 90"):
        faults.raise_("room", f"FG-305 {words}")
    assert (faults.current(), faults.notices()) == (None, ("FG-305 fewer than 90",))
    faults.raise_("camera", "FG-101 gone")
    faults.clear("room")
    assert (faults.current(), faults.notices()) == ("FG-101 gone", ())
    assert caplog.messages == ["FG-305 fewer than 100", "FG-305 room is low: over"]


def test_what_latches_is_not_cleared_and_keeps_its_first_words() -> None:
    faults = Faults()
    faults.raise_("model", "FG-202 not finite")
    faults.raise_("model", "FG-201 not signed")
    faults.raise_("model", "FG-202 not finite")
    faults.clear("model")
    assert faults.current() == "FG-201 not signed"


def test_the_journal_line_says_state_reason_and_rate() -> None:
    status = Status(gate=GateState(mode=Mode.CLOSED, reason="too dark"), judged_fps=9.96, age_ns=42 * MS)
    assert status.line() == "closed: too dark (10.0 frames/s, 42 ms)"
    assert Status(gate=GateState(mode=Mode.OPEN, reason="")).line() == "open (0.0 frames/s, 0 ms)"
