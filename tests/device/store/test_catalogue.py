"""Listing, verifying and exporting: every changed byte is found, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.store import catalogue
from device.store.catalogue import adopt, export, read_listing, verify
from device.store.jpeg import encode
from device.store.records import CaptureRecord
from device.store.writer import Saved
from models.errors import InputError, StorageError

Rgb = NDArray[np.uint8]
MakeRecord = Callable[..., CaptureRecord]
Keep = Callable[..., list[Saved]]


def ids(folder: Path) -> list[str]:
    return [entry.capture_id for entry in read_listing(folder).entries]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def test_listing_and_verifying_change_nothing_on_the_disk(folder: Path, keep: Keep) -> None:
    keep(2)
    before = tree(folder)
    assert verify(read_listing(folder)) == []
    assert tree(folder) == before


def test_verify_finds_a_flipped_bit_even_without_the_index(folder: Path, keep: Keep) -> None:
    first, second = (one.path for one in keep(2))
    flip(second, -50)
    assert [str(second) in line for line in verify(read_listing(folder))] == [True]
    (folder / "index.sqlite").unlink()
    assert [str(second) in line for line in verify(read_listing(folder))] == [True]
    assert ids(folder) == [first.stem]


def test_verify_finds_a_file_that_was_exchanged_for_another_whole_one(
    folder: Path, keep: Keep, rgb: Rgb, make_record: MakeRecord
) -> None:
    saved = keep(1)[0]
    saved.path.write_bytes(encode(255 - rgb, saved.record))
    assert ["not what the index says" in line for line in verify(read_listing(folder))] == [True]


def test_verify_reports_its_progress_to_the_end(folder: Path, keep: Keep) -> None:
    keep(2)
    seen: list[tuple[int, int]] = []
    verify(read_listing(folder), lambda done, of: seen.append((done, of)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_verified(folder: Path, keep: Keep) -> None:
    first, second = (one.path for one in keep(2))
    first.unlink()
    first.mkdir()
    flip(second, 300)
    listing = read_listing(folder)
    assert len(verify(listing)) == 2
    entries, damaged = adopt(folder, [first.stem])
    assert entries == []
    assert "cannot be read" in damaged[0]


def test_no_folder_is_an_input_error(folder: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_listing(folder)


def test_export_copies_every_byte_once(folder: Path, keep: Keep, tmp_path: Path) -> None:
    saved = keep(3)
    listing = read_listing(folder)
    target = tmp_path / "deep" / "out"
    assert export(listing, listing.entries, target) == 3
    assert export(listing, listing.entries, target) == 0
    names = sorted(path.name for path in target.iterdir())
    assert names == [f"{number:06d}-{one.record.capture_id[:8]}.jpg" for number, one in enumerate(saved, start=1)]
    assert sorted(path.read_bytes() for path in target.iterdir()) == sorted(one.path.read_bytes() for one in saved)


def test_export_refuses_what_is_damaged_and_what_is_in_its_way(folder: Path, keep: Keep, tmp_path: Path) -> None:
    first, second = keep(2)
    listing = read_listing(folder)
    (tmp_path / f"000001-{first.record.capture_id[:8]}.jpg").write_text("mine")
    with pytest.raises(InputError, match="another file has this name"):
        export(listing, listing.entries, tmp_path)
    flip(second.path, 1000)
    with pytest.raises(StorageError, match="checksum"):
        export(listing, [listing.find(second.record.capture_id)], tmp_path)
    assert (tmp_path / f"000001-{first.record.capture_id[:8]}.jpg").read_text() == "mine"


@pytest.mark.parametrize(
    ("named", "data", "expected"),
    [
        ("/srv/here", "/data", "/srv/here"),
        (None, "/data", "/data/focusgate"),
        (None, None, "/home/nobody/.local/share/focusgate"),
    ],
)
def test_the_default_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, named: str | None, data: str | None, expected: str
) -> None:
    for name, value in (("FOCUSGATE_STORE", named), ("XDG_DATA_HOME", data), ("HOME", "/home/nobody")):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert catalogue.default_store() == Path(expected)
