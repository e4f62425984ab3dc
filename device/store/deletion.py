"""Deleting captures: recorded before it happens, so that a crash finishes it and never hides a loss.

The order: a durable record of what is to be deleted (one new file in `deleted/`), then the images, then their folders
synced, then the rows of the index. A process that dies in between leaves captures that the record names: they are
listed no longer, and the next start removes what is left of them. What is missing without such a record is a loss, and
is reported as one. The records stay; they hold random numbers and digests, no picture.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from device.store.files import (
    BALLAST,
    DELETED,
    INDEX,
    POSIX,
    FileOps,
    check_owner,
    find_image,
    make_folder,
    remove,
    storage_errors,
    sync_folder,
    take_back,
    write_durably,
)
from device.store.index import Entry, Index, IndexDamagedError
from device.store.records import CaptureId, Count, Sha256

BALLAST_BYTES = 1 << 20  # room for the record of 4,000 deletions, and for the pages that SQLite writes meanwhile


class Gone(BaseModel):
    """What remains known of a deleted capture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capture_id: CaptureId
    session_id: CaptureId | None
    sequence: Count
    seal: Sha256


class Deletion(BaseModel):
    """One command to delete, as it was given. `wall_time` is wrong where the clock was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    wall_time: AwareDatetime
    captures: tuple[Gone, ...]


def deleted(folder: Path) -> tuple[dict[str, Gone], list[str]]:
    """All that was ever deleted from the store, by capture id, and one line for each record that cannot be read."""
    found: dict[str, Gone] = {}
    damaged = []
    for path in sorted((folder / DELETED).glob("*.json")):
        try:
            found |= {one.capture_id: one for one in Deletion.model_validate_json(path.read_bytes()).captures}
        except (ValidationError, OSError):
            damaged.append(f"{path}: the record of a deletion cannot be read; restore it from a backup")
    return found, damaged


def delete(
    folder: Path,
    entries: Iterable[Entry],
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    files: FileOps = POSIX,
) -> int:
    """Delete captures for good; returns how many. Works beside the running device.

    Raises InputError if the store is somebody else's; StorageError: nothing was deleted, or what is left of them is
    deleted at the next start.
    """
    check_owner(folder)
    wanted = tuple(
        Gone(capture_id=one.capture_id, session_id=one.session_id, sequence=one.sequence, seal=one.seal)
        for one in entries
    )
    record = folder / DELETED / f"{secrets.token_hex(16)}.json"
    with storage_errors("record the deletion", folder, "no image was removed"):
        make_folder(files, record.parent)
        told = Deletion(wall_time=datetime.now(UTC), captures=wanted)
        _write(files, folder, record, told.model_dump_json().encode())
    with storage_errors("delete captures", folder, "they are listed no longer, and the next start removes the rest"):
        ids = [one.capture_id for one in wanted]
        remove_images(files, folder, ids, progress)
        with contextlib.suppress(IndexDamagedError):  # it is made anew at the next start
            index = Index(folder / INDEX)
            try:
                index.remove(ids)
            finally:
                index.close()
    return len(wanted)


def keep_ballast(files: FileOps, folder: Path) -> None:
    """A file of nothing, to be thrown away when the disk is so full that not even a deletion could be recorded."""
    if not (folder / BALLAST).exists():
        with contextlib.suppress(OSError):
            write_durably(files, folder / BALLAST, bytes(BALLAST_BYTES))


def _write(files: FileOps, folder: Path, record: Path, data: bytes) -> None:
    try:
        try:
            write_durably(files, record, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            remove(files, folder / BALLAST)
            write_durably(files, record, data)
    except OSError:
        take_back(files, record)
        raise


def remove_images(
    files: FileOps,
    folder: Path,
    capture_ids: Iterable[str],
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> None:
    """Remove the images of captures that are recorded as deleted; durable when this returns. Raises OSError."""
    paths = [find_image(folder, capture_id) for capture_id in capture_ids]
    for number, path in enumerate(paths):
        progress(number, len(paths))
        remove(files, path)
    for shard in sorted({path.parent for path in paths if path.parent.is_dir()}):
        sync_folder(files, shard)
    progress(len(paths), len(paths))
