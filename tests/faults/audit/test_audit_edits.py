"""The audit log under the hands of somebody: every edit, cut, insertion and change of order is found.

Each edit is made on a copy of one of several logs, which saw crashes before.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from device.audit.chain import Link, Record, parse_line
from device.audit.tail import HEAD, file_name, file_numbers
from device.audit.verify import verify_log

if TYPE_CHECKING:
    from .conftest import Hand

Tell = Callable[[str, int, int, int], None]
EDITS, EDITS_IN_FULL = 1_000, 20_000
LOGS = 8


@dataclass
class Copy:
    """A copy of a log, as lines, for a hand that edits it."""

    folder: Path
    chance: random.Random
    foreign: Path

    def __post_init__(self) -> None:
        self.files = {
            number: (self.folder / file_name(number)).read_bytes().splitlines(keepends=True)
            for number in file_numbers(self.folder)
        }

    def pick(self) -> tuple[list[bytes], int]:
        """A random record: its file and where in it."""
        places = [(lines, at) for lines in self.files.values() for at in range(len(lines)) if _is_record(lines[at])]
        return self.chance.choice(places)

    def save(self) -> None:
        for number, lines in self.files.items():
            (self.folder / file_name(number)).write_bytes(b"".join(lines))

    def flat(self) -> list[Record]:
        return [parse_line(line[:-1])[0] for lines in self.files.values() for line in lines if _is_record(line)]

    def name_head(self, link: Link) -> None:
        (self.folder / HEAD).write_text(f"{link}\n")


def _is_record(line: bytes) -> bool:
    try:
        parse_line(line[:-1])
    except ValueError:
        return False
    return line.endswith(b"\n")


def _changed(record: Record, chance: random.Random) -> Record:
    field = chance.choice(("at_ns", "boot_id", "kind", "data", "wall_time", "wall_synchronised"))
    old = getattr(record, field)
    new: Any = {"n": -1} if field == "data" else not old if field == "wall_synchronised" else old * 2
    return replace(record, **{field: new})


def flip_a_byte(copy: Copy) -> None:
    lines, at = copy.pick()
    line = bytearray(lines[at])
    where = copy.chance.randrange(len(line))
    line[where] ^= 1 << copy.chance.randrange(8)
    lines[at] = bytes(line)


def change_a_field(copy: Copy) -> None:
    lines, at = copy.pick()
    record, told = parse_line(lines[at][:-1])
    fields = _changed(record, copy.chance).fields() | {"hash": told}
    lines[at] = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def change_a_field_and_its_hash(copy: Copy) -> None:
    lines, at = copy.pick()
    lines[at] = _changed(parse_line(lines[at][:-1])[0], copy.chance).line()


def remove_a_record(copy: Copy) -> None:
    lines, at = copy.pick()
    del lines[at]


def repeat_a_record(copy: Copy) -> None:
    lines, at = copy.pick()
    lines.insert(copy.chance.randint(at, len(lines)), lines[at])


def swap_two_records(copy: Copy) -> None:
    one, at = copy.pick()
    other, there = copy.pick()
    while one[at] == other[there]:
        other, there = copy.pick()
    one[at], other[there] = other[there], one[at]


def reverse_some_records(copy: Copy) -> None:
    lines, at = copy.pick()
    while len(lines) < 2:
        lines, at = copy.pick()
    at = min(at, len(lines) - 2)
    end = copy.chance.randint(at + 2, len(lines))
    lines[at:end] = reversed(lines[at:end])


def insert_a_forged_record(copy: Copy) -> None:
    """With the right number, the right previous hash and a right hash of its own."""
    lines, at = copy.pick()
    record = parse_line(lines[at][:-1])[0]
    lines.insert(at + 1, replace(record, sequence=record.sequence + 1, previous=record.hash(), kind="saved").line())


def insert_a_blank(copy: Copy) -> None:
    lines, at = copy.pick()
    lines[at] = copy.chance.choice((b"\n" + lines[at], b" " + lines[at], lines[at].replace(b",", b", ", 1)))


def cut_the_end(copy: Copy) -> None:
    last = max(copy.files)
    del copy.files[last][-copy.chance.randint(1, len(copy.files[last])) :]


def cut_the_end_within_a_line(copy: Copy) -> None:
    lines = copy.files[max(copy.files)]
    lines[-1] = lines[-1][: -copy.chance.randint(1, len(lines[-1]) - 1)]


def cut_the_end_and_name_another_head(copy: Copy) -> None:
    records = copy.flat()
    keep = records[copy.chance.randrange(len(records) - 1)]
    for number in list(copy.files):
        copy.files[number] = [line for line in copy.files[number] if _sequence(line) <= keep.sequence]
        if not copy.files[number]:
            del copy.files[number]
            (copy.folder / file_name(number)).unlink()
    copy.name_head(keep.link())


def _sequence(line: bytes) -> int:
    return parse_line(line[:-1])[0].sequence if _is_record(line) else 0


def write_all_anew_from_a_change_on(copy: Copy) -> None:
    """The forgery that no chain shows by itself: only a head that was noted elsewhere does."""
    lines, at = copy.pick()
    changed, link = _sequence(lines[at]), None
    for number, lines in copy.files.items():
        for where, line in enumerate(lines):
            if not _is_record(line):
                continue
            record = parse_line(line[:-1])[0]
            if record.sequence == changed:
                record = _changed(record, copy.chance)
            elif link is not None:
                record = replace(record, previous=link.hash)
            if record.sequence >= changed:
                link = record.link()
                copy.files[number][where] = record.line()
    if link is not None:
        copy.name_head(link)


def put_another_log_in_its_place(copy: Copy) -> None:
    shutil.rmtree(copy.folder)
    shutil.copytree(copy.foreign, copy.folder)
    copy.files = {}


def remove_a_file(copy: Copy) -> None:
    number = copy.chance.choice(list(copy.files))
    del copy.files[number]
    (copy.folder / file_name(number)).unlink()


def empty_a_file(copy: Copy) -> None:
    copy.files[copy.chance.choice(list(copy.files))].clear()


def swap_two_files(copy: Copy) -> None:
    one, other = copy.chance.sample(list(copy.files), 2)
    copy.files[one], copy.files[other] = copy.files[other], copy.files[one]


def repeat_a_file(copy: Copy) -> None:
    copy.files[max(copy.files) + 1] = copy.files[copy.chance.choice(list(copy.files))]


def change_the_head(copy: Copy) -> None:
    records = copy.flat()
    other = copy.chance.choice(records).link()
    copy.name_head(Link(other.sequence + copy.chance.choice((0, 1, 5)), "ab" * 32))


def remove_the_head(copy: Copy) -> None:
    (copy.folder / HEAD).unlink()


EDITORS: tuple[Callable[[Copy], None], ...] = (
    flip_a_byte,
    change_a_field,
    change_a_field_and_its_hash,
    remove_a_record,
    repeat_a_record,
    swap_two_records,
    reverse_some_records,
    insert_a_forged_record,
    insert_a_blank,
    cut_the_end,
    cut_the_end_within_a_line,
    cut_the_end_and_name_another_head,
    write_all_anew_from_a_change_on,
    put_another_log_in_its_place,
    remove_a_file,
    empty_a_file,
    swap_two_files,
    repeat_a_file,
    change_the_head,
    remove_the_head,
)
NEED_A_NOTED_HEAD = {
    "cut_the_end_and_name_another_head",
    "write_all_anew_from_a_change_on",
    "put_another_log_in_its_place",
}


def test_every_edit_is_found(tmp_path: Path, new_hand: type[Hand], tell: Tell, *, full: bool) -> None:
    chance = random.Random(1)
    logs = []
    for seed in range(LOGS):
        hand = new_hand(tmp_path / f"log{seed}", seed)
        head = hand.live()
        while len(file_numbers(hand.folder)) < 3:
            head = hand.live()
        whole = verify_log(hand.folder, head)
        assert whole.problems == []
        logs.append((hand.folder, head, whole.notes))
    tried: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for number in range(EDITS_IN_FULL if full else EDITS):
        edit = EDITORS[number % len(EDITORS)]
        which = chance.randrange(LOGS)
        folder, head, notes = logs[which]
        edited = tmp_path / "edited"
        shutil.copytree(folder, edited)
        copy = Copy(edited, chance, logs[which - 1][0])
        edit(copy)
        copy.save()
        tried[edit.__name__] += 1
        report = verify_log(edited, head)
        assert not any("\n" in line for line in map(str, (*report.problems, *report.notes)))
        missed[edit.__name__] += not report.problems and report.end == head  # what is added behind the end is counted
        by_itself = verify_log(edited)
        alone[edit.__name__] += bool(by_itself.problems or by_itself.notes[len(notes) :])
        shutil.rmtree(edited)
    for name, count in tried.items():
        tell(f"audit: {name.replace('_', ' ')}", count, count - missed[name], missed[name])
    count, lost = tried.total(), missed.total()
    tell("audit: all edits, with the head noted elsewhere", count, count - lost, lost)
    assert missed.total() == 0
    assert {name for name in tried if alone[name] < tried[name]} <= NEED_A_NOTED_HEAD


@pytest.mark.parametrize("edit", [change_a_field, change_a_field_and_its_hash, remove_a_record, insert_a_forged_record])
def test_the_line_that_is_named_is_the_one_that_was_edited_or_the_next(
    tmp_path: Path, new_hand: type[Hand], edit: Callable[[Copy], None]
) -> None:
    hand = new_hand(tmp_path / "log", 3)
    hand.write(hand.open(), 30)
    for seed in range(30):
        edited = tmp_path / f"edited{seed}"
        shutil.copytree(hand.folder, edited)
        copy = Copy(edited, random.Random(seed), hand.folder)
        before = [line for lines in copy.files.values() for line in lines]
        edit(copy)
        after = [line for lines in copy.files.values() for line in lines]
        at = next((where for where, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
        copy.save()
        named = {problem.sequence for problem in verify_log(edited).problems}
        first = (at if at is not None else len(before) - 1) + 1
        assert named & {first, first + 1}, (seed, first, named)
