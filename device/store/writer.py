"""Keeping captures: whole or absent after any crash, and "saved" is said only of what is durable."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from device.store.catalogue import Listing, adopt, parts, scan
from device.store.deletion import deleted, keep_ballast, remove_images
from device.store.files import (
    AUDIT,
    BALLAST,
    DELETED,
    EXAMINATION,
    IMAGES,
    INDEX,
    LOCK,
    POSIX,
    PRIVATE_FOLDER,
    FileOps,
    again,
    image_path,
    is_private,
    lock,
    make_folder,
    remove,
    storage_errors,
    sync_folder,
    take_back,
    write_durably,
)
from device.store.index import Entry, Index, IndexDamagedError, set_aside
from device.store.jpeg import encode, seal_of
from device.store.records import CaptureRecord
from device.store.sealing import HEAD_BYTES, TRAILER_BYTES, Recipient, glance, is_sealed, seal_image
from device.store.space import Room, Space, space_of
from models.errors import InputError, StorageError

NOTHING_SAVED = "nothing was saved"


@dataclass(frozen=True, slots=True)
class Saved:
    """A capture that is durable."""

    record: CaptureRecord
    path: Path
    sha256: str  # of the whole file, as sha256sum tells it
    seal: str  # as the file carries it


@dataclass(frozen=True, slots=True)
class Repair:
    """What was put right when the store was opened."""

    swept: int = 0  # partial files of interrupted saves, removed
    adopted: int = 0  # whole files that the index did not know
    deleted: int = 0  # captures whose deletion was interrupted, and is now complete
    missing: int = 0  # rows without their file
    damaged: tuple[str, ...] = ()  # files that are not whole: left alone, not listed
    rebuilt: str | None = None  # why the index was made anew

    def lines(self) -> list[str]:
        """What there is to say of it, in words."""
        told = (
            (self.rebuilt, f"the index was made anew from the files ({self.rebuilt})"),
            (self.swept, f"{self.swept} partial files of interrupted saves were removed"),
            (self.adopted, f"{self.adopted} captures that were not listed are listed again"),
            (self.deleted, f"the interrupted deletion of {self.deleted} captures was completed"),
            (self.missing, f"{self.missing} captures have lost their file; 'focusgate captures list' names them"),
        )
        return [line for happened, line in told if happened] + list(self.damaged)


class Store:
    """The one writer of a folder of captures, sealed to `recipient` if there is one. Not for two threads at once."""

    def __init__(
        self,
        folder: Path,
        files: FileOps,
        index: Index,
        lock_fd: int,
        repair: Repair,
        *,
        recipient: Recipient | None,
    ) -> None:
        self.folder = folder
        self.recipient = recipient
        self.repair = repair
        self.files = files
        self._index = index
        self._lock_fd = lock_fd
        self._durable_shards: set[Path] = set()
        entries = index.entries().values()
        self.newest = max(entries, key=lambda entry: entry.sequence, default=None)
        taken = [entry.sequence for entry in entries] + [one.sequence for one in deleted(folder)[0].values()]
        self._sequence = max(taken, default=0)
        self._largest_bytes = max((entry.bytes for entry in entries), default=0)

    @classmethod
    def open(cls, folder: Path, files: FileOps | None = None, recipient: Recipient | None = None) -> Self:
        """Open or make the store, alone, and put right what a crash left. Raises StorageError."""
        files = files or POSIX
        with storage_errors("open the store", folder, "no capture can be saved"), contextlib.ExitStack() as stack:
            _make_root(files, folder)
            try:
                lock_fd = lock(folder / LOCK)
            except BlockingIOError:
                raise StorageError(
                    f"{folder}: another focusgate keeps its captures here; stop it, or name another folder"
                ) from None
            stack.callback(os.close, lock_fd)
            left = parts(folder)
            for path in left:
                remove(files, path)
            index, repair = _open_index(files, folder)
            stack.callback(index.close)
            keep_ballast(files, folder)
            store = cls(folder, files, index, lock_fd, replace(repair, swept=len(left)), recipient=recipient)
            stack.pop_all()
            return store

    def next_sequence(self) -> int:
        """The number of the next capture: larger than any that is, or was, in the store."""
        self._sequence += 1
        return self._sequence

    def save(self, rgb: NDArray[np.uint8], record: CaptureRecord) -> Saved:
        """Encode and keep one capture; see `encode` and `save_encoded`."""
        return self.save_encoded(self.encode(rgb, record), record)

    def encode(self, rgb: NDArray[np.uint8], record: CaptureRecord) -> bytes:
        """The file of a capture in the form that this store keeps. Raises InputError as `device.store.jpeg.encode`."""
        jpeg = encode(rgb, record)
        return jpeg if self.recipient is None else seal_image(jpeg, record, self.recipient)

    def save_encoded(self, data: bytes, record: CaptureRecord) -> Saved:
        """Keep one capture, made by `encode` from this record. Durable when this returns.

        Raises StorageError: nothing was saved, or at most a whole file is left on a disk that lets nothing be
        removed. The next attempt uses a new file.
        """
        path = image_path(self.folder, record.capture_id, sealed=is_sealed(data))
        with storage_errors("save the capture", self.folder, NOTHING_SAVED):
            if self._is_kept(record.capture_id):
                raise StorageError(f"{path}: this capture is saved already; {NOTHING_SAVED} twice")
            full = self.refusal(len(data))
            if full is not None:
                raise StorageError(full)
            self._make_shard(path.parent)
            entry = _entry_of(data, record, path)
            try:
                write_durably(self.files, path, data)
                self._list(entry)
            except (OSError, sqlite3.Error):
                take_back(self.files, path)  # so that "not saved" is true
                raise
        self._largest_bytes = max(self._largest_bytes, len(data))
        return Saved(record, path, hashlib.sha256(data).hexdigest(), entry.seal)

    def space(self, about_bytes: int = 0) -> Space:
        """The room that there is now. Raises StorageError."""
        with storage_errors("ask for free space", self.folder, NOTHING_SAVED):
            free = again(self.files.free_bytes, self.folder)
        return space_of(free, max(about_bytes, self._largest_bytes))

    def refusal(self, about_bytes: int = 0) -> str | None:
        """Why no capture could be saved now, to be asked before the exposure; None if one could. Never raises."""
        try:
            space = self.space(about_bytes)
        except StorageError as error:
            return str(error)
        return f"{self.folder}: {NOTHING_SAVED}: {space.line()}" if space.room is Room.FULL else None

    def listing(self) -> Listing:
        """What this store holds, as its index has it now. Raises StorageError."""
        with storage_errors("list the captures", self.folder, "nothing was changed"):
            entries, found = self._index.entries(), scan(self.folder)
        return Listing(self.folder, tuple(entries.values()), frozenset(entries.keys() - found), self.repair.damaged)

    def close(self) -> None:
        """Let another writer in. Nothing is owed to the disk."""
        self._index.close()
        os.close(self._lock_fd)

    def _is_kept(self, capture_id: str) -> bool:
        """By its row: a set of all that was ever saved would grow without end, and a file that is not listed may be
        one that could not be taken back. A damaged index is found, and mended, when the row is added."""
        with contextlib.suppress(IndexDamagedError):
            return self._index.has(capture_id)
        return False

    def _make_shard(self, shard: Path) -> None:
        if shard not in self._durable_shards:
            make_folder(self.files, shard)
            self._durable_shards.add(shard)

    def _list(self, entry: Entry) -> None:
        """The row of a durable file. An index found damaged is made anew, which lists the file."""
        try:
            self._index.add([entry])
        except IndexDamagedError as error:
            self._index.close()
            self._index, self.repair = _rebuild_index(self.files, self.folder, str(error))


def _entry_of(data: bytes, record: CaptureRecord, path: Path) -> Entry:
    """The row of a capture that was encoded just now: nothing needs to be checked."""
    if not is_sealed(data):
        return Entry.of(record, len(data), seal_of(data, path))
    card, seal = glance(data[:HEAD_BYTES], data[-TRAILER_BYTES:], len(data), path)
    return card.entry(len(data), seal)


def _make_root(files: FileOps, folder: Path) -> None:
    """The folder and its parents, durable and private. A folder with other things in it is not ours to close off."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        make_folder(files, path)
    if not missing:
        with contextlib.suppress(PermissionError):  # a parent that others made, and keep to themselves
            sync_folder(files, folder.parent)
    if not is_private(folder):
        ours = {IMAGES, DELETED, AUDIT, INDEX, LOCK, EXAMINATION, BALLAST}
        names = {path.name for path in folder.iterdir()}
        if names and not names & ours:
            raise InputError(
                f"{folder}: others may look into this folder and it holds other files; name an empty one, or chmod 700"
            )
        again(files.chmod, folder, PRIVATE_FOLDER)
    make_folder(files, folder / IMAGES)


def _open_index(files: FileOps, folder: Path) -> tuple[Index, Repair]:
    """The index, in agreement with the files; made anew if it is damaged."""
    path = folder / INDEX
    gone = None if path.exists() and path.stat().st_size else "it was gone"
    try:
        index, repair = _agree(files, folder, Index(path))
    except IndexDamagedError as error:
        return _rebuild_index(files, folder, str(error))
    return index, replace(repair, rebuilt=gone if repair.adopted else None)


def _rebuild_index(files: FileOps, folder: Path, why: str) -> tuple[Index, Repair]:
    set_aside(folder / INDEX)
    index, repair = _agree(files, folder, Index(folder / INDEX))
    return index, replace(repair, rebuilt=why)


def _agree(files: FileOps, folder: Path, index: Index) -> tuple[Index, Repair]:
    """Finish deletions, and add what the index does not know. A row whose file has vanished stays: a loss is seen."""
    try:
        (gone, unreadable), listed, found = deleted(folder), index.entries(), scan(folder)
        unfinished = gone.keys() & (found | listed.keys())
        if unfinished:
            remove_images(files, folder, unfinished)
            index.remove(unfinished)
        adopted, damaged = adopt(folder, found - listed.keys() - unfinished)
        # the bytes were synced before they got their names; the names may not have been
        for shard in sorted({image_path(folder, entry.capture_id).parent for entry in adopted}):
            sync_folder(files, shard)
        sync_folder(files, folder / IMAGES)
        index.add(adopted)
    except BaseException:
        index.close()
        raise
    return index, Repair(
        adopted=len(adopted),
        deleted=len(unfinished),
        missing=len(listed.keys() - found - unfinished),
        damaged=(*damaged, *unreadable),
    )
