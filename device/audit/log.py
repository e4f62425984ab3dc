"""Writing the audit log: append, sync, then name the end in the head file. Several processes may write in turn.

A new file appears whole, with its first records; what a failed or torn write leaves behind the records of a file is
never touched again: the next file begins with a record that says what it is. Raises StorageError, and then nothing of
the batch counts as written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from device.audit.chain import Link, Record, parse_line
from device.audit.tail import (
    FILE_BYTES,
    HEAD,
    LOCK,
    REPAIRED,
    Flaw,
    Tail,
    file_name,
    file_numbers,
    read_head,
    read_tail,
)
from device.store.files import (
    PART_SUFFIX,
    POSIX,
    FileOps,
    again,
    close,
    lock,
    make_folder,
    remove,
    storage_errors,
    take_back,
    write_all,
    write_durably,
)
from device.store.origin import Origin
from models.errors import StorageError

KEEP_BYTES = 512 << 20  # some 1.5 million records: years of examinations; the oldest files then make room
LOCK_TRIES, LOCK_PAUSE_S = 50, 0.02  # another writer holds it for one batch
CREATED, PRUNED = "created", "pruned"
DONE = "the captures go on without it"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened at `at_ns` (monotonic), not in the log yet."""

    kind: str
    at_ns: int
    data: Mapping[str, Any]


class AuditLog:
    """The end of one log, for appending. Not for two threads at once; other processes take turns by a lock file."""

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        files: FileOps = POSIX,
        *,
        file_bytes: int = FILE_BYTES,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self.folder = folder
        self._origin = origin
        self._files = files
        self._file_bytes = file_bytes
        self._keep_bytes = keep_bytes
        self._tail: Tail | None = None
        self.trouble: str | None = None  # with the head file; the records are safe
        with self._alone("open the audit log"):
            self._look()

    @property
    def head(self) -> Link:
        """The last record that this process wrote or found."""
        return self._tail.link if self._tail is not None else Link()

    def append(self, notes: Sequence[Note], now_ns: int) -> Link:
        """Write all, in order, durable when this returns; the new end. `now_ns` is the clock of the notes' `at_ns`."""
        if not notes:
            return self.head
        with self._alone("write the audit log"):
            tail = self._look()
            first = (
                []
                if tail.flaw is None
                else [Note(tail.flaw.kind, notes[0].at_ns, {"found": tail.flaw.found, **tail.flaw.data})]
            )
            if tail.number == 0 and tail.flaw is None:
                first = [Note(CREATED, notes[0].at_ns, {"log_id": os.urandom(16).hex()})]
            records = self._records([*first, *notes], tail.link, now_ns)
            data = b"".join(record.line() for record in records)
            if first or tail.size + len(data) > self._file_bytes:
                self._begin_file(tail, [*first, *notes], now_ns)
            else:
                self._append(tail, data, records[-1].link())
            return self.head

    def _records(self, notes: Sequence[Note], link: Link, now_ns: int) -> list[Record]:
        wall_now, synchronised = self._origin.wall_now(), self._origin.synchronised()
        records: list[Record] = []
        for note in notes:
            wall = wall_now - timedelta(microseconds=max(now_ns - note.at_ns, 0) // 1000)
            record = Record(
                sequence=link.sequence + 1,
                boot_id=self._origin.boot_id,
                at_ns=note.at_ns,
                wall_time=wall.isoformat(timespec="milliseconds"),
                wall_synchronised=synchronised,
                kind=note.kind,
                data=note.data,
                previous=link.hash,
            )
            records.append(record)
            link = record.link()
        return records

    def _append(self, tail: Tail, data: bytes, end: Link) -> None:
        """Behind the records of the newest file. After a failure that file is left alone: what a failed sync did to it
        is not known."""
        path = self.folder / file_name(tail.number)
        fd = again(self._files.open_append, path)
        try:
            write_all(self._files, fd, data)
            again(self._files.fsync, fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                again(self._files.truncate, fd, tail.size)
            told = {"file": tail.number, "kept_bytes": tail.size, "errno": error.errno}
            self._tail = replace(tail, flaw=Flaw(REPAIRED, "a write failed", told))
            raise
        finally:
            close(self._files, fd)
        self._tail = replace(tail, size=tail.size + len(data), link=end)
        self._name_end(end)

    def _begin_file(self, tail: Tail, notes: list[Note], now_ns: int) -> None:
        """A new file with these records, whole or absent; the oldest files go if there are too many bytes."""
        if tail.flaw is None:
            self._write_head(tail.link)  # a head may lag behind by one file, not by two
        old, begin = self._too_old()
        if begin is not None:
            told = {"through": begin.sequence, "hash": begin.hash, "files": len(old)}
            notes = [*notes, Note(PRUNED, now_ns, told)]
        records = self._records(notes, tail.link, now_ns)
        data = b"".join(record.line() for record in records)
        path = self.folder / file_name(tail.number + 1)
        try:
            write_durably(self._files, path, data)
        except OSError:
            take_back(self._files, path)
            raise
        self._tail = Tail(tail.number + 1, len(data), records[-1].link())
        self._name_end(records[-1].link())
        with contextlib.suppress(OSError):  # the next new file tries again
            for one in old:
                remove(self._files, one)

    def _too_old(self) -> tuple[list[Path], Link | None]:
        """Files to remove, oldest first, so that what stays is below the limit, and what the first that stays follows
        on; never the newest."""
        paths = [self.folder / file_name(number) for number in file_numbers(self.folder)]
        sizes = [path.stat().st_size for path in paths]
        count = 0
        while count < len(paths) - 1 and sum(sizes[count:]) > self._keep_bytes:
            count += 1
        begin = _first_link(paths[count]) if count else None
        return (paths[:count], begin) if begin is not None else ([], None)

    def _look(self) -> Tail:
        """The end as it is now: other processes may have written since."""
        tail = self._tail
        if tail is not None and self._is_end(tail):
            return tail
        if tail is None:
            for part in self.folder.glob(f".*{PART_SUFFIX}"):
                remove(self._files, part)
        tail = read_tail(self.folder)
        if tail == Tail():
            self._write_head(Link())  # before any record: a log without a head is one that was robbed of it
        self._tail = tail
        return tail

    def _is_end(self, tail: Tail) -> bool:
        """True if no other process has written behind `tail`."""
        if (self.folder / file_name(tail.number + 1)).exists():
            return False
        try:
            return tail.number == 0 or (self.folder / file_name(tail.number)).stat().st_size == tail.size
        except FileNotFoundError:
            return False

    def _write_head(self, link: Link) -> None:
        if read_head(self.folder) != link:
            write_durably(self._files, self.folder / HEAD, f"{link}\n".encode("ascii"))

    def _name_end(self, link: Link) -> None:
        """The records are durable, whatever becomes of the head: it may lag behind, and catches up."""
        try:
            self._write_head(link)
        except OSError as error:
            self.trouble = f"{self.folder}: the log's head cannot be written ({error.strerror}); check the disk"
        else:
            self.trouble = None

    @contextlib.contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        """Hold the log's lock; errors of the disk become one StorageError."""
        with storage_errors(doing, self.folder, DONE), contextlib.ExitStack() as stack:
            if self._tail is None:
                make_folder(self._files, self.folder)
            stack.callback(os.close, _locked(self.folder / LOCK))
            yield


def _locked(path: Path) -> int:
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            return lock(path)
        time.sleep(LOCK_PAUSE_S)
    raise StorageError(f"{path}: another process keeps the audit log to itself; {DONE}; stop it")


def _first_link(path: Path) -> Link | None:
    """What the first record of a file follows on."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        record, _ = parse_line(line[:-1])
    except ValueError:
        return None
    return Link(record.sequence - 1, record.previous)
