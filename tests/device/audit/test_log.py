"""Writing the log: in order, durable, over rotation, pruning, crashes, failing disks; never changed afterwards."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from device.audit.chain import GENESIS
from device.audit.log import Note
from device.audit.tail import HEAD, LOCK, file_name, file_numbers
from device.clock import SECOND
from device.store.files import PosixFiles, lock
from models.errors import StorageError

FEW_BYTES = 2000  # four records


@dataclass
class Disk(PosixFiles):
    """Fails the calls of one name from now on, some of them after a part of their effect."""

    failing: str = ""
    error: int = errno.EIO

    def _fail(self, name: str) -> None:
        if name in self.failing.split():
            raise OSError(self.error, os.strerror(self.error))

    def write(self, fd: int, data: memoryview) -> int:
        if "short-write" in self.failing.split():
            self.failing += " write"
            self.failing = self.failing.replace("short-write", "")
            return super().write(fd, data[:30])
        self._fail("write")
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._fail("fsync")
        super().fsync(fd)

    def truncate(self, fd: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        if target.name == HEAD:
            self._fail("head")
        super().rename(source, target)


def test_records_follow_each_other_from_the_first(bench) -> None:
    log = bench.open()
    bench.write(log, 5)
    first, *others = bench.records()
    assert (first.sequence, first.previous, first.kind) == (1, GENESIS, "created")
    assert [one.kind for one in others] == ["press"] * 5
    assert [one.sequence for one in bench.records()] == [1, 2, 3, 4, 5, 6]
    assert (bench.folder / HEAD).read_text() == f"{log.head}\n"
    report = bench.verify()
    assert (report.records, report.files, report.problems, report.notes) == (6, 1, [], [])
    assert report.end == log.head == bench.records()[-1].link()


def test_two_logs_with_the_same_history_are_not_the_same(make_bench) -> None:
    one, other = make_bench("one"), make_bench("other")
    for bench in (one, other):
        bench.write(bench.open(), 3)
    assert one.records()[-1].hash() != other.records()[-1].hash()


def test_a_log_that_is_opened_again_goes_on(bench) -> None:
    for _ in range(4):
        bench.write(bench.open(), 2)
    assert [one.sequence for one in bench.records()] == list(range(1, 10))
    assert bench.verify().files == 1
    assert bench.found() == []


def test_files_are_rotated_by_size_and_the_chain_goes_on(bench) -> None:
    bench.write(bench.open(FEW_BYTES), 30)
    assert len(file_numbers(bench.folder)) > 5
    assert all(bench.path(number).stat().st_size <= FEW_BYTES for number in file_numbers(bench.folder))
    assert [one.sequence for one in bench.records()] == list(range(1, 32))
    assert bench.found() == []


def test_the_oldest_files_make_room_and_the_log_says_so(bench) -> None:
    bench.write(bench.open(FEW_BYTES, keep_bytes=3 * FEW_BYTES), 40)
    assert file_numbers(bench.folder)[0] > 1
    sizes = [bench.path(number).stat().st_size for number in file_numbers(bench.folder)]
    assert sum(sizes[:-1]) <= 3 * FEW_BYTES
    assert any(one.kind == "pruned" for one in bench.records())
    assert bench.found() == []


def test_an_interrupted_pruning_is_no_cut_but_a_missing_file_is_one(bench) -> None:
    bench.write(bench.open(FEW_BYTES), 30)
    before = {number: bench.path(number).read_bytes() for number in file_numbers(bench.folder)}
    bench.write(bench.open(FEW_BYTES, keep_bytes=5 * FEW_BYTES), 5)
    first = file_numbers(bench.folder)[0]
    assert 2 < first < 8
    (bench.folder / file_name(first - 1)).write_bytes(before[first - 1])
    assert bench.found() == []
    for number in (first - 1, first):
        bench.path(number).unlink()
    assert any("are missing before it" in line for line in bench.found())


def test_files_and_folder_are_private_whatever_the_umask(bench) -> None:
    before = os.umask(0)
    try:
        bench.write(bench.open(FEW_BYTES), 10)
    finally:
        os.umask(before)
    assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in bench.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("years", [10, -10])
def test_a_wall_clock_that_jumps_does_not_change_the_order(bench, years: int) -> None:
    log = bench.open()
    bench.write(log, 3)
    bench.wall += timedelta(days=years * 365)
    bench.synchronised = True
    bench.write(log, 3)
    bench.wall -= timedelta(days=2 * years * 365)
    bench.write(log, 3)
    records = bench.records()
    assert [one.sequence for one in records] == list(range(1, 11))
    assert [one.at_ns for one in records] == sorted(one.at_ns for one in records)
    assert [one.wall_time for one in records] != sorted(one.wall_time for one in records)
    assert [one.wall_synchronised for one in records] == [False] * 4 + [True] * 6
    assert bench.found() == []


def test_the_wall_time_is_that_of_the_event_not_of_its_writing(bench) -> None:
    log = bench.open()
    log.append([Note("press", bench.now_ns - 3 * SECOND, {})], bench.now_ns)
    assert bench.records()[-1].wall_time == "2026-03-04T05:06:04.000+00:00"


@pytest.mark.parametrize("cut", [1, 9, 50, 200])
def test_a_torn_last_line_is_left_alone_and_recorded_at_the_next_start(bench, cut: int) -> None:
    log = bench.open()
    bench.write(log, 3)
    head = (bench.folder / HEAD).read_bytes()
    size = bench.path().stat().st_size
    bench.write(log)
    whole = bench.path().read_bytes()
    (bench.folder / HEAD).write_bytes(head)
    bench.path().write_bytes(whole[: size + cut])
    assert bench.found() == []
    assert "torn by a crash" in bench.verify().notes[0]
    bench.write(bench.open(), 2)
    assert bench.path(1).read_bytes() == whole[: size + cut]
    repaired = bench.records()[4]
    assert (repaired.kind, repaired.data["rest_bytes"]) == ("repaired", cut)
    assert [one.sequence for one in bench.records()] == [1, 2, 3, 4, 5, 6, 7]
    assert bench.found() == []
    assert f"{cut} bytes behind the records do not count" in bench.verify().notes[0]


def test_records_that_were_synced_before_their_head_are_kept(bench) -> None:
    log = bench.open()
    bench.write(log, 3)
    head = (bench.folder / HEAD).read_bytes()
    bench.write(log, 2)
    (bench.folder / HEAD).write_bytes(head)
    assert bench.found() == []
    bench.write(bench.open())
    assert [one.sequence for one in bench.records()] == list(range(1, 8))
    assert bench.found() == []


def test_a_whole_line_of_somebody_is_not_taken_for_a_torn_write(bench) -> None:
    bench.write(bench.open(), 3)
    with bench.path().open("ab") as file:
        file.write(bench.path().read_bytes().splitlines(keepends=True)[-1])
    assert "it was moved here or is there twice" in bench.found()[0]
    bench.write(bench.open())
    assert any("focusgate found the log changed before this record" in line for line in bench.found())


@pytest.mark.parametrize("lines", [1, 2, 4])
def test_a_cut_end_is_found_at_once_and_for_ever(bench, lines: int) -> None:
    bench.write(bench.open(), 5)
    whole = bench.path().read_bytes().splitlines(keepends=True)
    bench.path().write_bytes(b"".join(whole[:-lines]))
    assert any("was cut off" in line for line in bench.found())
    bench.write(bench.open(), 3)  # the device starts, and writes a new head
    assert any("the head file says 6" in line for line in bench.found())
    assert [one.sequence for one in bench.records()][-4:] == [7, 8, 9, 10]  # no number is given twice


def test_half_a_line_before_the_head_is_a_cut_and_no_torn_write(bench) -> None:
    bench.write(bench.open(), 5)
    bench.path().write_bytes(bench.path().read_bytes()[:-20])
    assert bench.found() != []
    bench.write(bench.open())
    assert any("focusgate found the log changed" in line for line in bench.found())


def test_a_log_robbed_of_everything_but_its_head_says_so(bench) -> None:
    bench.write(bench.open(), 5)
    bench.path().unlink()
    assert any("was cut off" in line for line in bench.found())
    bench.write(bench.open())
    assert any("all files of the log are gone" in line for line in bench.found())


@pytest.mark.parametrize("head", [None, b"", b"nonsense\n", b"\xff\xfe"])
def test_a_log_robbed_of_its_head_says_so(bench, head: bytes | None) -> None:
    bench.write(bench.open(), 5)
    (bench.folder / HEAD).unlink()
    if head is not None:
        (bench.folder / HEAD).write_bytes(head)
    assert any("the head is gone" in line for line in bench.found())
    bench.write(bench.open())
    assert any("the head file is gone" in line for line in bench.found())


@pytest.mark.parametrize("failing", ["write", "short-write", "fsync", "short-write truncate", "fsync truncate"])
def test_a_failed_write_counts_for_nothing_and_the_next_succeeds_elsewhere(bench, failing: str) -> None:
    disk = bench.files = Disk()
    log = bench.open()
    bench.write(log, 3)
    disk.failing = failing
    with pytest.raises(StorageError, match="cannot write the audit log"):
        bench.write(log)
    disk.failing = ""
    bench.write(log, 2)
    assert bench.found() == []
    presses = [one.data["at"] for one in bench.records() if one.kind == "press"]
    assert len(presses) == len(set(presses)) >= 5
    assert any(one.kind == "repaired" for one in bench.records()) or "truncate" in failing


@pytest.mark.parametrize("failing", ["write", "short-write", "fsync"])
def test_a_new_file_that_fails_is_as_if_it_never_was(bench, failing: str) -> None:
    disk = bench.files = Disk()
    log = bench.open(FEW_BYTES)
    bench.write(log, 3)
    while bench.path().stat().st_size + 420 < FEW_BYTES:
        bench.write(log)
    disk.failing = failing
    with pytest.raises(StorageError):
        bench.write(log)
    assert file_numbers(bench.folder) == [1]
    disk.failing = ""
    bench.write(log, 2)
    assert file_numbers(bench.folder) == [1, 2]
    assert bench.found() == []


def test_a_head_that_cannot_be_written_costs_no_record(bench) -> None:
    disk = bench.files = Disk()
    log = bench.open()
    bench.write(log, 3)
    disk.failing = "head"
    bench.write(log, 2)
    assert "the log's head cannot be written" in (log.trouble or "")
    assert bench.found() == []
    disk.failing = ""
    bench.write(log)
    assert log.trouble is None
    assert (bench.folder / HEAD).read_text() == f"{log.head}\n"


def test_several_processes_write_one_chain(bench) -> None:
    logs = [bench.open(FEW_BYTES) for _ in range(3)]
    for number in range(30):
        bench.write(logs[number % 3])
    assert [one.sequence for one in bench.records()] == list(range(1, 32))
    assert bench.found() == []


def test_a_writer_that_never_lets_go_is_named(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    log = bench.open()
    monkeypatch.setattr("device.audit.log.LOCK_PAUSE_S", 0.0)
    held = lock(bench.folder / LOCK)
    try:
        with pytest.raises(StorageError, match="another process keeps the audit log to itself"):
            bench.write(log)
    finally:
        os.close(held)
    bench.write(log)
    assert bench.found() == []
