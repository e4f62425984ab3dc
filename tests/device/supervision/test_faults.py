"""The table of faults: codes, what latches, and that every reason of the gate has its code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.gate import Evidence, GateState, Inputs, Refused, step
from device.supervision.faults import (
    DISK_FULL,
    MODEL_REFUSED,
    NOT_IN_FOCUS,
    ROOM_LOW,
    TABLE,
    Fault,
    Kind,
    closes,
    coded,
    end_of,
    fault_in,
    latched,
    settled,
)
from device.supervision.refusals import refusal_line
from models.errors import (
    CameraError,
    ExitCode,
    FocusgateError,
    HardwareError,
    InputError,
    ModelError,
    StorageError,
    StuckError,
)

CODES = st.sampled_from(list(TABLE))
SEEN = st.one_of(st.none(), st.builds(lambda code, words: f"{code} {words}", CODES, st.sampled_from(["a", "b"])))


@pytest.mark.parametrize("fault", TABLE.values(), ids=TABLE)
def test_every_row_has_a_code_a_name_and_a_meaning_and_ends_have_an_exit_code(fault: Fault) -> None:
    assert re.fullmatch(r"FG-[1-9]\d\d", fault.code)
    assert fault.name
    assert fault.meaning
    assert (fault.kind is Kind.END) == (fault.exit_code is not None)


def test_no_two_rows_share_a_code_or_a_name() -> None:
    assert list(TABLE) == sorted(TABLE)
    assert len({fault.name for fault in TABLE.values()}) == len(TABLE)


@given(CODES, st.text(max_size=40))
def test_a_coded_line_tells_its_code_and_keeps_its_words(code: str, words: str) -> None:
    line = coded(TABLE[code], words)
    told = fault_in(line)
    assert told is TABLE[code] or words.startswith("FG-")
    assert line.endswith(words)
    assert coded(NOT_IN_FOCUS, line) == line


@pytest.mark.parametrize("line", ["", "camera gone", "FG-999 no such row", "FG-3010 too long", " FG-301 late"])
def test_a_line_without_a_code_of_the_table_has_none(line: str) -> None:
    assert fault_in(line) is None
    assert not latched(line)
    assert closes(line)


@given(st.lists(SEEN, max_size=30))
def test_the_first_that_latches_stays_and_what_clears_follows_what_is_seen(story: list[str | None]) -> None:
    held: str | None = None
    for seen in story:
        held = settled(held, seen)
    latching = [seen for seen in story if seen is not None and latched(seen)]
    assert held == (latching[0] if latching else story[-1] if story else None)


def test_a_notice_closes_nothing_and_everything_else_does() -> None:
    assert {kind for kind in Kind if any(f.kind is kind and closes(f.code) for f in TABLE.values())} == set(Kind) - {
        Kind.NOTICE
    }
    assert not closes(coded(ROOM_LOW, "room for 7"))
    assert closes(coded(DISK_FULL, "full"))
    assert latched(coded(MODEL_REFUSED, "x"))


@pytest.mark.parametrize(
    "error",
    [
        CameraError("x"),
        ModelError("x"),
        StorageError("x"),
        HardwareError("x"),
        InputError("x"),
        FocusgateError("x"),
        StuckError("x"),
        KeyboardInterrupt(),
        ZeroDivisionError("x"),
        SystemExit(1),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_that_ends_the_process_has_a_row_with_its_exit_code(error: BaseException) -> None:
    due = error.exit_code if isinstance(error, FocusgateError) else ExitCode.INTERNAL
    if isinstance(error, KeyboardInterrupt):
        due = ExitCode.INTERRUPTED
    assert end_of(error).exit_code is due


REASONS = st.sampled_from(["only 50 % in focus (90 % needed)", "cannot judge: glare"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([10, 100, 250, 400, 600]),  # ms to the next moment
            st.one_of(st.none(), st.tuples(st.sampled_from([0, 100, 350]), st.booleans(), REASONS)),
            st.booleans(),
            st.booleans(),
            st.sampled_from([None, None, None, "FG-101 camera told: gone"]),
            st.sampled_from([None, None, None, "captures wait to be saved; try again in a second", "FG-301 full"]),
        ),
        max_size=60,
    )
)
def test_every_refusal_that_the_gate_can_give_has_the_code_of_its_reason(moments: list[tuple]) -> None:  # type: ignore[type-arg]
    state, now_ns = GateState(), 10**12
    for number, (gap_ms, found, capture, override, fault, full) in enumerate(moments, 1):
        now_ns += gap_ms * 10**6
        evidence = None if found is None else Evidence(number, now_ns - found[0] * 10**6, found[1], found[2])
        state = step(state, evidence, Inputs(capture, override, None, None, fault, full), now_ns)
        for event in state.events:
            if isinstance(event, Refused):
                assert told_right(event.reason)


def told_right(reason: str) -> bool:
    """The code says what the words say; only what is about focus may have the code that is left over."""
    line = refusal_line(reason)
    about_focus = reason.startswith("only ") or reason in ("in focus, hold still", "")
    return (line.startswith("FG-501") == about_focus) and line.endswith(reason)
