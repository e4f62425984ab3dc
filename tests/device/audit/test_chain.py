"""One record and its link: written in one way only, and no other line is taken for one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.audit.chain import (
    GENESIS,
    LINE_START,
    Link,
    NotARecordError,
    Record,
    break_between,
    is_torn,
    parse_line,
    sound,
    split_lines,
)
from models.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.builds(
    Record,
    sequence=st.integers(1, 10**12),
    boot_id=st.text(max_size=40),
    at_ns=st.integers(-(10**18), 10**18),
    wall_time=st.text(max_size=40),
    wall_synchronised=st.booleans(),
    kind=st.text(max_size=20),
    data=st.dictionaries(st.text(max_size=8), VALUES, max_size=4),
    previous=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
ONE = Record(1, "boot", 2, "2026-01-01T00:00:00.000+00:00", False, "press", {"button": "capture"}, GENESIS)


@given(RECORDS)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    found, told = parse_line(record.line()[:-1])
    assert (found, told) == (record, record.hash())
    assert sound(record.line()) == record
    assert record.line().startswith(LINE_START)
    assert record.line().count(b"\n") == 1


@given(RECORDS, st.data())
def test_no_changed_byte_leaves_a_record_sound(record: Record, data: st.DataObject) -> None:
    line = record.line()
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    assert sound(line[:at] + bytes([other]) + line[at + 1 :]) is None


@given(st.binary(max_size=200))
def test_no_other_bytes_are_a_record(data: bytes) -> None:
    with pytest.raises(NotARecordError):
        parse_line(data)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 5000,
        b"9" * 5000,
        b'{"at_ns":1e999}',
        b"null",
        ONE.line()[:-1].replace(b'"sequence":1', b'"sequence":0'),
        ONE.line()[:-1].replace(b'"sequence":1', b'"sequence":true'),
        ONE.line()[:-1].replace(b'"kind":', b'"kind": '),
        ONE.line()[:-1].replace(b'"kind":"press"', b'"kind":"press","kind":"press"'),
        ONE.line()[:-1].replace(GENESIS.encode(), b"f" * 63),
        replace(ONE, data={"text": "x" * 20_000}).line()[:-1],
    ],
)
def test_what_focusgate_does_not_write_is_no_record(line: bytes) -> None:
    with pytest.raises(NotARecordError):
        parse_line(line)


def test_the_hash_can_be_worked_out_by_anybody() -> None:
    fields = json.loads(ONE.line())
    told = fields.pop("hash")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert told == hashlib.sha256(text.encode()).hexdigest()


def test_a_record_follows_only_on_the_one_before_it() -> None:
    first, link = ONE, ONE.link()
    second = replace(ONE, sequence=2, previous=first.hash())
    assert break_between(Link(), first) is None
    assert break_between(link, second) is None
    assert break_between(link, first) == "stands after record 1: it was moved here or is there twice"
    assert break_between(link, replace(second, sequence=4)) == "records 2 to 3 are missing before it"
    assert "does not follow on record 1" in (break_between(link, replace(second, previous=GENESIS)) or "")


@given(st.binary(max_size=200))
def test_lines_are_the_whole_and_in_order(data: bytes) -> None:
    parts = list(split_lines(data))
    assert b"".join(line for _, line in parts) == data
    assert all(data[offset : offset + len(line)] == line for offset, line in parts)
    assert all(line.count(b"\n") <= 1 for _, line in parts)


@given(RECORDS, st.data())
def test_the_beginning_of_a_line_is_a_torn_write(record: Record, data: st.DataObject) -> None:
    line = record.line()
    cut = data.draw(st.integers(1, len(line) - 1))
    assert is_torn(line[:cut])
    assert is_torn(line[:cut] + bytes(8) + line)  # a sector that never arrived


@given(RECORDS)
def test_a_whole_line_is_no_torn_write(record: Record) -> None:
    assert not is_torn(record.line())
    assert not is_torn(b"a line of somebody\n")
    assert not is_torn(b"somebody")


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32).map(bytes.hex))
def test_a_head_is_read_back_as_it_was_written(sequence: int, digest: str) -> None:
    assert Link.parse(str(Link(sequence, digest))) == Link(sequence, digest)


@pytest.mark.parametrize(
    "text", ["", "12", "12:", ":" + "a" * 64, "-1:" + "a" * 64, "1:" + "A" * 64, "1:" + "a" * 63, "٣:" + "a" * 64]
)
def test_what_is_no_head_is_said_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"no head of an audit log; write it as NUMBER:HASH"):
        Link.parse(text)
