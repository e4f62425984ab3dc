"""The safety core at its edges: one nanosecond, one record, one character before and after."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from device.audit.chain import (
    MAX_LINE_BYTES,
    Link,
    NotARecordError,
    Record,
    break_between,
    canonical,
    parse_line,
    sound,
    split_lines,
)
from device.gate import MS, Capture, Evidence, GateSettings, GateState, Inputs, Mode, Press, step
from models.errors import InputError

SETTINGS = GateSettings()
START = 1000 * 10**9
RECORD = Record(5, "boot", 7, "2026-01-01T00:00:00Z", True, "press", {"b": 1, "a": 2}, "7" * 64)


def seen_at(*evidence: Evidence) -> GateState:
    """A gate that was given this evidence, one after the other, at START."""
    state = GateState(now_ns=START)
    for each in evidence:
        state = step(state, each, Inputs(), START)
    return state


@pytest.mark.parametrize(
    ("frame_id", "exposed_ns"),
    [
        (1001, START - 11 * MS),  # a later number, exposed before
        (999, START - 9 * MS),  # an earlier number, exposed after
        (int("1000"), START - 9 * MS),  # the same number
        (1001, START - 10 * MS),  # the same instant
    ],
)
def test_evidence_that_is_not_newer_in_both_number_and_time_is_none(frame_id: int, exposed_ns: int) -> None:
    known = Evidence(1000, START - 10 * MS, passes=True)
    state = seen_at(known, Evidence(frame_id, exposed_ns, passes=True))
    assert (state.passes, state.evidence) == (1, known)


@pytest.mark.parametrize(("ahead_ns", "passes"), [(0, 1), (1, 0)])
def test_evidence_of_the_future_is_none(ahead_ns: int, passes: int) -> None:
    assert seen_at(Evidence(1, START + ahead_ns, passes=True)).passes == passes


@pytest.mark.parametrize(("late_ns", "is_armed"), [(-1, False), (0, True), (1, True), (40 * MS, True)])
def test_the_override_is_armed_once_it_was_held_for_its_time_whenever_that_is_seen(
    late_ns: int, is_armed: bool
) -> None:
    state = step(GateState(now_ns=START), None, Inputs(override=True), START)
    state = step(state, None, Inputs(override=True), START + SETTINGS.override_hold_ns + late_ns)
    assert (state.mode is Mode.OVERRIDE_ARMED) is is_armed


def test_a_button_that_was_never_down_holds_nothing_however_short_the_hold() -> None:
    settings = replace(SETTINGS, override_hold_ns=1)
    assert step(GateState(now_ns=START), None, Inputs(), START, settings).armed_until_ns is None


@pytest.mark.parametrize("frame_id", [0, 1, 1000])
@pytest.mark.parametrize("late_ns", [0, 1, 50 * MS])
@pytest.mark.parametrize("after_ns", [0, 1, 50 * MS])
def test_an_override_without_a_score_takes_the_frame_exposed_at_or_after_its_press(
    frame_id: int, late_ns: int, after_ns: int
) -> None:
    press = Press(START, override=True)
    state = GateState(now_ns=START, press=press, armed_until_ns=START + SETTINGS.override_armed_ns)
    exposed_ns = int(str(START + after_ns))
    inputs = Inputs(frame_id=frame_id, exposed_ns=exposed_ns)
    state = step(state, None, inputs, START + SETTINGS.override_score_wait_ns + late_ns)
    assert state.events == (Capture(frame_id, START, override=True, judged=False),)


def test_lines_end_where_they_end_and_the_last_one_may_not() -> None:
    lines = [b"a" * 300 + b"\n", b"\n", b"bc\n", b"rest"]
    assert list(split_lines(b"".join(lines))) == [(0, lines[0]), (301, lines[1]), (302, lines[2]), (305, lines[3])]
    assert list(split_lines(b"".join(lines[:3]))) == [(0, lines[0]), (301, lines[1]), (302, lines[2])]
    assert list(split_lines(b"")) == []


@pytest.mark.parametrize(
    ("at", "sequence", "said"),
    [
        (1000, 999, "it was moved here or is there twice"),
        (1000, 1000, "it was moved here or is there twice"),
        (1000, 1001, None),
        (1000, 1002, "record 1001 is missing before it"),
        (1000, 1003, "records 1001 to 1002 are missing before it"),
        (5, 8, "records 6 to 7 are missing before it"),
    ],
)
def test_what_is_missing_or_moved_is_named(at: int, sequence: int, said: str | None) -> None:
    found = break_between(Link(int(str(at)), RECORD.previous), replace(RECORD, sequence=int(str(sequence))))
    assert found is None if said is None else said in (found or "")


@pytest.mark.parametrize("other", ["6" * 64, "8" * 64])
def test_a_record_that_follows_on_another_is_found(other: str) -> None:
    assert "does not follow on record 4" in (break_between(Link(4, other), RECORD) or "")


@pytest.mark.parametrize("told", ["0" * 64, "f" * 64])
def test_a_record_with_a_hash_that_is_not_its_own_is_not_sound(told: str) -> None:
    line = RECORD.line()
    assert sound(line) == RECORD
    assert sound(line.replace(RECORD.hash().encode(), told.encode())) is None


def test_keys_are_sorted_at_every_depth_and_a_line_that_sorts_them_otherwise_is_no_record() -> None:
    line = RECORD.line()[:-1]
    assert b'"data":{"a":2,"b":1}' in line
    backwards = json.dumps(dict(reversed(json.loads(line).items())), separators=(",", ":")).encode()
    assert backwards > line
    for other in (backwards, line.replace(b'{"a":2,"b":1}', b'{"b":1,"a":2}')):
        with pytest.raises(NotARecordError, match="not written as records are"):
            parse_line(other)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_has_no_number_for_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": number})


def test_a_line_may_be_as_long_as_the_longest_and_not_a_byte_longer() -> None:
    assert MAX_LINE_BYTES == 16_384
    missing = MAX_LINE_BYTES - len(replace(RECORD, data={"a": ""}).line()[:-1])
    longest = replace(RECORD, data={"a": "x" * missing}).line()[:-1]
    assert len(longest) == MAX_LINE_BYTES
    assert parse_line(longest)[0].data == {"a": "x" * missing}
    with pytest.raises(NotARecordError, match="longer"):
        parse_line(replace(RECORD, data={"a": "x" * (missing + 1)}).line()[:-1])


def test_what_is_no_head_is_shown_up_to_eighty_characters() -> None:
    with pytest.raises(InputError) as raised:
        Link.parse("x" * 90)
    assert str(raised.value).startswith(f"'{'x' * 80}' is no head")
