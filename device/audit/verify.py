"""Reading a whole log again: any edit, cut, insertion, repetition or change of order, by file, line and number.

What a chain of hashes cannot show is somebody who writes everything anew from the change to the end, the head file
included. For that a head that was noted elsewhere is given: the record that it names must still be there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from device.audit.chain import Link, NotARecordError, Record, break_between, is_torn, parse_line, split_lines
from device.audit.log import PRUNED
from device.audit.tail import BROKEN, HEAD, LARGEST_BYTES, LOCK, REPAIRED, file_name, file_numbers, read_head
from device.store.files import PART_SUFFIX, lock, storage_errors
from models.errors import InputError

Progress = Callable[[int, int], None]  # done, of how many
READINGS = 3  # a running device may remove its oldest file while it is read


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that no crash does. `line` counts from 1; `sequence` is the number of the record that stands there."""

    file: Path
    line: int | None
    sequence: int | None
    what: str

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line is not None else ""
        number = f", record {self.sequence}" if self.sequence is not None else ""
        return f"{self.file}{line}{number}: {self.what}"


@dataclass
class Report:
    """What a log holds, and how it ends. `notes` are no problems: they are what a crash leaves."""

    folder: Path
    records: int = 0
    files: int = 0
    end: Link = field(default_factory=Link)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_log(
    folder: Path,
    noted: Link | None = None,
    progress: Progress = lambda _done, _of: None,
    on_record: Callable[[Record], None] = lambda _record: None,
) -> Report:
    """Read every record; each that is one is given to `on_record`. `noted` is a head that was written down elsewhere.

    Never writes. Raises StorageError if the folder cannot be read.
    """
    for reading in range(READINGS):
        with storage_errors("read the audit log", folder, "nothing was changed"):
            try:
                return _Reading(folder, noted, on_record).read(progress)
            except FileNotFoundError:
                if reading == READINGS - 1:
                    raise
    raise AssertionError


def _snapshot(folder: Path) -> tuple[Link | None, dict[int, int]]:
    """Head and sizes of the files at one moment: a running device goes on writing. A lock is not waited for."""
    with contextlib.ExitStack() as stack:
        if (folder / LOCK).exists():
            with contextlib.suppress(OSError):
                stack.callback(os.close, lock(folder / LOCK))
        sizes = {number: (folder / file_name(number)).stat().st_size for number in file_numbers(folder)}
        return read_head(folder), sizes


class _Reading:
    """From record to record; after a problem it goes on from what it found, so that one change is few problems."""

    def __init__(self, folder: Path, noted: Link | None, on_record: Callable[[Record], None]) -> None:
        self._report = Report(folder)
        self._on_record = on_record
        self._noted = noted
        self._head, self._sizes = _snapshot(folder) if folder.is_dir() else (None, {})
        self._found: set[Link] = {Link()}
        self._begin: Record | None = None
        self._pruned: list[Link] = []

    def read(self, progress: Progress) -> Report:
        report = self._report
        report.files = len(self._sizes)
        for done, number in enumerate(self._sizes):
            progress(done, len(self._sizes))
            self._file(number)
        progress(len(self._sizes), len(self._sizes))
        self._check_begin()
        self._check_end()
        return report

    def _file(self, number: int) -> None:
        path = self._report.folder / file_name(number)
        if self._begin is not None and number - 1 not in self._sizes:
            self._wrong(path, f"the file before it, {file_name(number - 1)}, is gone")
        size = self._sizes[number]
        if not 0 < size <= LARGEST_BYTES:
            self._wrong(path, f"{size} bytes: focusgate writes no such file")
            return
        with path.open("rb") as file:
            data = file.read(size)
        told = self._told_of(number)
        kept = told[0] if told is not None else len(data)
        for count, (offset, line) in enumerate(split_lines(data[:kept]), start=1):
            if self._line(path, count, line):
                continue
            if number == max(self._sizes) and self._is_behind_head() and is_torn(data[offset:]):
                self._report.notes.append(f"{path}, line {count}: torn by a crash; the next start records it")
                return
            self._wrong(path, "this is no record of focusgate: it was changed or put here", count)
        if told is not None:
            self._check_rest(path, data[kept:], told[1])

    def _told_of(self, number: int) -> tuple[int, Mapping[str, object]] | None:
        """What the first record of the next file says of how this one ends: bytes that count, and the rest."""
        if number + 1 not in self._sizes:
            return None
        with (self._report.folder / file_name(number + 1)).open("rb") as file:
            line = file.readline(LARGEST_BYTES)
        with contextlib.suppress(NotARecordError):
            record, _ = parse_line(line[:-1])
            kept = record.data.get("kept_bytes")
            if record.kind in (REPAIRED, BROKEN) and record.data.get("file") == number and type(kept) is int:
                return max(kept, 0), record.data
        return None

    def _check_rest(self, path: Path, rest: bytes, told: Mapping[str, object]) -> None:
        """A failed write leaves what nobody can know; of a torn one the digest was recorded."""
        if "rest_sha256" in told and hashlib.sha256(rest).hexdigest() != told["rest_sha256"]:
            self._wrong(path, "what a torn write left behind the records is not what was recorded of it")
        elif rest:
            self._report.notes.append(f"{path}: {len(rest)} bytes behind the records do not count: {told.get('found')}")

    def _line(self, path: Path, count: int, line: bytes) -> bool:
        """Check one record against those before it. False if the line is none."""
        try:
            record, told = parse_line(line.removesuffix(b"\n"))
        except NotARecordError:
            return False
        if not line.endswith(b"\n"):
            return False
        link, sequence = self._report.end, record.sequence
        self._report.records += 1
        if self._begin is None:
            self._begin = record
        else:
            broken = break_between(link, record)
            if broken is not None:
                self._wrong(path, broken, count, sequence)
        if record.hash() != told:
            self._wrong(path, "it was changed: its hash is not that of what it says", count, sequence)
        if record.kind == BROKEN:
            found = str(record.data.get("found"))
            self._wrong(path, f"focusgate found the log changed before this record: {found}", count, sequence)
        if record.kind == PRUNED:
            with contextlib.suppress(InputError):
                self._pruned.append(Link.parse(f"{record.data.get('through')}:{record.data.get('hash')}"))
        if sequence > link.sequence:
            self._report.end = Link(sequence, told)
        if Link(sequence, told) in (self._head, self._noted):
            self._found.add(Link(sequence, told))
        self._on_record(record)
        return True

    def _is_behind_head(self) -> bool:
        """Whether all that the head promises was seen."""
        return self._head is not None and self._report.end.sequence >= self._head.sequence

    def _check_begin(self) -> None:
        """A log begins with record 1, or where a record says that what came before was removed for room."""
        begin, files = self._begin, sorted(self._sizes)
        if begin is None:
            return
        before = Link(begin.sequence - 1, begin.previous)
        if before != Link() and not any(one == before or one.sequence > before.sequence for one in self._pruned):
            path = self._report.folder / file_name(files[0])
            what = f"records 1 to {before.sequence} are missing before it" if before.sequence else "no log begins so"
            self._wrong(path, what, 1, begin.sequence)

    def _check_end(self) -> None:
        """Nothing may be missing that a head names; and nothing may lie here that is not the log's."""
        report, head, end = self._report, self._head, self._report.end
        if head is None and self._sizes:
            self._wrong(report.folder / HEAD, "the head is gone or unreadable; what the log ended with is not known")
        if head is not None and head not in self._found:
            what = f"the log ends at record {end.sequence}, the head says {head.sequence}: what is between was cut off"
            if head.sequence <= end.sequence:
                what = "the record that the head names is not there, or is another"
            self._wrong(report.folder / HEAD, what, sequence=head.sequence)
        if head is not None and head.sequence < end.sequence:
            report.notes.append(
                f"{report.folder}: what stands behind record {head.sequence} is not in the head yet: "
                "a crash came between, or somebody added it"
            )
        if self._noted is not None and self._noted.sequence < end.sequence:
            report.notes.append(
                f"{end.sequence - self._noted.sequence} records were added since the head that you gave"
            )
        if self._noted is not None and self._noted not in self._found:
            what = "the head that you gave names a record that is not in this log: it was cut off or written anew"
            self._wrong(report.folder, what, sequence=self._noted.sequence)
        if report.folder.is_dir():
            names = {HEAD, LOCK, *map(file_name, self._sizes), *map(file_name, file_numbers(report.folder))}
            for path in sorted(report.folder.iterdir()):
                if path.name not in names and path.suffix != PART_SUFFIX:
                    self._wrong(path, "not a file of the log")

    def _wrong(self, path: Path, what: str, line: int | None = None, sequence: int | None = None) -> None:
        self._report.problems.append(Problem(path, line, sequence, what))
