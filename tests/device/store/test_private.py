"""Nothing of a patient, and nothing of who works here, leaves the data folder or stands in a file."""

from __future__ import annotations

import getpass
import os
import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from device.store.catalogue import export, read_listing
from device.store.deletion import delete
from device.store.examination import Fact, write_mark
from device.store.writer import Saved, Store

Keep = Callable[..., list[Saved]]
RANDOM_NAME = re.compile(
    r"[0-9a-f]{32}\.(jpg|json)|[0-9a-f]{2}|images|deleted|lock|ballast|examination\.json|index\.sqlite(-\w+)?"
)
MARKERS = ("Jane-Doe-4711", "ward-seven")


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where anything that is not in the data folder would show: the working folder, temporary and home folders."""
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder))
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, MARKERS[0])
    monkeypatch.setattr("socket.gethostname", lambda: MARKERS[1])
    return folder


def test_saving_deleting_and_closing_leave_no_trace_outside_and_no_name_inside(
    folder: Path, keep: Keep, outside: Path
) -> None:
    assert (getpass.getuser(), socket.gethostname()) == MARKERS
    keep(3)
    delete(folder, read_listing(folder).entries[:1])
    write_mark(folder, "boot", Fact(1, None))
    Store.open(folder).close()
    assert list(outside.iterdir()) == []
    paths = sorted(folder.rglob("*"))
    assert len(paths) > 8
    assert [path.name for path in paths if not RANDOM_NAME.fullmatch(path.name)] == []
    content = b"".join(path.read_bytes() for path in paths if path.is_file())
    assert [marker for marker in MARKERS if marker.encode() in content] == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}


def test_the_image_says_nothing_of_people_or_places(keep: Keep) -> None:
    (saved,) = keep(1)
    with Image.open(saved.path) as image:
        exif = image.getexif()
        inside = exif.get_ifd(ExifTags.IFD.Exif)
    assert set(exif) == {ExifTags.Base.Software, ExifTags.IFD.Exif}
    people = {ExifTags.Base.CameraOwnerName, ExifTags.Base.BodySerialNumber, ExifTags.Base.MakerNote}
    assert people & set(inside) == set()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_exported_copies_are_for_nobody_else_to_read(folder: Path, keep: Keep, tmp_path: Path, umask: int) -> None:
    keep(1)
    listing = read_listing(folder)
    before = os.umask(umask)
    try:
        export(listing, listing.entries, tmp_path / "out")
    finally:
        os.umask(before)
    (copy,) = (tmp_path / "out").iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
