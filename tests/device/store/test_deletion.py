"""Deleting is asked for by name, recorded first, finished after a crash, and never mistaken for a loss."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from device.store.catalogue import read_listing, verify
from device.store.deletion import delete, deleted
from device.store.files import PosixFiles
from device.store.index import Index
from device.store.writer import Saved, Store
from models.errors import InputError

Keep = Callable[..., list[Saved]]


def ids(folder: Path) -> list[str]:
    return [entry.capture_id for entry in read_listing(folder).entries]


def restarted(folder: Path) -> Store:
    store = Store.open(folder)
    store.close()
    return store


def test_what_is_deleted_is_gone_from_disk_list_and_index_and_the_rest_is_whole(folder: Path, keep: Keep) -> None:
    first, second, third = keep(3)
    listing = read_listing(folder)
    assert delete(folder, [listing.find(one.record.capture_id) for one in (first, third)]) == 2
    assert not first.path.exists()
    assert ids(folder) == [second.record.capture_id]
    assert verify(read_listing(folder)) == []
    assert restarted(folder).repair.lines() == []
    index = Index(folder / "index.sqlite", read_only=True)
    assert list(index.entries()) == [second.record.capture_id]
    index.close()


def test_the_deletion_is_recorded_with_number_examination_and_seal(folder: Path, keep: Keep) -> None:
    (saved,) = keep(1, session_id="c" * 32)
    (entry,) = read_listing(folder).entries
    delete(folder, [entry])
    gone, damaged = deleted(folder)
    told = gone[saved.record.capture_id]
    assert (told.sequence, told.session_id, told.seal) == (1, "c" * 32, entry.seal)
    assert damaged == []


def test_a_number_is_never_given_again(folder: Path, keep: Keep) -> None:
    keep(2)
    delete(folder, read_listing(folder).entries)
    assert restarted(folder).next_sequence() == 3


def test_a_deletion_that_was_interrupted_is_finished_at_the_next_start(folder: Path, keep: Keep) -> None:
    first, second = keep(2)
    content = first.path.read_bytes()
    delete(folder, [read_listing(folder).find(first.record.capture_id)])
    first.path.write_bytes(content)  # as if the process had died before it removed the file
    assert ids(folder) == [second.record.capture_id]
    store = restarted(folder)
    assert (store.repair.deleted, store.repair.adopted, store.repair.missing) == (1, 0, 0)
    assert not first.path.exists()
    assert restarted(folder).repair.lines() == []


def test_a_lost_index_brings_nothing_back(folder: Path, keep: Keep) -> None:
    first, second = keep(2)
    delete(folder, [read_listing(folder).find(first.record.capture_id)])
    (folder / "index.sqlite").unlink()
    assert restarted(folder).repair.adopted == 1
    assert ids(folder) == [second.record.capture_id]


def test_a_capture_that_lost_its_file_can_be_deleted_and_is_missing_no_longer(folder: Path, keep: Keep) -> None:
    (saved,) = keep(1)
    saved.path.unlink()
    delete(folder, read_listing(folder).entries)
    listing = read_listing(folder)
    assert (listing.entries, listing.missing) == ((), frozenset())


def test_captures_are_deleted_beside_the_running_device(folder: Path, keep: Keep) -> None:
    (saved,) = keep(1)
    store = Store.open(folder)
    delete(folder, read_listing(folder).entries)
    assert store.listing().entries == ()
    store.close()
    assert not saved.path.exists()


def test_a_damaged_index_does_not_keep_captures_from_being_deleted(folder: Path, keep: Keep) -> None:
    first, second = keep(2)
    wanted = [read_listing(folder).find(first.record.capture_id)]
    (folder / "index.sqlite").write_bytes(b"no database at all" * 400)
    delete(folder, wanted)
    assert restarted(folder).repair.rebuilt is not None
    assert ids(folder) == [second.record.capture_id]


def test_a_damaged_record_of_a_deletion_is_named_and_stops_nothing(folder: Path, keep: Keep) -> None:
    keep(2)
    delete(folder, read_listing(folder).entries[:1])
    (record,) = (folder / "deleted").iterdir()
    record.write_bytes(b"{")
    listing = read_listing(folder)
    assert len(listing.entries) == 1
    assert [str(record) in line for line in listing.damaged] == [True]
    assert len(keep(1)) == 1


def test_captures_can_be_deleted_from_a_disk_that_takes_not_one_byte_more(folder: Path, keep: Keep) -> None:
    class Full(PosixFiles):
        def write(self, fd: int, data: memoryview) -> int:
            if ballast.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(fd, data)

    keep(2)
    ballast = folder / "ballast"
    assert ballast.stat().st_blocks > 0
    delete(folder, read_listing(folder).entries[:1], files=Full())
    assert len(ids(folder)) == 1
    assert not ballast.exists()
    restarted(folder)
    assert ballast.exists()


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_record_is_private_whatever_the_umask(folder: Path, keep: Keep, umask: int) -> None:
    keep(1)
    before = os.umask(umask)
    try:
        delete(folder, read_listing(folder).entries)
    finally:
        os.umask(before)
    (record,) = (folder / "deleted").iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700


def test_the_store_of_another_user_is_left_alone(folder: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    (saved,) = keep(1)
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(InputError, match=r"belongs to .*; nothing was changed"):
        delete(folder, read_listing(folder).entries)
    assert saved.path.exists()
