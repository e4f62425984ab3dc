"""One record of the audit log, and how it hangs on the one before it. Pure.

A record is one line of JSON: keys sorted, no spaces, ASCII. `hash` is the SHA-256 of that line without its own `hash`;
`previous` is the hash of the record before. So a record says what all records before it were.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from models.errors import InputError

GENESIS = "0" * 64  # what the first record of a log follows on
LINE_START = b'{"at_ns":'  # the keys are sorted, so every line begins so
MAX_LINE_BYTES = 1 << 14  # records are made of bounded parts and stay below half of it
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {
    "at_ns": int,
    "boot_id": str,
    "data": dict,
    "hash": str,
    "kind": str,
    "previous": str,
    "sequence": int,
    "wall_synchronised": bool,
    "wall_time": str,
}


class NotARecordError(ValueError):
    """The line is not one that focusgate writes."""


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: number and hash of its last record."""

    sequence: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`. Raises InputError."""
        number, _, digest = text.strip().partition(":")
        if not re.fullmatch(r"[0-9]{1,18}", number) or not _SHA256.fullmatch(digest):
            raise InputError(
                f"{text[:80]!r} is no head of an audit log; write it as NUMBER:HASH, as 'verify' printed it"
            )
        return cls(int(number), digest)


@dataclass(frozen=True, slots=True)
class Record:
    """What happened, when, and what it follows on.

    boot_id, at_ns, sequence  the order: this boot, its monotonic clock (ns), number in the log (from 1)
    wall_time                 ISO 8601; wrong unless `wall_synchronised`
    data                      what JSON can hold, by kind
    previous                  hash of the record before
    """

    sequence: int
    boot_id: str
    at_ns: int
    wall_time: str
    wall_synchronised: bool
    kind: str
    data: Mapping[str, Any]
    previous: str

    def fields(self) -> dict[str, Any]:
        """All but the hash."""
        return {name: getattr(self, name) for name in _FIELDS if name != "hash"}

    def hash(self) -> str:
        """SHA-256 of the record, which contains the hash of the one before."""
        return hashlib.sha256(canonical(self.fields())).hexdigest()

    def line(self) -> bytes:
        """As it stands in the file, with its end of line."""
        return canonical(self.fields() | {"hash": self.hash()}) + b"\n"

    def link(self) -> Link:
        """The chain up to this record."""
        return Link(self.sequence, self.hash())


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one way to write `value`. Raises ValueError for what JSON has no number for."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse_line(line: bytes) -> tuple[Record, str]:
    """The record on a line without its end of line, and the hash that it carries, unchecked.

    Raises NotARecordError for anything that `Record.line` would not write, down to a space.
    """
    if len(line) > MAX_LINE_BYTES:
        raise NotARecordError("longer than any record")
    try:
        found = json.loads(line)
        same = isinstance(found, dict) and canonical(found) == line
    except (ValueError, RecursionError) as error:
        raise NotARecordError("not JSON") from error
    if not same:
        raise NotARecordError("not written as records are")
    if found.keys() != _FIELDS.keys() or any(type(found[name]) is not kind for name, kind in _FIELDS.items()):
        raise NotARecordError("not the fields of a record")
    if found["sequence"] < 1 or not _SHA256.fullmatch(found["hash"]) or not _SHA256.fullmatch(found["previous"]):
        raise NotARecordError("not the fields of a record")
    told = found.pop("hash")
    return Record(**found), told


def break_between(link: Link, record: Record) -> str | None:
    """Why `record` does not follow on `link`; None if it does."""
    if record.sequence <= link.sequence:
        return f"stands after record {link.sequence}: it was moved here or is there twice"
    if record.sequence > link.sequence + 1:
        first, last = link.sequence + 1, record.sequence - 1
        return (
            f"record {first} is missing before it"
            if first == last
            else f"records {first} to {last} are missing before it"
        )
    if record.previous != link.hash:
        return f"does not follow on record {link.sequence}: one of the two is not the one that was written"
    return None


def split_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line, with its end of line where it has one."""
    offset = 0
    while offset < len(data):
        end = data.find(b"\n", offset) + 1 or len(data)
        yield offset, data[offset:end]
        offset = end


def sound(line: bytes) -> Record | None:
    """The record on a whole line, if it is one and has its own hash; None otherwise."""
    if not line.endswith(b"\n"):
        return None
    try:
        record, told = parse_line(line[:-1])
    except NotARecordError:
        return None
    return record if record.hash() == told else None


def is_torn(rest: bytes) -> bool:
    """True if bytes behind the last record can be a write that lost its power: one more line begun, or zeros in sectors
    that never arrived. A whole line without zeros was not torn but written by somebody.
    """
    line = next(split_lines(rest))[1]
    if b"\0" in line:
        return True
    return not line.endswith(b"\n") and (line.startswith(LINE_START) or LINE_START.startswith(line))
