"""Saving on disks that fail and in processes that die: whole or absent, and "saved" only of what is durable."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from device.store.records import CaptureRecord
from device.store.writer import Store
from models.errors import StorageError

Made = Iterator[tuple[bytes, CaptureRecord]]
Faulty = Callable[[], Any]
Listed = Callable[[Path], set[str]]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.ENOENT]


def calls_of_one_save(folder: Path, faulty: Faulty, captures: Made) -> list[tuple[str, str]]:
    files = faulty()
    store = Store.open(folder, files)
    files.calls.clear()
    store.save_encoded(*next(captures))
    store.close()
    return list(files.calls)


def test_the_order_of_a_save_is_that_of_durability(
    tmp_path: Path, faulty: Faulty, captures: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = faulty()
    store = Store.open(tmp_path / "store", files)
    add = store._index.add
    monkeypatch.setattr(store._index, "add", lambda rows: (files.calls.append(("row", "index")), add(rows)))
    files.calls.clear()
    jpeg, record = next(captures)
    path = store.save_encoded(jpeg, record).path
    store.close()
    shard, images = str(path.parent), str(path.parent.parent)
    part = next(target for name, target in files.calls if name == "open_new")
    assert Path(part).parent == path.parent
    assert part.endswith(".part")
    assert files.calls == [
        ("free_bytes", str(tmp_path / "store")),
        ("mkdir", shard),
        ("chmod", shard),
        ("open_folder", images),
        ("fsync", images),
        ("close", images),
        ("open_new", part),
        ("chmod", part),
        ("write", part),
        ("fsync", part),
        ("close", part),
        ("rename", str(path)),
        ("open_folder", shard),
        ("fsync", shard),
        ("close", shard),
        ("row", "index"),
    ]


def test_a_folder_whose_entry_was_never_synced_is_synced_before_the_next_save_into_it(
    tmp_path: Path, faulty: Faulty, captures: Made
) -> None:
    folder = tmp_path / "store"
    jpeg, record = next(captures)
    files = faulty()
    store = Store.open(folder, files)
    files.arm(5, errno.EIO)
    with pytest.raises(StorageError):
        store.save_encoded(jpeg, record)
    assert files.calls[4][0] == "fsync"
    files.disarm()
    files.calls.clear()
    store.save_encoded(jpeg, record)
    store.close()
    names = [name for name, _ in files.calls]
    assert ("fsync", str(folder / "images")) in files.calls[: names.index("open_new")]


@pytest.mark.parametrize("after", [False, True], ids=["before-it-acts", "after-it-acted"])
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_fault_at_any_call_of_a_save_is_reported_and_leaves_nothing_false(
    tmp_path: Path, faulty: Faulty, captures: Made, listed: Listed, error: int, *, for_ever: bool, after: bool
) -> None:
    for call in range(1, 1 + len(calls_of_one_save(tmp_path / "dry", faulty, captures))):
        folder = tmp_path / str(call)
        files = faulty()
        store = Store.open(folder, files)
        first, other = next(captures), next(captures)
        files.arm(call, error, for_ever=for_ever, after=after)
        saved = False
        with suppress(StorageError):
            store.save_encoded(*first)
            saved = True
        assert saved is (files.failed == 0), files.calls
        assert {entry.capture_id for entry in store.listing().entries} == ({first[1].capture_id} if saved else set())
        files.disarm()
        store.save_encoded(*other)
        if not saved:
            store.save_encoded(*first)
        store.close()
        assert listed(folder) == {first[1].capture_id, other[1].capture_id}


@pytest.mark.parametrize("after", [False, True], ids=["before-it-acts", "after-it-acted"])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_after_a_fault_without_a_second_attempt_a_restart_lists_whole_captures_only(
    tmp_path: Path, faulty: Faulty, captures: Made, listed: Listed, error: int, *, after: bool
) -> None:
    for call in range(1, 1 + len(calls_of_one_save(tmp_path / "dry", faulty, captures))):
        folder = tmp_path / str(call)
        files = faulty()
        store = Store.open(folder, files)
        jpeg, record = next(captures)
        files.arm(call, error, for_ever=True, after=after)
        saved = False
        with suppress(StorageError):
            store.save_encoded(jpeg, record)
            saved = True
        store.close()
        assert listed(folder) <= {record.capture_id}
        assert not saved or listed(folder) == {record.capture_id}


def test_a_signal_at_any_call_is_survived(tmp_path: Path, faulty: Faulty, captures: Made, listed: Listed) -> None:
    for call in range(1, 1 + len(calls_of_one_save(tmp_path / "dry", faulty, captures))):
        files = faulty()
        store = Store.open(tmp_path / str(call), files)
        jpeg, record = next(captures)
        files.arm(call, errno.EINTR)
        store.save_encoded(jpeg, record)
        assert files.failed == 1
        store.close()
        assert listed(tmp_path / str(call)) == {record.capture_id}


def test_writes_that_take_only_a_part_are_continued(tmp_path: Path, faulty: Faulty, captures: Made) -> None:
    files = faulty()
    store = Store.open(tmp_path / "store", files)
    jpeg, record = next(captures)
    files.arm(1, -1)
    path = store.save_encoded(jpeg, record).path
    store.close()
    assert files.failed > 5
    assert path.read_bytes() == jpeg


def test_a_disk_that_takes_no_more_bytes_without_saying_why_is_an_error(
    tmp_path: Path, faulty: Faulty, captures: Made, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = faulty()
    store = Store.open(tmp_path / "store", files)
    monkeypatch.setattr(type(files), "write", lambda *_: 0)
    with pytest.raises(StorageError, match="takes no more bytes"):
        store.save_encoded(*next(captures))
    store.close()
    assert listed(tmp_path / "store") == set()


@pytest.mark.parametrize("error", [*ERRORS, errno.EACCES])
def test_every_error_is_one_line_with_place_cause_effect_and_advice(
    tmp_path: Path, faulty: Faulty, captures: Made, error: int
) -> None:
    files = faulty()
    store = Store.open(tmp_path / "store", files)
    files.arm(9, error)
    with pytest.raises(StorageError) as caught:
        store.save_encoded(*next(captures))
    store.close()
    message = str(caught.value)
    assert "\n" not in message
    where, rest = message.split(": cannot save the capture (")
    cause, effect, advice = rest.split("; ")
    assert where == str(tmp_path / "store")
    assert os.strerror(error) in cause
    assert effect == "nothing was saved"
    assert len(advice) > 10


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_fault_while_opening_is_one_line_and_loses_nothing(
    tmp_path: Path, faulty: Faulty, captures: Made, listed: Listed, error: int
) -> None:
    folder = tmp_path / "store"
    store = Store.open(folder)
    made = [next(captures) for _ in range(3)]
    for jpeg, record in made:
        store.save_encoded(jpeg, record)
    store.close()
    (folder / "index.sqlite").unlink()
    files = faulty()
    problems = []
    for call in range(1, 100):
        files.arm(call, error)
        try:
            Store.open(folder, files).close()
        except StorageError as problem:
            problems.append(str(problem))
        else:
            if files.failed == 0:
                break
    assert len(problems) >= 3
    assert all("no capture can be saved" in problem for problem in problems)
    assert listed(folder) == {record.capture_id for _, record in made}


# --- the index ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY])
def test_an_index_that_the_disk_refuses_undoes_the_file(
    tmp_path: Path, captures: Made, listed: Listed, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    folder = tmp_path / "store"
    store = Store.open(folder)
    jpeg, record = next(captures)

    def fail(_rows: object) -> None:
        error = sqlite3.OperationalError("the disk said no")
        error.sqlite_errorcode = code
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(store._index, "add", fail)
        with pytest.raises(StorageError, match=r"index: the disk said no\); nothing was saved"):
            store.save_encoded(jpeg, record)
    assert store.listing().entries == ()
    assert list(folder.glob("images/*/*")) == []
    store.save_encoded(jpeg, record)
    store.close()
    assert listed(folder) == {record.capture_id}


def test_an_index_that_is_really_full_refuses_until_there_is_room(
    tmp_path: Path, captures: Made, listed: Listed
) -> None:
    folder = tmp_path / "store"
    store = Store.open(folder)
    connection = store._index._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    saved: set[str] = set()

    def fill() -> None:
        for jpeg, record in captures:
            store.save_encoded(jpeg, record)
            saved.add(record.capture_id)

    with pytest.raises(StorageError, match="full"):
        fill()
    assert {entry.capture_id for entry in store.listing().entries} == saved
    connection.execute("PRAGMA max_page_count = 1000000")
    jpeg, record = next(captures)
    store.save_encoded(jpeg, record)
    store.close()
    assert listed(folder) == saved | {record.capture_id}
