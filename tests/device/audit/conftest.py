"""An audit log on disk, whose clocks stand where a test puts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.audit.chain import Record
from device.audit.log import AuditLog, Note
from device.audit.tail import FILE_BYTES, file_name, file_numbers
from device.audit.verify import Report, verify_log
from device.clock import SECOND
from device.store.files import POSIX, FileOps
from device.store.origin import Origin

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@dataclass
class Bench:
    """A folder with a log, and hands for what people and crashes do to it."""

    folder: Path
    wall: datetime = START
    synchronised: bool = False
    now_ns: int = 5 * SECOND
    files: FileOps = field(default_factory=lambda: POSIX)

    def origin(self) -> Origin:
        return Origin("boot", "test", lambda: self.wall, lambda: self.synchronised)

    def open(self, file_bytes: int = FILE_BYTES, keep_bytes: int = 1 << 40) -> AuditLog:
        return AuditLog(self.folder, self.origin(), self.files, file_bytes=file_bytes, keep_bytes=keep_bytes)

    def write(self, log: AuditLog, count: int = 1, kind: str = "press") -> None:
        """So many records, one batch each, a second apart."""
        for _ in range(count):
            self.now_ns += SECOND
            self.wall += timedelta(seconds=1)
            log.append([Note(kind, self.now_ns, {"button": "capture", "at": self.now_ns})], self.now_ns)

    def path(self, number: int = -1) -> Path:
        """The file of this number; -1: the newest."""
        return self.folder / file_name(file_numbers(self.folder)[-1] if number == -1 else number)

    def records(self) -> list[Record]:
        """All records that count, in order."""
        records: list[Record] = []
        verify_log(self.folder, on_record=records.append)
        return records

    def verify(self) -> Report:
        return verify_log(self.folder)

    def found(self) -> list[str]:
        return [str(problem) for problem in self.verify().problems]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "audit")


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[[str], Bench]:
    return lambda name: Bench(tmp_path / name)
