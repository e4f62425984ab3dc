"""The strict reader of a release file: a plain tar of regular files, and of nothing else that tar could hold.

Links, devices, sparse files, long-name and PAX records are refused by their header, 512 bytes at a time: so nothing
unsigned can make the reader write anywhere, or fill the memory. `tar tf` reads the same file.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from device.update.release import NOT_INSTALLED
from models.errors import InputError

BLOCK = tarfile.BLOCKSIZE
CHUNK_BYTES = 1 << 20
FETCH_ANEW = f"{NOT_INSTALLED}, fetch the release anew"


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in the archive, whose `size` bytes are read with `chunks`, once, before the next member."""

    name: str
    size: int
    source: IO[bytes]
    where: Path

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, at most CHUNK_BYTES at a time. Raises InputError if the file ends first."""
        left = self.size
        while left:
            chunk = self.source.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise InputError(f"{self.where}: ends within {self.name}; {FETCH_ANEW}")
            left -= len(chunk)
            yield chunk
        self.source.read(-self.size % BLOCK)

    def content(self, limit: int) -> bytes:
        """All of it. Raises InputError if it has more than `limit` bytes."""
        if self.size > limit:
            raise InputError(f"{self.where}: {self.name} has {self.size} bytes, allowed: {limit}; {NOT_INSTALLED}")
        return b"".join(self.chunks())


def read_member(source: IO[bytes], where: Path) -> Member | None:
    """The next member; None at the end. Raises InputError for whatever is no regular file."""
    block = source.read(BLOCK)
    if len(block) < BLOCK:
        raise InputError(f"{where}: cut off, or no release; {FETCH_ANEW}")
    if not any(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError):
        raise InputError(f"{where}: damaged, or no release; {FETCH_ANEW}") from None
    if info.type != tarfile.REGTYPE:
        raise InputError(f"{where}: {info.name!r} is no regular file; {NOT_INSTALLED}, who made this release?")
    if info.size < 0:
        raise InputError(f"{where}: {info.name!r} has an impossible size; {NOT_INSTALLED}")
    return Member(info.name, info.size, source, where)
