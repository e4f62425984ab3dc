"""The values on which the safety core decides: units, timings and beginnings, and that nobody can change one later."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from device import debounce, gate, guard_state, lease
from device.audit import chain

CORE = (debounce, gate, guard_state, lease, chain)
VALUES = [
    made
    for module in CORE
    for made in vars(module).values()
    if dataclasses.is_dataclass(made) and isinstance(made, type) and made.__module__ == module.__name__
]


@pytest.mark.parametrize("made", VALUES, ids=lambda made: f"{made.__module__}.{made.__name__}")
def test_a_value_of_the_core_can_neither_be_changed_nor_given_another_field(made: Any) -> None:
    value = object.__new__(made)
    names = [field.name for field in dataclasses.fields(made)]
    for name in (*names, "another"):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):  # TypeError: slots of a frozen class, 3.11
            setattr(value, name, 1)
    assert not hasattr(value, "__dict__")


def test_a_millisecond_is_a_million_nanoseconds_everywhere() -> None:
    assert debounce.MS == gate.MS == lease.MS == 10**6
    assert gate.SECOND == 10**9


def test_timings_are_those_of_the_design() -> None:
    ms, seconds = 10**6, 10**9
    of_debounce = debounce.DebounceSettings(settle_ns=20 * ms, refractory_ns=250 * ms)
    of_gate = gate.GateSettings(
        passes_to_open=3,
        max_evidence_age_ns=300 * ms,
        press_window_ns=500 * ms,
        override_hold_ns=1_500 * ms,
        override_armed_ns=10 * seconds,
        override_score_wait_ns=300 * ms,
        stuck_ns=10 * seconds,
    )
    assert debounce.DebounceSettings() == of_debounce == debounce.DEFAULTS
    assert gate.GateSettings() == of_gate == gate.DEFAULTS
    longest_ns = guard_state.LONGEST_LEASE_NS
    assert longest_ns == 150 * ms
    assert lease.renewed(lease.Lease(), 10 * seconds, 0) == lease.Lease(150 * ms)


def test_everything_begins_closed_and_empty() -> None:
    assert lease.Lease() == lease.closed() == lease.Lease(0)
    assert debounce.Debounced() == debounce.Debounced(pressed=False, raw=False, raw_since_ns=0, last_press_ns=None)
    assert guard_state.GuardState() == guard_state.GuardState(lease.Lease(0), now_ns=0, refused=0)
    assert gate.Held() == gate.Held(since_ns=None, used=False, stuck=False)
    assert gate.Inputs() == gate.Inputs(
        capture=False, override=False, frame_id=None, exposed_ns=None, fault=None, cannot_save=None
    )
    begin = gate.GateState()
    assert (begin.mode, begin.passes, begin.evidence, begin.press) == (gate.Mode.STARTING, 0, None, None)
    assert (begin.late, begin.armed_until_ns, begin.now_ns, begin.events) == (False, None, 0, ())
    assert begin.capture_button == begin.override_button == gate.Held()
    assert chain.Link() == chain.Link(0, "0" * 64)


def test_evidence_that_says_no_reason_has_none() -> None:
    assert gate.Evidence(1, 1, passes=True).reason == ""


def test_values_are_equal_by_what_they_say() -> None:
    assert gate.Held(1) == gate.Held(1) != gate.Held(2)
    assert gate.GateState() == gate.GateState()
    assert hash(gate.Press(1, override=True)) == hash(gate.Press(1, override=True))
