"""A hand that writes audit logs as devices do: rotated, pruned, torn and repaired, by two processes at once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.audit.chain import Link
from device.audit.log import AuditLog, Note
from device.audit.tail import HEAD, file_name, file_numbers
from device.clock import SECOND
from device.store.origin import Origin

FEW_BYTES = 3_000
YEARS = timedelta(days=3652)
KINDS = ("press", "gate", "saved", "refused", "fault")


class Hand:
    """Writes logs as devices do, with every chance of a crash; all by one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.now_ns = 10 * SECOND
        self.wall = datetime(2026, 1, 1, tzinfo=UTC)
        self.limits = {"file_bytes": self.chance.choice((FEW_BYTES, 2 * FEW_BYTES)), "keep_bytes": 1 << 40}

    def open(self) -> AuditLog:
        return AuditLog(self.folder, Origin("boot", "test", lambda: self.wall, lambda: False), **self.limits)

    def write(self, log: AuditLog, batches: int) -> None:
        for _ in range(batches):
            self.now_ns += SECOND
            self.wall += self.chance.choice((timedelta(seconds=1), YEARS, -YEARS)) if batches % 7 == 0 else timedelta()
            notes = [
                Note(self.chance.choice(KINDS), self.now_ns, {"n": self.chance.randrange(1000), "text": "in focus"})
                for _ in range(self.chance.randint(1, 4))
            ]
            log.append(notes, self.now_ns)

    def tear(self) -> None:
        """A power cut in the midst of a write: of the last batch a part has arrived, and its head has not."""
        head = (self.folder / HEAD).read_bytes()
        path = self.folder / file_name(file_numbers(self.folder)[-1])
        before = path.read_bytes()
        self.write(self.open(), 1)
        after = path.read_bytes()
        if len(after) > len(before):
            batch = bytearray(after[len(before) :])
            batch = batch[: self.chance.randint(1, len(batch))]
            if self.chance.random() < 0.5:  # a sector that never arrived, from its beginning to its end
                start = self.chance.randrange(len(batch))
                batch[start : start + 512] = bytes(len(batch[start : start + 512]))
            path.write_bytes(before + batch)
            (self.folder / HEAD).write_bytes(head)

    def live(self) -> Link:
        """Some starts, crashes and writers; the end."""
        for _ in range(self.chance.randint(1, 4)):
            log = self.open()
            self.write(log, self.chance.randint(2, 14))
            if self.chance.random() < 0.3:
                other = self.open()
                self.write(other, 2)
                self.write(log, 2)
            if self.chance.random() < 0.4:
                self.tear()
            if self.chance.random() < 0.2:
                self.limits["keep_bytes"] = 4 * FEW_BYTES
        log = self.open()
        self.write(log, 3)
        return log.head


@pytest.fixture
def new_hand() -> type[Hand]:
    """Called with the folder of a log and a seed."""
    return Hand
