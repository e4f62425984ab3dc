"""What the writer tells of its repairs, what it syncs, and what it leaves as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from device.store.catalogue import read_listing
from device.store.deletion import delete
from device.store.files import IMAGES, INDEX, PosixFiles, image_path
from device.store.index import Index
from device.store.writer import Repair, Saved, Store
from models.errors import StorageError

Keep = Callable[..., list[Saved]]


class Noting(PosixFiles):
    """Notes the folders whose entries were made durable."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def open_folder(self, path: Path) -> int:
        self.synced.append(path)
        return super().open_folder(path)


def noted(folder: Path) -> list[Path]:
    """Open and close the store; the folders that were synced."""
    files = Noting()
    Store.open(folder, files).close()
    return files.synced


def test_a_repair_tells_what_happened_and_nothing_else() -> None:
    assert Repair().lines() == []
    told = Repair(
        swept=1, adopted=2, deleted=3, missing=4, damaged=("a.jpg: torn", "b.jpg: torn"), rebuilt="it was gone"
    )
    assert told.lines() == [
        "the index was made anew from the files (it was gone)",
        "1 partial files of interrupted saves were removed",
        "2 captures that were not listed are listed again",
        "the interrupted deletion of 3 captures was completed",
        "4 captures have lost their file; 'focusgate captures list' names them",
        "a.jpg: torn",
        "b.jpg: torn",
    ]
    assert Repair(damaged=("a.jpg: torn",)).lines() == ["a.jpg: torn"]


@pytest.mark.parametrize("made", [Repair, Saved])
def test_what_was_saved_or_repaired_cannot_be_changed_afterwards(made: type) -> None:
    value = object.__new__(made)
    for field in (*dataclasses.fields(made), None):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(value, field.name if field else "another", 1)
    assert not hasattr(value, "__dict__")


def test_a_listing_names_the_captures_without_a_file_and_only_these(folder: Path, keep: Keep) -> None:
    gone, there, unlisted = keep(3)
    store = Store.open(folder)
    store._index.remove([unlisted.record.capture_id])
    gone.path.unlink()
    listing = store.listing()
    store.close()
    assert listing.missing == {gone.record.capture_id}
    assert [entry.capture_id for entry in listing.entries] == [gone.record.capture_id, there.record.capture_id]


def test_the_folder_that_holds_the_store_is_synced_whether_the_store_was_there_or_not(folder: Path) -> None:
    assert folder.parent in noted(folder)
    assert folder.parent in noted(folder)


def test_folders_of_captures_that_are_listed_again_are_synced_before_the_row(folder: Path, keep: Keep) -> None:
    saved = keep(2)
    shards = {one.path.parent for one in saved}
    assert shards == {image_path(folder, one.record.capture_id).parent for one in saved}
    assert not shards & set(noted(folder))  # known: nothing to be done
    (folder / INDEX).unlink()
    synced = noted(folder)
    assert shards <= set(synced)
    assert synced.index(folder / IMAGES) > max(synced.index(shard) for shard in shards)


class Stubborn(PosixFiles):
    """Removes nothing."""

    def unlink(self, path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


def test_a_deletion_a_loss_and_a_capture_without_a_row_are_told_apart(folder: Path, keep: Keep) -> None:
    unremoved, lost, unlisted, removed, kept = keep(5)
    for one, files in ((removed, PosixFiles()), (unremoved, Stubborn())):
        entry = read_listing(folder).find(one.record.capture_id)
        with contextlib.suppress(StorageError):
            delete(folder, [entry], files=files)
    index = Index(folder / INDEX)
    index.remove([unlisted.record.capture_id])
    index.close()
    lost.path.unlink()
    store = Store.open(folder)
    listing = store.listing()
    store.close()
    assert store.repair == Repair(adopted=1, deleted=1, missing=1)
    assert not unremoved.path.exists()
    assert {entry.capture_id for entry in listing.entries} == {one.record.capture_id for one in (lost, unlisted, kept)}
    assert listing.missing == {lost.record.capture_id}
