"""Power loss: every state of the disk that the recorded system calls allow is built, opened and checked.

The model is that of POSIX, which promises less than any one file system: of the operations on a folder since its last
fsync any subset may have reached the disk; of the bytes of a file since its last fsync any 512-byte sectors may, with
any length; what was synced stays. SQLite's own order is taken on trust, so its files are those before the call or
after it; or they are gone altogether, for the store promises to live without them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from device.store.catalogue import parts, read_listing, verify
from device.store.deletion import delete
from device.store.examination import Fact, read_mark, write_mark
from device.store.files import PosixFiles
from device.store.records import CaptureRecord
from device.store.writer import Store
from models.errors import StorageError

Made = Iterator[tuple[bytes, CaptureRecord]]
SECTOR_BYTES = 512  # what a disk writes whole
SECTORS_IN_FULL = 6  # files of up to so many sectors are torn in every way; longer ones in the telling ways
TRIED = 400  # states of a broken order: most are enough to find it out
SCRIPT = "ssedsrxs"  # s save, e end an examination, d delete the oldest, r restart, x restart without the index
SCRIPTS_IN_FULL = 60
INDEX_FILES = ("index.sqlite", "index.sqlite-wal")

Change = tuple[str, str, str]  # what, name, other name
Tree = dict[str, bytes]
"""Files by their path below the parent of the store; folders end with a slash."""


@dataclass(eq=False)
class Disk:
    """What must be on the disk, and what may be. Paths are those under which a file was opened."""

    entries: Tree = field(default_factory=dict)  # durable names; content by `_content`
    pending: dict[str, list[Change]] = field(default_factory=dict)  # by folder, since its last fsync
    synced: dict[str, bytes] = field(default_factory=dict)  # content that must be there, by first name
    written: dict[str, bytes] = field(default_factory=dict)  # content that may be there, by first name


class Recorder(PosixFiles):
    """Notes every call that changes the disk, with the index as it is after it. `broken` leaves out a barrier."""

    def __init__(self, root: Path, broken: str = "") -> None:
        self.root, self.broken = root, broken
        self.log: list[tuple[str, str, Any]] = []
        self.index: list[Tree] = []
        self.open: dict[int, str] = {}

    def note(self, what: str, path: Path | str, value: Any = None) -> None:
        name = str(path.relative_to(self.root)) if isinstance(path, Path) else path
        self.log.append((what, name, value))
        store = self.root / "store"
        self.index.append({f"store/{n}": (store / n).read_bytes() for n in INDEX_FILES if (store / n).exists()})

    def open_new(self, path: Path) -> int:
        fd = super().open_new(path)
        self.open[fd] = str(path.relative_to(self.root))
        self.note("create", path)
        return fd

    def open_folder(self, path: Path) -> int:
        fd = super().open_folder(path)
        inside = path == self.root or path.is_relative_to(self.root)
        self.open[fd] = f"{path.relative_to(self.root) if inside else '..'}/"
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        self.note("write", self.open[fd], bytes(data))
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        name = self.open[fd]
        if self.broken != ("folder" if name.endswith("/") else "file"):
            self.note("fsync", name)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self.note("link", target, str(source.relative_to(self.root)))
        self.note("unlink", source)

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self.note("unlink", path)

    def mkdir(self, path: Path) -> None:
        super().mkdir(path)
        self.note("mkdir", path)


def parent(name: str) -> str:
    return f"{Path(name).parent}/"


def replayed(log: Iterable[tuple[str, str, Any]]) -> Disk:
    """The disk after these calls. Every file is known by the name that it was made under."""
    disk = Disk()
    for what, name, value in log:
        if what == "write":
            disk.written[name] = disk.written.get(name, b"") + value
        elif what == "fsync" and name.endswith("/"):
            for change in disk.pending.pop(name, []):
                apply(disk.entries, change)
        elif what == "fsync":
            disk.synced[name] = disk.written.get(name, b"")
        else:
            disk.pending.setdefault(parent(name), []).append((what, name, value or ""))
    return disk


def apply(entries: Tree, change: Change) -> None:
    """One change of a folder, as far as it can be: entries hold the first name of each file for now."""
    what, name, other = change
    if what == "create":
        entries[name] = name.encode()
    elif what == "mkdir":
        entries[f"{name}/"] = b""
    elif what == "unlink":
        entries.pop(name, None)
    else:  # half a rename: POSIX lets either half reach the disk alone
        entries[name] = other.encode()


def subsets(changes: list[Change]) -> Iterator[list[Change]]:
    for count in range(len(changes) + 1):
        yield from map(list, combinations(changes, count))


def contents(disk: Disk, first_name: str) -> set[bytes]:
    """All that may be in a file: what was synced, and any sectors of what was written since, at any length."""
    kept, new = disk.synced.get(first_name, b""), disk.written.get(first_name, b"")
    if kept == new:
        return {kept}
    starts = range(len(kept) // SECTOR_BYTES * SECTOR_BYTES, len(new), SECTOR_BYTES)
    ways: list[tuple[int, ...]] = [way for count in range(len(starts) + 1) for way in combinations(starts, count)]
    if len(starts) > SECTORS_IN_FULL:  # a prefix, a hole, a lone sector
        prefixes = [tuple(starts[:count]) for count in range(len(starts) + 1)]
        holes = [tuple(start for start in starts if start != hole) for hole in starts]
        ways = [*prefixes, *holes, *((start,) for start in starts)]
    found = {kept}
    for way in ways:
        torn = bytearray(kept.ljust(len(new), b"\0"))
        for start in way:
            torn[start : start + SECTOR_BYTES] = new[start : start + SECTOR_BYTES]
        found |= {bytes(torn), bytes(torn[: way[-1] + SECTOR_BYTES]) if way else kept}
    return found


def states(files: Recorder) -> Iterator[tuple[int, Tree]]:
    """Every state in which a crash after each call may leave the disk, with the number of that call; each once."""
    seen: set[tuple[int, int]] = set()
    for done in range(len(files.log) + 1):
        disk = replayed(files.log[:done])
        changes = [change for folder in disk.pending.values() for change in folder]
        before = files.index[done - 1] if done else {}
        after = files.index[min(done, len(files.log) - 1)]
        for chosen in subsets(changes):
            names = dict(disk.entries)
            for change in chosen:
                apply(names, change)
            for tree in filled(disk, {name: first.decode() for name, first in names.items()}):
                for index in (before, after, {}):
                    state = tree | index if "store/" in tree else tree
                    key = (done, hash(frozenset(state.items())))
                    if key not in seen:
                        seen.add(key)
                        yield done, state


def filled(disk: Disk, names: dict[str, str]) -> Iterator[Tree]:
    """The names with all their possible contents; names in folders that are not there are not there."""
    there = {name for name in names if all(f"{folder}/" in names for folder in Path(name).parents if folder.name)}
    whole = {name: b"" if name.endswith("/") else disk.written.get(names[name], b"") for name in there}
    yield whole
    for name in sorted(there):
        if not name.endswith("/"):
            yield from (whole | {name: content} for content in contents(disk, names[name]))


def build(root: Path, tree: Tree) -> None:
    for name, content in sorted(tree.items()):
        path = root / name
        path.mkdir(0o700) if name.endswith("/") else path.write_bytes(content)


@dataclass
class Promises:
    """What had been said when so many calls were done."""

    saved: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    ended: int = 1 << 30


def recorded(root: Path, captures: Made, script: str = SCRIPT, broken: str = "") -> tuple[Recorder, Promises]:
    """A first start, and what the script says."""
    files, said = Recorder(root, broken), Promises()
    folder = root / "store"
    store = Store.open(folder, files)
    for step in script:
        match step:
            case "s":
                jpeg, record = next(captures)
                store.save_encoded(jpeg, record)
                said.saved[record.capture_id] = len(files.log)
            case "e":
                write_mark(folder, "boot", Fact(7, None), files)
                said.ended = min(said.ended, len(files.log))
            case "d":
                for entry in store.listing().entries[:1]:
                    said.asked[entry.capture_id] = len(files.log)
                    delete(folder, [entry], files=files)
                    said.gone[entry.capture_id] = len(files.log)
            case _:
                store.close()
                for name in INDEX_FILES if step == "x" else ():
                    (folder / name).unlink(missing_ok=True)
                store = Store.open(folder, files)
    store.close()
    return files, said


def broken_promises(root: Path, done: int, said: Promises) -> int:
    """0 if the store opens and all that was said after `done` calls is so."""
    folder = root / "store"
    saved, asked, gone = (
        {one for one, at in told.items() if at <= done} for told in (said.saved, said.asked, said.gone)
    )
    if not saved and not folder.exists():
        return 0
    Store.open(folder).close()
    listing = read_listing(folder)
    found = {entry.capture_id for entry in listing.entries}
    wrong = len(verify(listing)) + len(parts(folder)) + len(listing.missing)
    wrong += len(saved - asked - found) + len(gone & found)
    wrong += len(found - said.saved.keys())
    wrong += done >= said.ended and read_mark(folder, "boot", 99) != Fact(7, None)
    return wrong


def violations(tmp_path: Path, files: Recorder, said: Promises, limit: int | None) -> tuple[int, int]:
    """How many states were tried, and in how many something was not so."""
    every = list(states(files))
    tried = every if limit is None or len(every) <= limit else random.Random(1).sample(every, limit)
    wrong = 0
    for number, (done, tree) in enumerate(tried):
        root = tmp_path / f"state{number}"
        root.mkdir()
        build(root, tree)
        broken = 1
        with suppress(StorageError):
            broken = broken_promises(root, done, said)
        wrong += broken > 0
    return len(tried), wrong


def test_in_every_state_that_a_power_loss_may_leave_nothing_is_torn_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
    captures: Made,
    tell: Callable[[str, int, int, int], None],
    so_far: Callable[[float], None],
    *,
    full: bool,
) -> None:
    chance = random.Random(2)
    scripts = ["".join(chance.choices("sssedrx", k=10)) for _ in range(SCRIPTS_IN_FULL)] if full else []
    states_tried = acknowledged = wrong = 0
    for number, script in enumerate([SCRIPT, *scripts]):
        root = tmp_path / str(number)
        root.mkdir()
        files, said = recorded(root, captures, script)
        tried, found = violations(root, files, said, None)
        states_tried, acknowledged, wrong = states_tried + tried, acknowledged + len(said.saved), wrong + found
        so_far((number + 1) / (len(scripts) + 1))
    tell("power loss, every legal state of the disk", states_tried, acknowledged, wrong)
    assert states_tried >= TRIED
    assert wrong == 0


@pytest.mark.parametrize("barrier", ["file", "folder"])
def test_a_save_that_leaves_out_a_barrier_is_found_out(tmp_path: Path, captures: Made, barrier: str) -> None:
    files, said = recorded(tmp_path, captures, "s", broken=barrier)
    assert violations(tmp_path, files, said, TRIED)[1] > 0
