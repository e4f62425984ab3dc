"""Profiles as files: read with limits, their signature checked over the very bytes that are parsed, and compared.

`profile.json` is a link to the newest of `profile.0001.json`, `profile.0002.json`, …; beside each lies its signature
(`.json.sig`), in the form of `models.signing` with a domain of its own. Replacing the link replaces both at once, and
what was before is still there. A plain file with a signature beside it is as good.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from calibration.profile import WHAT_TO_DO, Profile, parse_profile, read_bytes
from models.errors import InputError
from models.manifest import read_bounded
from models.signing import MAX_SIGNATURE_BYTES, key_id, read_public, signature_path

DOMAIN = b"focusgate profile, Ed25519, 1\n"
_LINE = re.compile(rb"([0-9a-f]{16}) ([0-9a-f]{128})\n?")

Unsigned = Literal["warn", "refuse"]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signature counts, and what becomes of a profile that has none."""

    key: Path | None = None
    unsigned: Unsigned = "warn"


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A profile as it was read. `signed_by`: the key that was verified; None: nobody vouches for it."""

    profile: Profile
    path: Path
    signed_by: str | None


def read_profile(path: Path, trust: Trust) -> ProfileFile:
    """The profile in `path`, if it may be used. Raises InputError, one line, if it may not.

    With a trusted key: a signature that is there must be of that key and of these bytes. Without one none can be
    verified, and every profile counts as unsigned. An unsigned one is refused where `trust.unsigned` says so.
    """
    content = read_bytes(path)
    signed_by = None
    if trust.key is not None:
        signed_by = _verified(content, path, _public(trust.key))
    if signed_by is None and trust.unsigned == "refuse":
        raise InputError(f"{path}: the profile is not signed by a trusted key; {WHAT_TO_DO} (profile.trusted_key)")
    return ProfileFile(parse_profile(content, path), path, signed_by)


def encode_profile(profile: Profile) -> bytes:
    """The file of a profile: JSON for people, two spaces deep; what was not measured is left out."""
    return (profile.model_dump_json(by_alias=True, indent=2, exclude_none=True) + "\n").encode()


def sign_profile(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of the signature file beside a profile of these bytes."""
    return f"{key_id(key.public_key())} {key.sign(_message(content)).hex()}\n".encode("ascii")


def differences(before: Profile, after: Profile) -> Iterator[tuple[str, str, str]]:
    """Every value that is not the same: dotted key, before, after; "-" where there is none."""
    old, new = (dict(_flat(profile.model_dump(mode="json", by_alias=True))) for profile in (before, after))
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key, "-"), new.get(key, "-")
        if left != right:
            yield key, left, right


def facts(profile: Profile) -> Iterator[tuple[str, str]]:
    """Every value of a profile as (dotted key, text)."""
    yield from _flat(profile.model_dump(mode="json", by_alias=True, exclude_none=True))


def expiry_line(profile: Profile, now: datetime) -> str:
    """How long it still holds, in words."""
    if profile.expires_at is None:
        return "does not expire"
    days = (profile.expires_at - now).days
    return f"expires on {profile.expires_at.date().isoformat()}, in {days} days" if days >= 0 else "expired"


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}[{index}]")
    elif value is not None:
        yield prefix, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def _message(content: bytes) -> bytes:
    return DOMAIN + hashlib.sha256(content).digest()


def _public(path: Path) -> Ed25519PublicKey:
    key = read_public(path)
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: not an Ed25519 key; make one with: focusgate model keygen")
    return key


def _verified(content: bytes, path: Path, key: Ed25519PublicKey) -> str | None:
    """The identity of `key` if it signed `content`; None if nobody signed it. Raises InputError for anything else."""
    signature = signature_path(path.resolve())
    try:
        line = _LINE.fullmatch(read_bounded(signature, MAX_SIGNATURE_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{signature}: cannot be read ({error.strerror}); {WHAT_TO_DO}") from None
    if line is None:
        raise InputError(f"{signature}: not a signature; {WHAT_TO_DO}")
    identity, trusted = line[1].decode("ascii"), key_id(key)
    if identity != trusted:
        raise InputError(f"{signature}: signed by key {identity}, trusted is {trusted}; {WHAT_TO_DO}")
    try:
        key.verify(bytes.fromhex(line[2].decode("ascii")), _message(content))
    except InvalidSignature:
        raise InputError(f"{path}: the profile is not what key {identity} signed; {WHAT_TO_DO}") from None
    return identity
