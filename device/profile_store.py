"""Installing a profile: numbered files that stay, and one link that names the newest; whole or not at all."""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path

from device.store.files import PART_SUFFIX, POSIX, FileOps, storage_errors, sync_folder, write_durably
from models.errors import InputError
from models.signing import signature_path

_DONE = "the profile in force was not changed"


def numbered(path: Path, number: int) -> Path:
    """Where the profile of this number lies: profile.0007.json for profile.json."""
    return path.with_name(f"{path.stem}.{number:04d}{path.suffix}")


def previous(path: Path) -> list[Path]:
    """All numbered profiles beside `path`, oldest first, the one in force among them."""
    pattern = re.compile(rf"{re.escape(path.stem)}\.(\d{{4,}}){re.escape(path.suffix)}")
    found = [(int(match[1]), each) for each in path.parent.iterdir() if (match := pattern.fullmatch(each.name))]
    return [each for _, each in sorted(found)]


def install_profile(path: Path, content: bytes, signature: bytes | None, files: FileOps = POSIX) -> Path:
    """Make `content` the profile at `path`, mode 0600; returns the numbered file. What was in force stays beside it.

    The signature is written first and the link last, so that a crash at any moment leaves the old profile or the new
    one in force, each with its own signature. Raises InputError if `path` is no link of ours, StorageError if the
    disk refuses.
    """
    with storage_errors("install the profile", path, _DONE):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and not path.is_symlink():
            raise InputError(f"{path}: a plain file lies there; {_DONE}; move it away, or name another with --profile")
        before = previous(path)
        number = int(before[-1].stem.rsplit(".", 1)[1]) + 1 if before else 1
        new = numbered(path, number)
        if signature is not None:
            write_durably(files, signature_path(new), signature)
        write_durably(files, new, content)
        link = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{PART_SUFFIX}")
        try:
            link.symlink_to(new.name)
            files.rename(link, path)
        except OSError:
            with contextlib.suppress(OSError):
                link.unlink()
            raise
        sync_folder(files, path.parent)
    return new
