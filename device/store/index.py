"""The SQLite index: what is listed, and quickly. It can be thrown away; the files tell everything again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from device.store.files import PRIVATE_FILE
from device.store.records import CaptureRecord
from models.verdict import VerdictKind

SCHEMA_VERSION = 2
CACHE_KIB = 512  # pages that SQLite keeps; its usual 2 MiB fill up over days, and rows are few
BUSY_S = 2.0  # `captures list` reads beside the running device; neither holds a lock for longer than milliseconds
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: a table that is not there

_SCHEMA = """
CREATE TABLE captures (
    capture_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, boot_id TEXT NOT NULL, exposed_ns INTEGER NOT NULL,
    session_id TEXT, wall_time TEXT NOT NULL, wall_synchronised INTEGER NOT NULL, verdict TEXT, reason TEXT,
    override INTEGER NOT NULL, in_focus INTEGER, judged_tiles INTEGER, total INTEGER,
    width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL, seal TEXT NOT NULL
) STRICT
"""


class IndexDamagedError(sqlite3.DatabaseError):
    """The database is not one, is of another version, or contradicts itself. It is rebuilt from the files."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what a list of captures shows, with size and seal of the file. Times as in the record."""

    capture_id: str
    sequence: int
    boot_id: str
    exposed_ns: int
    session_id: str | None
    wall_time: str  # ISO 8601, UTC
    wall_synchronised: bool
    verdict: VerdictKind | None
    reason: str | None
    override: bool
    in_focus: int | None
    judged_tiles: int | None
    total: int | None
    width: int
    height: int
    bytes: int
    seal: str  # SHA-256 of the file with the seal itself set to zeros, as the file carries it

    @classmethod
    def of(cls, record: CaptureRecord, size: int, seal: str) -> Self:
        """The row of a capture whose file has `size` bytes and this seal."""
        evidence = record.evidence
        return cls(
            capture_id=record.capture_id,
            sequence=record.sequence,
            boot_id=record.boot_id,
            exposed_ns=record.exposed_ns,
            session_id=record.session_id,
            wall_time=record.wall_time.astimezone(UTC).isoformat(timespec="milliseconds"),
            wall_synchronised=record.wall_synchronised,
            verdict=record.verdict,
            reason=record.reason,
            override=record.override,
            in_focus=evidence.in_focus if evidence else None,
            judged_tiles=evidence.judged_tiles if evidence else None,
            total=evidence.total if evidence else None,
            width=record.width,
            height=record.height,
            bytes=size,
            seal=seal,
        )


class Index:
    """An open index. Methods raise IndexDamagedError, or sqlite3.Error for what the disk did."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the index, or make a new one. Raises as above; a read-only one must exist."""
        if not read_only:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE))
            path.chmod(PRIVATE_FILE)  # SQLite gives its companion files the mode of this one
        # without a log there is no writer: read the file as it is, and leave no companion files, nor need to
        alone = read_only and not path.with_name(f"{path.name}-wal").exists()
        how = f"ro&immutable={int(alone)}" if read_only else "rw"
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={how}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            with _damage():
                self._prepare(read_only=read_only)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, *, read_only: bool) -> None:
        run = self._connection.execute
        if not read_only:
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = FULL")
            run(f"PRAGMA cache_size = -{CACHE_KIB}")
            if not run("SELECT 1 FROM sqlite_schema").fetchone():
                with self._transaction():
                    run(_SCHEMA)
                    run(f"PRAGMA user_version = {SCHEMA_VERSION}")
            if run("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise IndexDamagedError("its pages contradict each other")
        version = run("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise IndexDamagedError(f"it has version {version}, not {SCHEMA_VERSION}")

    def add(self, entries: Iterable[Entry]) -> None:
        """Add or replace rows in one transaction; durable when this returns."""
        rows = list(map(_FIELDS, entries))
        with _damage(), self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO captures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def remove(self, capture_ids: Iterable[str]) -> None:
        """Remove rows in one transaction, if they are there; durable when this returns."""
        with _damage(), self._transaction():
            self._connection.executemany("DELETE FROM captures WHERE capture_id = ?", [(one,) for one in capture_ids])

    def has(self, capture_id: str) -> bool:
        with _damage():
            found = self._connection.execute("SELECT 1 FROM captures WHERE capture_id = ?", (capture_id,)).fetchone()
            return found is not None

    def entries(self) -> dict[str, Entry]:
        """All rows by capture id, oldest first."""
        with _damage():
            rows = self._connection.execute("SELECT * FROM captures ORDER BY sequence, capture_id").fetchall()
            return {row[0]: _entry(row) for row in rows}

    def close(self) -> None:
        with suppress(sqlite3.Error):  # nothing is owed to the disk any more: every row was made durable by `add`
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
                self._connection.execute("ROLLBACK")
            raise


def set_aside(path: Path) -> Path:
    """Rename a damaged index with its companions, so that it can be looked into; returns its new name."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(path.with_name(f"{path.name}.damaged{suffix}"))
    return path.with_name(f"{path.name}.damaged")


_NAMES = tuple(field.name for field in fields(Entry))
_FIELDS = attrgetter(*_NAMES)  # astuple() copies deeply: a third of a rebuild


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_NAMES, row, strict=True))
    verdict = values["verdict"]
    values["verdict"] = VerdictKind(verdict) if verdict is not None else None
    values |= {name: bool(values[name]) for name in ("wall_synchronised", "override")}
    return Entry(**values)


@contextmanager
def _damage() -> Iterator[None]:
    """Tell a damaged database (rebuild it) from a failing disk (report it)."""
    try:
        yield
    except IndexDamagedError:
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _DAMAGE:
            raise
        raise IndexDamagedError(str(error)) from error
    except (ValueError, TypeError) as error:
        raise IndexDamagedError(f"a row is not a capture: {error}") from error
