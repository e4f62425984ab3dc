"""Reading a store: what is in it, one capture, a check of every byte, a copy. Never writes to the store.

So it works beside the running device, and on a card that has turned read-only. What the index does not know, or knows
without a file, is found by comparing it with the files, which are the truth.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from device.store import sealing
from device.store.deletion import deleted
from device.store.files import (
    DELETED,
    IMAGES,
    INDEX,
    JPEG_SUFFIX,
    PART_SUFFIX,
    POSIX,
    PRIVATE_FOLDER,
    find_image,
    storage_errors,
    write_durably,
)
from device.store.index import Entry, Index
from device.store.jpeg import HEAD_BYTES, MAX_HEAD_BYTES, decode_record, glance, unsealed
from device.store.records import CaptureRecord
from device.store.sealing import TRAILER_BYTES, Card, is_sealed, take_apart
from models.errors import InputError, StorageError

READ_WHOLE = 32  # files adopted with every byte read: under a second even from a slow card
SHORT_ID = 8  # characters shown; two among 10,000 captures agree in them with a chance of 1 %
_IMAGE_NAME = re.compile(r"([0-9a-f]{32})\.(jpg|sealed)")
_PREFIX = re.compile(r"[0-9a-f]{1,32}")

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True, slots=True)
class Listing:
    """The captures of a store, oldest first; which of them have lost their file; and files that are not whole."""

    folder: Path
    entries: tuple[Entry, ...]
    missing: frozenset[str]
    damaged: tuple[str, ...]  # one line each

    def find(self, prefix: str) -> Entry:
        """The capture whose id begins with `prefix`. Raises InputError if there is none, or more than one."""
        wanted = prefix.strip().lower()
        found = [entry for entry in self.entries if entry.capture_id.startswith(wanted)]
        if not _PREFIX.fullmatch(wanted) or not found:
            raise InputError(f"no capture {prefix!r} in {self.folder}; 'focusgate captures list' shows them all")
        if len(found) > 1:
            raise InputError(f"{len(found)} captures begin with {prefix!r} in {self.folder}; give more of the id")
        return found[0]

    def of_session(self, prefix: str) -> list[Entry]:
        """The captures of the examination whose id begins with `prefix`. Raises InputError unless there is just one."""
        wanted = prefix.strip().lower()
        found = {entry.session_id for entry in self.entries if entry.session_id and entry.session_id.startswith(wanted)}
        if not _PREFIX.fullmatch(wanted) or len(found) != 1:
            raise InputError(
                f"{len(found)} examinations begin with {prefix!r} in {self.folder}; 'focusgate captures show ID' names "
                "that of a capture"
            )
        return [entry for entry in self.entries if entry.session_id in found]

    def path(self, entry: Entry) -> Path:
        """The file of one capture."""
        return find_image(self.folder, entry.capture_id)


def default_store() -> Path:
    """FOCUSGATE_STORE, else `focusgate` in the user's data folder (XDG base directory specification)."""
    named = os.environ.get("FOCUSGATE_STORE")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "focusgate"


def scan(folder: Path) -> set[str]:
    """The ids of all capture files, by name only. Raises OSError."""
    found = set()
    for shard in _subfolders(folder / IMAGES):
        with os.scandir(shard) as items:
            found |= {
                named[1]
                for item in items
                if (named := _IMAGE_NAME.fullmatch(item.name))
                and item.name.startswith(Path(shard).name)
                and item.is_file(follow_symlinks=False)
            }
    return found


def parts(folder: Path) -> list[Path]:
    """Temporary files that a crash left behind. Raises OSError."""
    places = (folder, folder / DELETED, *map(Path, _subfolders(folder / IMAGES)))
    return [path for place in places for path in place.glob(f".*{PART_SUFFIX}")]


def adopt(folder: Path, ids: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """Entries of the capture files named, from the files alone, and one line for each that is not whole.

    A few, as a crash leaves them, are read whole; many, as a lost index does, by head and end: the order of saving
    gives a file its name only when its bytes are on the disk, and `verify` reads them all.
    """
    wanted = sorted(ids)
    look = _entry_of_file if len(wanted) <= READ_WHOLE else _entry_at_a_glance
    entries, damaged = [], []
    for capture_id in wanted:
        path = find_image(folder, capture_id)
        try:
            entries.append(look(path))
        except StorageError as error:
            damaged.append(str(error))
        except OSError as error:
            damaged.append(f"{path}: cannot be read ({error.strerror}); restore it from an export")
    return entries, damaged


def read_listing(folder: Path) -> Listing:
    """All captures of the store. An index that is absent or damaged only makes it slower.

    Raises InputError if there is no such folder, StorageError if it cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; captures are made by 'focusgate run', --store names their folder")
    listed = _index_entries(folder / INDEX)  # before the files: a capture saved in between then merely has no row
    with storage_errors("list the captures", folder, "nothing was changed"):
        files, (gone, unreadable) = scan(folder), deleted(folder)
    adopted, damaged = adopt(folder, files - listed.keys() - gone.keys())
    kept = (entry for capture_id, entry in listed.items() if capture_id not in gone)
    everything = sorted((*kept, *adopted), key=lambda entry: (entry.sequence, entry.capture_id))
    return Listing(folder, tuple(everything), frozenset(listed.keys() - files - gone.keys()), (*damaged, *unreadable))


def read_record(path: Path) -> CaptureRecord:
    """The record inside a capture file. Raises StorageError if the file cannot be read or is not whole."""
    return read_whole(path)[0]


def read_whole(path: Path) -> tuple[CaptureRecord, str]:
    """The record inside a capture file, and the SHA-256 of the file. Raises StorageError as `read_record`, and
    InputError for a sealed capture, whose record is for the clinic alone.
    """
    with storage_errors("read the capture", path, "nothing was changed"):
        data = path.read_bytes()
    if is_sealed(data):
        to = take_apart(data, path).card.recipient
        raise InputError(f"{path}: sealed to key {to}; open it where that key is: focusgate seal open")
    return decode_record(data, path), hashlib.sha256(data).hexdigest()


def read_card(path: Path) -> Card | None:
    """What a sealed capture tells without its key; None for a plain one. Raises StorageError if it is not whole."""
    with storage_errors("read the capture", path, "nothing was changed"):
        data = path.read_bytes()
    return take_apart(data, path).card if is_sealed(data) else None


def count_plain(folder: Path) -> int:
    """How many captures of the store anybody can look at who has the card. Raises StorageError."""
    with storage_errors("list the captures", folder, "nothing was changed"):
        return sum(find_image(folder, capture_id).suffix == JPEG_SUFFIX for capture_id in scan(folder))


def verify(listing: Listing, progress: Progress = lambda _done, _of: None) -> list[str]:
    """Read every byte of every capture again; one line for each problem, none if all is well."""
    problems = list(listing.damaged)
    for number, entry in enumerate(listing.entries):
        progress(number, len(listing.entries))
        path = listing.path(entry)
        try:
            found = _entry_of_file(path)
        except FileNotFoundError:
            problems.append(f"{path}: the file is gone; restore it from an export")
        except OSError as error:
            problems.append(f"{path}: cannot be read ({error.strerror}); restore it from an export")
        except StorageError as error:
            problems.append(str(error))
        else:
            if found != entry:
                problems.append(f"{path}: whole, but not what the index says of it; find out who changed it")
    progress(len(listing.entries), len(listing.entries))
    return problems


def export(
    listing: Listing, entries: Iterable[Entry], target: Path, progress: Progress = lambda _done, _of: None
) -> int:
    """Copy captures, each checked, into the folder `target`; returns how many were new there.

    A copy that is there already is left alone. Raises StorageError at the first that is damaged or cannot be written,
    InputError if a different file has its name.
    """
    wanted = list(entries)
    copied = 0
    with storage_errors("make the folder", target, "nothing was exported"):
        target.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    for number, entry in enumerate(wanted):
        progress(number, len(wanted))
        source = listing.path(entry)
        copy = target / f"{entry.sequence:06d}-{entry.capture_id[:SHORT_ID]}{source.suffix}"
        done = f"{copied} captures were exported before it"
        with storage_errors("read the capture", source, done):
            data = source.read_bytes()
        entry_in(data, source)
        with storage_errors("export the capture", copy, done):
            if not copy.exists():
                write_durably(POSIX, copy, data, exact_mode=False)
                copied += 1
            elif copy.read_bytes() != data:
                raise InputError(f"{copy}: another file has this name; name an empty folder ({done})")
    progress(len(wanted), len(wanted))
    return copied


def entry_in(data: bytes, path: Path) -> Entry:
    """The row of a capture, plain or sealed, from the bytes of its file. Raises StorageError unless each is right."""
    if is_sealed(data):
        sealed = take_apart(data, path)
        return sealed.card.entry(len(data), sealed.seal)
    record, seal = unsealed(data, path)
    return Entry.of(record, len(data), seal)


def _entry_of_file(path: Path) -> Entry:
    return _named(entry_in(path.read_bytes(), path), path)


def _entry_at_a_glance(path: Path) -> Entry:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        head, tail = os.pread(fd, HEAD_BYTES, 0), os.pread(fd, TRAILER_BYTES, max(size - TRAILER_BYTES, 0))
        if is_sealed(head):
            card, seal = sealing.glance(head, tail, size, path)
            return _named(card.entry(size, seal), path)
        try:
            found = glance(head, tail[-2:], path)
        except StorageError:
            found = glance(os.pread(fd, MAX_HEAD_BYTES, 0), tail[-2:], path)
    finally:
        os.close(fd)
    return _named(Entry.of(found[0], size, found[1]), path)


def _named(entry: Entry, path: Path) -> Entry:
    if entry.capture_id != path.stem:
        raise StorageError(f"{path}: holds capture {entry.capture_id}; somebody renamed it, give it its name back")
    return entry


def _index_entries(path: Path) -> dict[str, Entry]:
    try:
        index = Index(path, read_only=True)
    except sqlite3.Error:
        return {}
    try:
        return index.entries()
    except sqlite3.Error:
        return {}
    finally:
        index.close()


def _subfolders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as items:
        return [item.path for item in items if item.is_dir(follow_symlinks=False)]
