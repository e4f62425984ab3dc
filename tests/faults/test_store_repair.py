"""A folder full of captures whose index is gone or garbled: all are listed again, in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.store.catalogue import Listing
from device.store.files import image_path
from device.store.records import CaptureRecord
from device.store.writer import Store

FILES, FILES_IN_FULL = 100, 10_000
REPAIRED_S = 2.0


@pytest.mark.parametrize("damage", ["gone", "garbled", "without half of its rows"])
def test_a_full_folder_is_repaired_in_seconds_whatever_became_of_its_index(
    tmp_path: Path,
    captures: Iterator[tuple[bytes, CaptureRecord]],
    checked: Callable[[Path], Listing],
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    *,
    damage: str,
    full: bool,
) -> None:
    files, folder = (FILES_IN_FULL if full else FILES), tmp_path / "store"
    Store.open(folder).close()
    ids = set()
    for number in range(files):
        if damage == "without half of its rows" and number == files // 2:
            Store.open(folder).close()  # lists the first half
        jpeg, record = next(captures)
        path = image_path(folder, record.capture_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(jpeg)
        path.chmod(0o600)
        ids.add(record.capture_id)
        so_far(0.9 * number / files)
    for part in range(files // 100):
        (path.parent / f".{part}.part").write_bytes(b"half of a capture")
    index = folder / "index.sqlite"
    if damage != "without half of its rows":
        for beside in folder.glob("index.sqlite*"):
            beside.unlink()
    if damage == "garbled":
        index.write_bytes(b"no database" * 500)
        index.chmod(0o600)
    began_s, began_ns = time.process_time(), time.monotonic_ns()
    Store.open(folder).close()
    took_s, waited_s = time.process_time() - began_s, (time.monotonic_ns() - began_ns) / 1e9
    found = {entry.capture_id for entry in checked(folder).entries}
    figure = f"{took_s:.2f} s of the processor ({waited_s:.1f} s on this busy machine)"
    promise(f"repair of a folder, index {damage}", files, figure, "2 s", met=found == ids and took_s <= REPAIRED_S)
    assert found == ids
    assert not full or took_s <= REPAIRED_S
