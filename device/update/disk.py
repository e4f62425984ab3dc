"""The steps on the disk, each durable when it returns, and each done or not done after a power cut."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from device.store.files import POSIX, make_folder, remove, sync_folder, write_durably

READABLE_FOLDER = 0o755  # releases are no secret, and the service's own user runs them


class Disk(Protocol):
    """Each method raises OSError."""

    def write(self, path: Path, data: bytes) -> None: ...
    def link(self, target: str, path: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def make_folder(self, path: Path, *, private: bool) -> None: ...
    def remove_tree(self, path: Path) -> None: ...
    def sync_tree(self, path: Path) -> None: ...
    def free_bytes(self, path: Path) -> int: ...


class PosixDisk:
    """The real disk."""

    def write(self, path: Path, data: bytes) -> None:
        write_durably(POSIX, path, data)

    def link(self, target: str, path: Path) -> None:
        """Point `path` to `target`: at every moment it points to the old or to the new."""
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.rename(path)
        sync_folder(POSIX, path.parent)

    def remove(self, path: Path) -> None:
        remove(POSIX, path)
        sync_folder(POSIX, path.parent)

    def make_folder(self, path: Path, *, private: bool) -> None:
        make_folder(POSIX, path)
        if not private:
            path.chmod(READABLE_FOLDER)

    def remove_tree(self, path: Path) -> None:
        if path.exists():
            shutil.rmtree(path)

    def sync_tree(self, path: Path) -> None:
        """Make all files below `path` and their names durable. `sync` alone would not report a failing disk."""
        os.sync()
        for folder, _, files in os.walk(path):
            for name in files:
                file = Path(folder, name)
                if not file.is_symlink():
                    _sync(file)
            sync_folder(POSIX, Path(folder))
        sync_folder(POSIX, path.parent)

    def free_bytes(self, path: Path) -> int:
        return POSIX.free_bytes(path)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
