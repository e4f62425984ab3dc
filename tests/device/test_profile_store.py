"""Installing profiles: whole or not at all, and what was before is kept."""

from __future__ import annotations

import contextlib
import errno
import stat
from pathlib import Path

import pytest

from device.profile_store import install_profile, previous
from device.store.files import PosixFiles
from models.errors import InputError, StorageError


def test_profiles_are_numbered_and_the_link_names_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "profile.json"
    for number, content in enumerate((b"one", b"two", b"three"), start=1):
        new = install_profile(path, content, b"sig " + content)
        assert new.name == f"profile.{number:04d}.json"
        assert path.read_bytes() == content
        assert path.resolve().with_name(new.name + ".sig").read_bytes() == b"sig " + content
        assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert [each.read_bytes() for each in previous(path)] == [b"one", b"two", b"three"]


def test_a_plain_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(b"by hand")
    with pytest.raises(InputError, match="a plain file lies there"):
        install_profile(path, b"new", None)
    assert path.read_bytes() == b"by hand"


@pytest.mark.parametrize("call", ["open_new", "write", "fsync", "rename", "open_folder"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_failing_disk_leaves_the_old_profile_or_the_new_one_whole(tmp_path: Path, call: str, at: int) -> None:
    path = tmp_path / "profile.json"
    install_profile(path, b"old", b"old sig")
    calls = 0

    class Failing(PosixFiles):
        def __getattribute__(self, name: str) -> object:
            nonlocal calls
            if name == call:
                calls += 1
                if calls == at:
                    raise OSError(errno.EIO, "Input/output error")
            return super().__getattribute__(name)

    with contextlib.suppress(StorageError):
        install_profile(path, b"new", b"new sig", Failing())
    content = path.read_bytes()
    assert content in (b"old", b"new")
    signature = path.resolve().with_name(path.resolve().name + ".sig").read_bytes()
    assert signature == content + b" sig"
    assert install_profile(path, b"next", b"next sig").read_bytes() == b"next"
