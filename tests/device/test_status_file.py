"""The status file: written whole once a second, readable by everybody, and never believed when it is old."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock import MS, SECOND
from device.gate import GateState, Mode
from device.pins.protocol import Lamp
from device.status import Status
from device.status_file import (
    STALE_NS,
    StatusWriter,
    as_json,
    read_status,
    record_of,
    stale,
    status_writer,
    write_status,
)
from models.errors import InputError

BOOT = "0f1e2d3c"
STATUS = Status(
    gate=GateState(mode=Mode.CLOSED, reason="62 % in focus"),
    lamp=Lamp.CLOSED,
    camera_fps=10.04,
    judge_ns=41 * MS,
    age_ns=63 * MS,
    saved=3,
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_status(path, STATUS, 5 * SECOND, BOOT)
    record = read_status(path)
    assert record == record_of(STATUS, 5 * SECOND, BOOT)
    assert (record.mode, record.reason, record.lamp) == ("closed", "62 % in focus", "closed")
    assert (record.judge_ms, record.age_ms, record.saved, record.fraction) == (41.0, 63.0, 3, None)


def test_everybody_may_read_it_and_nothing_else_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_status(path, STATUS, 0, BOOT)
    write_status(path, STATUS, 1, BOOT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@given(st.integers(0, 10 * STALE_NS))
def test_a_record_is_stale_three_seconds_after_it_was_written(age_ns: int) -> None:
    record = record_of(STATUS, 7 * SECOND, BOOT)
    assert (stale(record, 7 * SECOND + age_ns, BOOT) is None) == (age_ns <= STALE_NS)


def test_a_record_of_another_boot_is_stale_however_new_it_looks() -> None:
    why = stale(record_of(STATUS, 7 * SECOND, BOOT), 7 * SECOND, "another")
    assert why is not None
    assert "last start" in why


def test_a_writer_writes_once_a_second(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "status.json", BOOT)
    written = set()
    for now_ns in range(10 * SECOND, 13 * SECOND, 50 * MS):
        assert writer.tick(STATUS, now_ns) is None
        written.add(read_status(writer.path).written_ns)
    assert written == {10 * SECOND, 11 * SECOND, 12 * SECOND}


def test_a_file_that_cannot_be_written_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "none" / "status.json", BOOT)
    said = [writer.tick(STATUS, now_ns) for now_ns in (0, 1 * SECOND, 2 * SECOND)]
    assert said[0] is not None
    assert "cannot be written" in said[0]
    assert said[1:] == [None, None]


def test_it_is_said_again_after_it_had_worked_in_between(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path / "run" / "status.json", BOOT)
    first = writer.tick(STATUS, 0)
    writer.path.parent.mkdir()
    between = writer.tick(STATUS, 1 * SECOND)
    writer.path.unlink()
    writer.path.parent.rmdir()
    assert [first is None, between is None, writer.tick(STATUS, 2 * SECOND) is None] == [False, True, False]


def test_a_run_writes_a_status_only_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOCUSGATE_STATUS", raising=False)
    assert status_writer() is None
    monkeypatch.setenv("FOCUSGATE_STATUS", str(tmp_path / "status.json"))
    writer = status_writer()
    assert writer is not None
    assert writer.path == tmp_path / "status.json"


def test_the_service_tells_a_run_where() -> None:
    from device.status_file import STATUS_FILE

    unit = (Path(__file__).parents[2] / "systemd" / "focusgate.service").read_text(encoding="utf-8")
    assert f"Environment=FOCUSGATE_STATUS={STATUS_FILE}\n" in unit


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"mode": "open"}', "\x00\xff"])
def test_what_is_no_status_file_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="no status file") as caught:
        read_status(path)
    assert "\n" not in str(caught.value)


def test_json_says_whether_it_still_holds() -> None:
    record = record_of(STATUS, 0, BOOT)
    assert json.loads(as_json(record, None))["stale"] is None
    assert json.loads(as_json(record, "old"))["stale"] == "old"
