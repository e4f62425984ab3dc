"""A release file: its manifest and signature first, then the wheels. Verified before anything is unpacked."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.update.archive import FETCH_ANEW, Member, read_member
from device.update.release import DISTRIBUTION, NOT_INSTALLED, Release, Wheel, parse_release, sign, verify, version_of
from models.errors import InputError
from models.signing import Keys

MANIFEST, SIGNATURE, WHEELS = "release.json", "release.json.sig", "wheels/"
SUFFIX = ".release"
MAX_BUNDLE_BYTES = 1 << 30  # the board's wheels have some 90 MB
MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES = 256 << 10, 256
ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Bundle:
    """An open release file whose manifest is signed by a trusted key; its wheels are still to be read."""

    path: Path
    release: Release
    signer: str
    digest: str  # SHA-256 of the manifest, in hexadecimal
    source: IO[bytes]

    @property
    def folder_name(self) -> str:
        """Where the release is installed, below the folder of releases: two builds of a version lie side by side."""
        return f"{self.release.version}-{self.digest[:ID_DIGITS]}"


@contextlib.contextmanager
def open_bundle(path: Path, keys: Keys) -> Iterator[Bundle]:
    """Open a release file and verify its manifest before parsing it. Raises InputError, one line."""
    try:
        source = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a release file") from None
    with source:
        if os.fstat(source.fileno()).st_size > MAX_BUNDLE_BYTES:
            raise InputError(f"{path}: larger than {MAX_BUNDLE_BYTES >> 20} MiB; {NOT_INSTALLED}, this is no release")
        text = _expect(source, path, MANIFEST).content(MAX_MANIFEST_BYTES)
        signature = _expect(source, path, SIGNATURE).content(MAX_SIGNATURE_BYTES)
        signer = verify(text, signature, keys, path)
        yield Bundle(path, parse_release(text, path), signer, hashlib.sha256(text).hexdigest(), source)


def unpack(bundle: Bundle, folder: Path) -> list[Path]:
    """Write every wheel into the empty `folder`, each proved against the manifest. Raises InputError, OSError.

    A name is compared with those of the manifest and never used as a path: nothing can be written elsewhere.
    """
    due = {WHEELS + wheel.file: wheel for wheel in bundle.release.wheels}
    written = []
    while (member := read_member(bundle.source, bundle.path)) is not None:
        wheel = due.pop(member.name, None)
        if wheel is None:
            raise InputError(f"{bundle.path}: holds {member.name!r}, which its manifest does not name; {NOT_INSTALLED}")
        if member.size != wheel.bytes:
            raise InputError(f"{bundle.path}: {wheel.file} has {member.size} bytes, due {wheel.bytes}; {FETCH_ANEW}")
        written.append(_write(member, wheel, folder))
    if due:
        raise InputError(f"{bundle.path}: {min(due)} is missing; {FETCH_ANEW}")
    return written


def pack(wheels: list[Path], python: str, machine: str, key: Ed25519PrivateKey, target: Path) -> Release:
    """Write a signed release file; the same wheels and key give the same bytes. Raises InputError, OSError."""
    wheels = sorted(wheels)
    listed = [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in wheels
    ]
    values = {
        "schema": 1,
        "name": DISTRIBUTION,
        "version": version_of(wheels),
        "python": python,
        "machine": machine,
        "wheels": listed,
    }
    text = json.dumps(values, indent=1).encode("ascii") + b"\n"
    release = parse_release(text, target)
    with tarfile.open(target, "x", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, MANIFEST, text)
        _add(archive, SIGNATURE, sign(text, key))
        for path in wheels:
            _add(archive, WHEELS + path.name, path.read_bytes())
    return release


def _expect(source: IO[bytes], where: Path, name: str) -> Member:
    member = read_member(source, where)
    if member is None or member.name != name:
        raise InputError(f"{where}: does not begin with {name}; {NOT_INSTALLED}, this is no release")
    return member


def _write(member: Member, wheel: Wheel, folder: Path) -> Path:
    path, digest = folder / wheel.file, hashlib.sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out:
        for chunk in member.chunks():
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != wheel.sha256:
        raise InputError(f"{member.where}: {wheel.file} is not the one that was signed; {FETCH_ANEW}")
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    archive.addfile(info, io.BytesIO(content))
