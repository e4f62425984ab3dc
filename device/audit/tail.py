"""Where a log ends, and whether it ends as it should: whole, torn by a power cut, or changed by somebody.

The files of a log are `000001.jsonl`, `000002.jsonl`, …; `head` names the last record that is known to be durable.
It is written after the records, so that a crash leaves records behind the head, never a head without its records. What
is broken behind the head is a torn write; what is missing or changed before it was not done by a crash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.audit.chain import Link, break_between, is_torn, sound, split_lines
from models.errors import InputError

HEAD, LOCK = "head", "lock"
FILE_BYTES = 1 << 20  # a file is read whole to find its end: some 3,000 records, 0.1 s on a board
LARGEST_BYTES = 4 * FILE_BYTES  # no batch of records is larger
REPAIRED, BROKEN = "repaired", "broken"  # kinds of the record that begins a file because the one before ends badly
_NAME = re.compile(r"([0-9]{6,9})\.jsonl")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why the next record begins a new file. `kind` is REPAIRED (a crash can do it) or BROKEN (it cannot)."""

    kind: str
    found: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tail:
    """number, size  of the newest file (0, 0: none), as far as its records are sound
    link          what the next record follows on
    flaw          what is wrong with the end, if anything
    """

    number: int = 0
    size: int = 0
    link: Link = field(default_factory=Link)
    flaw: Flaw | None = None


def file_name(number: int) -> str:
    """Name of one file of a log."""
    return f"{number:06d}.jsonl"


def file_numbers(folder: Path) -> list[int]:
    """The files that there are, in order. Raises OSError."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in found if match and match[0] == file_name(int(match[1])))


def read_head(folder: Path) -> Link | None:
    """What the head file says; None if it is absent or says nothing. Raises OSError."""
    try:
        return Link.parse((folder / HEAD).read_text(encoding="utf-8"))
    except (FileNotFoundError, InputError, ValueError):
        return None


def read_tail(folder: Path) -> Tail:
    """The end of the log in `folder`; a log without files and head is a new one. Raises OSError."""
    numbers, head = file_numbers(folder), read_head(folder)
    if not numbers:
        if head is None or head.sequence == 0:
            return Tail()
        return Tail(link=head, flaw=Flaw(BROKEN, "all files of the log are gone", {"head": str(head)}))
    number = numbers[-1]
    with (folder / file_name(number)).open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    good, link, covered = _sound_part(data, head)
    rest = data[good:]
    kind, found = _judge_end(link, head, rest, covered=covered)
    last = max((one for one in (link, head) if one is not None), key=lambda one: one.sequence, default=Link())
    if not found:
        return Tail(number, good, last)
    told = {
        "file": number,
        "kept_bytes": good,
        "rest_bytes": len(rest),
        "rest_sha256": hashlib.sha256(rest).hexdigest(),
        "head": str(head) if head else None,
    }
    return Tail(number, good, last, Flaw(kind, found, told))


def _sound_part(data: bytes, head: Link | None) -> tuple[int, Link | None, bool]:
    """How many bytes are sound records in a row; the last of them; is the head one of them, or just before them?"""
    good, link, covered = 0, None, False
    for offset, line in split_lines(data):
        record = sound(line)
        if record is None or (link is not None and break_between(link, record)):
            break
        if link is None and head is not None:
            covered = break_between(head, record) is None
        link, good = record.link(), offset + len(line)
        covered = covered or link == head
    return good, link, covered


def _judge_end(link: Link | None, head: Link | None, rest: bytes, *, covered: bool) -> tuple[str, str]:
    """What kind of flaw the end has, and in words; the first that applies."""
    last, named = (link or Link()).sequence, (head or Link()).sequence
    flaws = (
        (head is None, BROKEN, "the head file is gone or is none"),
        (link is None, BROKEN, "the newest file holds no record"),
        (not covered and named > last, BROKEN, f"the log ends at record {last}, the head file says {named}"),
        (not covered, BROKEN, f"record {named} is not the one that the head file names"),
        (rest != b"" and is_torn(rest), REPAIRED, "the last write was torn by a crash"),
        (rest != b"", BROKEN, "behind the last record stands what focusgate did not write"),
    )
    return next(((kind, found) for applies, kind, found in flaws if applies), ("", ""))
