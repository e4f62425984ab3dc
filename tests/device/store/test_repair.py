"""Whatever a crash, a failing disk or a clumsy hand left behind: all whole captures are listed again, nothing else."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.store.catalogue import read_listing, verify
from device.store.files import image_path
from device.store.index import Entry, Index
from device.store.jpeg import encode
from device.store.records import CaptureRecord
from device.store.writer import Saved, Store

Rgb = NDArray[np.uint8]
MakeRecord = Callable[..., CaptureRecord]
Keep = Callable[..., list[Saved]]


def ids(folder: Path) -> list[str]:
    return [entry.capture_id for entry in read_listing(folder).entries]


def rows(folder: Path) -> dict[str, Entry]:
    index = Index(folder / "index.sqlite", read_only=True)
    try:
        return index.entries()
    finally:
        index.close()


def reopened(folder: Path) -> Store:
    """Opened for its repairs, and closed."""
    store = Store.open(folder)
    store.close()
    return store


def test_partial_files_are_swept_at_start(folder: Path, keep: Keep) -> None:
    path = keep(1)[0].path
    part = path.with_name(f".{'0' * 32}-12345678.part")
    part.write_bytes(b"half an im")
    assert len(ids(folder)) == 1
    assert reopened(folder).repair.swept == 1
    assert not part.exists()
    assert path.exists()


def test_a_whole_file_that_is_not_listed_is_adopted(
    folder: Path, keep: Keep, rgb: Rgb, make_record: MakeRecord
) -> None:
    keep(1)
    record = make_record(sequence=7)
    path = image_path(folder, record.capture_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(rgb, record))
    before = ids(folder)
    store = reopened(folder)
    assert (store.repair.adopted, store.repair.rebuilt) == (1, None)
    assert before == ids(folder)
    assert before[-1] == record.capture_id
    assert store.next_sequence() == 8


def test_a_torn_file_is_neither_listed_nor_removed_but_named(
    folder: Path, keep: Keep, rgb: Rgb, make_record: MakeRecord
) -> None:
    keep(1)
    record = make_record()
    path = image_path(folder, record.capture_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(rgb, record)[:-100])
    store = reopened(folder)
    assert store.repair.adopted == 0
    assert len(store.repair.damaged) == 1
    assert str(path) in store.repair.damaged[0]
    listing = read_listing(folder)
    assert len(listing.entries) == 1
    assert listing.damaged == store.repair.damaged
    assert path.exists()


def test_many_files_are_listed_by_head_and_end_with_the_very_same_rows(
    folder: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(4, camera_id="c" * 200)
    before = read_listing(folder).entries
    (folder / "index.sqlite").unlink()
    monkeypatch.setattr("device.store.catalogue.READ_WHOLE", 0)
    monkeypatch.setattr("device.store.catalogue.HEAD_BYTES", 600)  # shorter than the record: the rest is fetched
    assert read_listing(folder).entries == before
    assert reopened(folder).repair.adopted == 4
    assert tuple(rows(folder).values()) == before


@pytest.mark.parametrize("keep_bytes", [0, 1, 500, 2500])
@pytest.mark.parametrize("zeros", [False, True], ids=["cut-off", "ends-in-zeros"])
def test_a_file_without_its_end_is_found_at_a_glance(
    folder: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch, keep_bytes: int, *, zeros: bool
) -> None:
    whole, torn = (one.path for one in keep(2))
    data = torn.read_bytes()
    kept = min(keep_bytes, len(data) - 2)
    torn.write_bytes(data[:kept] + bytes(len(data) - kept) * zeros)
    (folder / "index.sqlite").unlink()
    monkeypatch.setattr("device.store.catalogue.READ_WHOLE", 0)
    listing = read_listing(folder)
    assert [entry.capture_id for entry in listing.entries] == [whole.stem]
    assert [str(torn) in line for line in listing.damaged] == [True]


def test_damage_in_the_middle_that_a_glance_does_not_see_is_seen_by_verify(
    folder: Path, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    (saved,) = keep(1)
    data = bytearray(saved.path.read_bytes())
    data[-100] ^= 1
    saved.path.write_bytes(data)
    (folder / "index.sqlite").unlink()
    monkeypatch.setattr("device.store.catalogue.READ_WHOLE", 0)
    listing = read_listing(folder)
    assert len(listing.entries) == 1
    assert ["checksum does not match" in line for line in verify(listing)] == [True]


def test_a_renamed_capture_does_not_take_the_place_of_another(folder: Path, keep: Keep) -> None:
    path = keep(1)[0].path
    other = path.with_name(path.stem[:2] + "f" * 30 + ".jpg")
    shutil.copy(path, other)
    assert len(ids(folder)) == 1
    assert "somebody renamed it" in reopened(folder).repair.damaged[0]


def test_what_is_not_a_capture_by_name_or_kind_is_left_alone(folder: Path, keep: Keep) -> None:
    path = keep(1)[0].path
    (path.parent / "holiday.jpg").write_bytes(path.read_bytes())
    link = path.with_name(path.stem[:2] + "e" * 30 + ".jpg")
    link.symlink_to(path)
    assert ids(folder) == [path.stem]
    assert reopened(folder).repair.damaged == ()


def test_a_row_whose_file_has_vanished_is_shown_as_missing(folder: Path, keep: Keep) -> None:
    gone, kept = (one.path for one in keep(2))
    gone.unlink()
    assert reopened(folder).repair.missing == 1
    listing = read_listing(folder)
    assert listing.missing == {gone.stem}
    assert [entry.capture_id for entry in listing.entries] == [gone.stem, kept.stem]
    assert any("the file is gone" in line for line in verify(listing))


def garble(index: Path) -> None:
    size = index.stat().st_size
    index.write_bytes(np.random.default_rng(1).bytes(size))


def garble_a_page(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[4096:8192] = b"\xa5" * 4096
    index.write_bytes(data)


def empty(index: Path) -> None:
    index.write_bytes(b"")


def truncate(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:5000])


def remove(index: Path) -> None:
    index.unlink()


def newer(index: Path) -> None:
    connection = sqlite3.connect(index)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def drop_the_table(index: Path) -> None:
    connection = sqlite3.connect(index)
    connection.execute("DROP TABLE captures")
    connection.execute("CREATE TABLE other (x)")
    connection.close()


def nonsense_in_a_row(index: Path) -> None:
    connection = sqlite3.connect(index, isolation_level=None)
    connection.execute("UPDATE captures SET verdict = 'splendid' WHERE sequence = 1")
    connection.close()


@pytest.mark.parametrize(
    "damage", [garble, garble_a_page, empty, truncate, remove, newer, drop_the_table, nonsense_in_a_row]
)
def test_a_damaged_index_is_made_anew_from_the_files(folder: Path, keep: Keep, damage: Callable[[Path], None]) -> None:
    keep(5)
    before = read_listing(folder).entries
    damage(folder / "index.sqlite")
    assert read_listing(folder).entries == before
    store = reopened(folder)
    assert store.repair.adopted == 5
    assert store.repair.rebuilt is not None
    assert read_listing(folder).entries == before
    assert tuple(rows(folder).values()) == before
    kept_aside = (folder / "index.sqlite.damaged").exists()
    assert kept_aside == (damage not in (remove, empty))


def test_an_index_damaged_while_running_is_made_anew_and_the_capture_is_listed(
    folder: Path, rgb: Rgb, make_record: MakeRecord
) -> None:
    store = Store.open(folder)
    store.save(rgb, make_record(sequence=store.next_sequence()))
    connection = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
    connection.execute("DROP TABLE captures")
    connection.close()
    store.save(rgb, make_record(sequence=store.next_sequence()))
    store.save(rgb, make_record(sequence=store.next_sequence()))
    assert store.repair.rebuilt is not None
    store.close()
    assert len(rows(folder)) == 3


def test_nothing_is_repaired_twice(folder: Path, keep: Keep) -> None:
    keep(2)
    (folder / "index.sqlite").unlink()
    reopened(folder)
    repair = reopened(folder).repair
    assert (repair.swept, repair.adopted, repair.missing, repair.damaged, repair.rebuilt) == (0, 0, 0, (), None)
