"""What is saved is listed, in order, once, in private, and only while there is space."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.store.catalogue import read_listing, read_record
from device.store.files import PosixFiles
from device.store.index import Entry
from device.store.jpeg import encode
from device.store.records import CaptureRecord
from device.store.space import RESERVE_BYTES
from device.store.writer import Saved, Store
from models.errors import InputError, StorageError

Rgb = NDArray[np.uint8]
MakeRecord = Callable[..., CaptureRecord]
Keep = Callable[..., list[Saved]]


def ids(folder: Path) -> list[str]:
    return [entry.capture_id for entry in read_listing(folder).entries]


def reopened(folder: Path) -> Store:
    """Opened for its repairs, and closed."""
    store = Store.open(folder)
    store.close()
    return store


def test_what_is_saved_is_listed_and_found_in_its_file(folder: Path, keep: Keep) -> None:
    saved = keep(3)
    listing = read_listing(folder)
    assert [entry.capture_id for entry in listing.entries] == [one.record.capture_id for one in saved]
    assert [one.sha256 for one in saved] == [hashlib.sha256(one.path.read_bytes()).hexdigest() for one in saved]
    assert [read_record(one.path) for one in saved] == [one.record for one in saved]
    assert (listing.missing, listing.damaged) == (frozenset(), ())


def test_save_takes_pixels_and_their_record(folder: Path, rgb: Rgb, make_record: MakeRecord) -> None:
    store = Store.open(folder)
    record = make_record(sequence=store.next_sequence())
    saved = store.save(rgb, record)
    assert saved.path.read_bytes() == encode(rgb, record)
    assert store.listing().entries == read_listing(folder).entries
    store.close()


def test_a_capture_is_saved_once_only(folder: Path, rgb: Rgb, make_record: MakeRecord) -> None:
    store = Store.open(folder)
    record = make_record()
    store.save(rgb, record)
    with pytest.raises(StorageError, match="saved already"):
        store.save(rgb, record)
    store.close()


def test_sequence_numbers_go_on_after_a_restart(folder: Path, keep: Keep) -> None:
    keep(2)
    keep(1)
    assert [entry.sequence for entry in read_listing(folder).entries] == [1, 2, 3]


def test_captures_are_listed_in_order_of_sequence_whatever_the_wall_clock_says(
    folder: Path, rgb: Rgb, make_record: MakeRecord
) -> None:
    store = Store.open(folder)
    record = make_record()
    for sequence, year in ((1, 2026), (2, 2016), (3, 2036)):
        time = record.wall_time.replace(year=year)
        store.save(rgb, make_record(sequence=sequence, wall_time=time, wall_synchronised=False))
    store.close()
    assert [entry.wall_time[:4] for entry in read_listing(folder).entries] == ["2026", "2016", "2036"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_nobody_else_can_read_anything_whatever_the_umask(folder: Path, keep: Keep, umask: int) -> None:
    before = os.umask(umask)
    try:
        keep(1)
        store = Store.open(folder)
        modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}
        store.close()
    finally:
        os.umask(before)
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {"index.sqlite", "index.sqlite-wal", "lock"} <= {path.name for path in modes}


def test_an_empty_folder_that_others_can_read_is_closed_off(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    reopened(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_with_other_files_in_it_is_refused_and_left_as_it_is(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="name an empty one"):
        Store.open(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_file_in_place_of_the_folder_is_one_line(folder: Path) -> None:
    folder.write_text("no folder")
    with pytest.raises(StorageError, match=r"^.*cannot open the store \(.*\); no capture can be saved; .*$"):
        Store.open(folder)


def test_only_one_writer_at_a_time(folder: Path) -> None:
    store = Store.open(folder)
    with pytest.raises(StorageError, match="another focusgate"):
        Store.open(folder)
    store.close()
    reopened(folder)


def test_captures_can_be_listed_while_the_device_saves(folder: Path, rgb: Rgb, make_record: MakeRecord) -> None:
    store = Store.open(folder)
    for count in (1, 2):
        store.save(rgb, make_record(sequence=store.next_sequence()))
        assert len(ids(folder)) == count
    store.close()


def test_the_prefix_of_an_id_is_enough_if_it_is_the_only_one(folder: Path, rgb: Rgb, make_record: MakeRecord) -> None:
    store = Store.open(folder)
    for capture_id in ("ab" + "0" * 30, "ac" + "0" * 30):
        store.save(rgb, make_record(capture_id=capture_id))
    listing = store.listing()
    store.close()
    assert listing.find("ab").capture_id == "ab" + "0" * 30
    assert listing.find("AC00").capture_id == "ac" + "0" * 30
    assert listing.find("ab" + "0" * 30).capture_id == "ab" + "0" * 30
    with pytest.raises(InputError, match="2 captures begin with 'a'"):
        listing.find("a")
    for nonsense in ("", "b", "../../x", "%", "ab" + "0" * 31):
        with pytest.raises(InputError, match="no capture"):
            listing.find(nonsense)


class Disk(PosixFiles):
    """Says what it is told of its free space."""

    free = 10**12

    def free_bytes(self, path: Path) -> int:
        return self.free


@pytest.fixture
def disk_store(folder: Path) -> Iterator[tuple[Disk, Store]]:
    disk = Disk()
    store = Store.open(folder, disk)
    yield disk, store
    store.close()


def test_a_capture_that_would_touch_the_reserve_is_refused_before_anything_is_written(
    disk_store: tuple[Disk, Store], folder: Path, rgb: Rgb, make_record: MakeRecord
) -> None:
    disk, store = disk_store
    disk.free = RESERVE_BYTES
    assert "the disk is full" in str(store.refusal())
    before = sorted(folder.rglob("*"))
    with pytest.raises(StorageError, match="nothing was saved: the disk is full; export"):
        store.save(rgb, make_record())
    assert sorted(folder.rglob("*")) == before
    disk.free = 10**12
    assert store.refusal() is None
    store.save(rgb, make_record())


@pytest.mark.parametrize("each", [1_000_000, 30_000_000])
def test_the_reserve_is_twenty_captures_if_those_are_large(disk_store: tuple[Disk, Store], each: int) -> None:
    disk, store = disk_store
    size = max(each, 8_000_000)
    disk.free = max(RESERVE_BYTES, 20 * size) + size
    assert store.space(each).captures_left == 1
    assert store.refusal(each) is None
    disk.free -= 1
    assert store.space(each).captures_left == 0
    assert store.refusal(each) is not None


def test_a_disk_that_does_not_answer_is_a_reason_not_a_crash(folder: Path) -> None:
    class Dead(PosixFiles):
        def free_bytes(self, path: Path) -> int:
            raise OSError(5, "Input/output error")

    store = Store.open(folder, Dead())
    assert "Input/output error" in str(store.refusal())
    store.close()


def test_entries_tell_what_the_record_tells(make_record: MakeRecord) -> None:
    entry = Entry.of(make_record(evidence=None, override=True), 10, "d" * 64)
    assert (entry.verdict, entry.in_focus, entry.judged_tiles, entry.total) == (None, None, None, None)
    assert entry.wall_time == "2026-03-04T05:06:07.890+00:00"
