"""Every system call of a save, in one place: the order that makes a file durable, and a seam to break it in tests."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from models.errors import InputError, StorageError, one_line

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
PART_SUFFIX = ".part"
JPEG_SUFFIX, SEALED_SUFFIX = ".jpg", ".sealed"  # of a capture, by its form
IMAGES, DELETED, AUDIT = "images", "deleted", "audit"  # folders of a store
INDEX, LOCK, EXAMINATION, BALLAST = "index.sqlite", "lock", "examination.json", "ballast"  # its other files

P = ParamSpec("P")
T = TypeVar("T")


def image_path(folder: Path, capture_id: str, *, sealed: bool = False) -> Path:
    """Where a capture of this form is put: 256 folders, so that none grows slow."""
    return folder / IMAGES / capture_id[:2] / f"{capture_id}{SEALED_SUFFIX if sealed else JPEG_SUFFIX}"


def find_image(folder: Path, capture_id: str) -> Path:
    """Where a capture lies, in whichever form it has; where its JPEG file would, if it is gone."""
    sealed = image_path(folder, capture_id, sealed=True)
    return sealed if sealed.exists() else image_path(folder, capture_id)


class FileOps(Protocol):
    """One method a system call; each raises OSError as the system does."""

    def open_new(self, path: Path) -> int: ...
    def open_append(self, path: Path) -> int: ...
    def open_folder(self, path: Path) -> int: ...
    def chmod(self, target: int | Path, mode: int) -> None: ...
    def write(self, fd: int, data: memoryview) -> int: ...
    def truncate(self, fd: int, size: int) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def close(self, fd: int) -> None: ...
    def rename(self, source: Path, target: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...
    def mkdir(self, path: Path) -> None: ...
    def free_bytes(self, path: Path) -> int: ...


class PosixFiles:
    """The real system calls."""

    def open_new(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)

    def open_append(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)

    def open_folder(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def chmod(self, target: int | Path, mode: int) -> None:
        os.chmod(target, mode)  # noqa: PTH101 - an open file has no path

    def write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def mkdir(self, path: Path) -> None:
        path.mkdir(PRIVATE_FOLDER)

    def free_bytes(self, path: Path) -> int:
        space = os.statvfs(path)
        return space.f_bavail * space.f_frsize


POSIX: FileOps = PosixFiles()


def write_durably(files: FileOps, path: Path, data: bytes, *, exact_mode: bool = True) -> None:
    """Write `data` to `path` so that after any crash it is whole or absent, and present once this returns.

    Temporary file, write, fsync, rename, fsync of the folder. `exact_mode` sets 0600 whatever the umask; without it
    the mode is at most that (file systems without modes). Raises OSError; then `path` is as it was, or has the whole
    new content without being sure to keep it, and the temporary file is gone, or swept at the next start.
    """
    part = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        fd = again(files.open_new, part)
        try:
            if exact_mode:
                again(files.chmod, fd, PRIVATE_FILE)
            write_all(files, fd, data)
            again(files.fsync, fd)
        finally:
            close(files, fd)
        again(files.rename, part, path)
    except OSError:
        with contextlib.suppress(OSError):
            remove(files, part)
        raise
    sync_folder(files, path.parent)


def write_all(files: FileOps, fd: int, data: bytes) -> None:
    """Write every byte, however few the disk takes at a time. Raises OSError."""
    rest = memoryview(data)
    while rest:
        written = again(files.write, fd, rest)
        if written <= 0:
            raise OSError(errno.EIO, "the disk takes no more bytes")
        rest = rest[written:]


def take_back(files: FileOps, path: Path) -> None:
    """Undo what `write_durably` may have left of a new file, as far as the disk lets us."""
    with contextlib.suppress(OSError):
        remove(files, path)
        sync_folder(files, path.parent)


def make_folder(files: FileOps, path: Path) -> None:
    """Make `path` (mode 0700 whatever the umask) if it is missing, and make its entry durable in either case.

    An entry that another process made may never have been synced: only a sync seen to succeed counts.
    """
    with contextlib.suppress(FileExistsError):
        again(files.mkdir, path)
        again(files.chmod, path, PRIVATE_FOLDER)
    sync_folder(files, path.parent)


def remove(files: FileOps, path: Path) -> None:
    """Remove a file, if it is there; durable only once its folder is synced."""
    with contextlib.suppress(FileNotFoundError):
        again(files.unlink, path)


def sync_folder(files: FileOps, path: Path) -> None:
    """Make the entries of the folder durable."""
    fd = again(files.open_folder, path)
    try:
        again(files.fsync, fd)
    finally:
        close(files, fd)


def close(files: FileOps, fd: int) -> None:
    """Close once: Linux has released the descriptor even when it reports an interruption."""
    with contextlib.suppress(InterruptedError):
        files.close(fd)


def again(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat a system call that a signal interrupted."""
    while True:
        try:
            return call(*args, **kwargs)
        except InterruptedError:
            continue


def lock(path: Path) -> int:
    """Hold the lock file `path` until the returned descriptor is closed. Raises BlockingIOError if another does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.fchmod(fd, PRIVATE_FILE)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def is_private(path: Path) -> bool:
    """True if nobody but the owner may look into the folder."""
    return not stat.S_IMODE(path.stat().st_mode) & ~PRIVATE_FOLDER


def check_owner(folder: Path) -> None:
    """Raise InputError unless the folder is the caller's: what root wrote here, the device itself could not read."""
    try:
        found = folder.stat()
    except OSError as error:
        raise InputError(f"{folder}: no store ({error.strerror}); nothing was changed; --store names it") from None
    if found.st_uid != os.geteuid():
        owner = f"#{found.st_uid}"
        with contextlib.suppress(KeyError):
            owner = pwd.getpwuid(found.st_uid).pw_name
        raise InputError(f"{folder}: belongs to {owner}; nothing was changed; run 'sudo -u {owner} focusgate ...'")


_ADVICE = {
    errno.ENOSPC: "the disk is full: export and delete captures",
    errno.EDQUOT: "the quota is used up: export and delete captures",
    errno.EROFS: "the disk is read-only, which a failing card turns itself: export the captures and replace it",
    errno.EIO: "the disk fails: export the captures and replace it",
    errno.EACCES: "give the folder to the user who runs focusgate",
    errno.EPERM: "give the folder to the user who runs focusgate, on a file system with permissions",
}


@contextlib.contextmanager
def storage_errors(doing: str, where: Path, done: str) -> Iterator[None]:
    """OSError and sqlite3's errors inside become one StorageError: what, where, what was done, what to do."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        number = error.errno if isinstance(error, OSError) else None
        what = one_line((error.strerror or error) if isinstance(error, OSError) else f"index: {error}", 120)
        advice = _ADVICE.get(number or 0, "check the disk and the folder")
        raise StorageError(f"{where}: cannot {doing} ({what}); {done}; {advice}") from error
