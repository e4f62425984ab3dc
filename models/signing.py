"""Signatures of model and manifest (Ed25519, RFC 8032), verified before anything parses either.

Beside `NAME.json` and `NAME.onnx` lies `NAME.json.sig`: one line of ASCII, the key's identity and the signature in
hexadecimal. What is signed is DOMAIN with the SHA-256 of both files, so that a manifest cannot be paired with another
model, nor a signature of something else be used. Trusted public keys are the package's own (`models/trust/*.pem`) and
those of a folder that only the administrator may write to. docs/decisions/0004-signatures.md says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from models.errors import InputError, ModelError, one_line
from models.manifest import read_bounded

DOMAIN = b"focusgate model, Ed25519, 1\n"
SUFFIX = ".sig"
ID_DIGITS = 16
MAX_SIGNATURE_BYTES = 256
MAX_KEY_BYTES = 4096
_LINE = re.compile(rb"([0-9a-f]{16}) ([0-9a-f]{128})\n?")

PACKAGES = Path(str(files("models"))).parent
"""The folder with the packages: a checkout, or where Python installs to."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key and the file that makes it trusted."""

    key: Ed25519PublicKey
    path: Path


Keys = Mapping[str, TrustedKey]


def key_id(key: Ed25519PublicKey | X25519PublicKey) -> str:
    """The first ID_DIGITS hexadecimal digits of the SHA-256 of the raw public key."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:ID_DIGITS]


def trusted_keys(folder: Path | None = None) -> Keys:
    """The package's keys, and those in `folder` (*.pem), by their identity. Raises ModelError for what is no key."""
    paths = sorted((PACKAGES / "models" / "trust").glob("*.pem"))
    if folder is not None:
        if not folder.is_dir():
            raise ModelError(f"{folder}: no folder of trusted keys; make it, or take model.trusted_keys out")
        paths += sorted(folder.glob("*.pem"))
    trusted = [TrustedKey(_public_key(path), path) for path in paths]
    return {key_id(entry.key): entry for entry in trusted}


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = read_public(path)
    except InputError as error:
        raise ModelError(str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ModelError(f"{path}: not an Ed25519 key; make one with: focusgate model keygen")
    return key


def read_public(path: Path) -> PublicKeyTypes:
    """A public key of any kind (PEM). Raises InputError if it is none."""
    try:
        return serialization.load_pem_public_key(_key_bytes(path))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"{path}: no public key in PEM form ({one_line(error, 60)}); take it away or mend it"
        ) from None


def _key_bytes(path: Path) -> bytes:
    content = read_bounded(path, MAX_KEY_BYTES)
    if len(content) > MAX_KEY_BYTES:
        raise ValueError(f"more than {MAX_KEY_BYTES} bytes")
    return content


def signature_path(manifest: Path) -> Path:
    """Where the signature of `manifest` lies: beside it."""
    return manifest.with_name(manifest.name + SUFFIX)


def message_of(manifest: bytes, model: bytes) -> bytes:
    """What is signed."""
    return DOMAIN + hashlib.sha256(manifest).digest() + hashlib.sha256(model).digest()


def verify(manifest: bytes, model: bytes, path: Path, keys: Keys) -> str:
    """The identity of the trusted key that signed these very bytes, by the signature beside `path`, the manifest.

    Raises ModelError, one line, if there is no signature, it is not whole, its key is not trusted, or the bytes are
    not those that were signed.
    """
    signature = signature_path(path)
    try:
        line = _LINE.fullmatch(read_bounded(signature, MAX_SIGNATURE_BYTES))
    except FileNotFoundError:
        raise ModelError(
            f"{path}: the model is not signed; gate stays closed, sign it with: focusgate model sign"
        ) from None
    except OSError as error:
        raise ModelError(f"{signature}: cannot be read ({error.strerror}); gate stays closed") from None
    if line is None:
        raise ModelError(f"{signature}: not a signature; gate stays closed, install the model anew")
    identity = line[1].decode("ascii")
    trusted = keys.get(identity)
    if trusted is None:
        raise ModelError(
            f"{signature}: signed by key {identity}, which is not trusted; gate stays closed, install the model anew "
            "or put that public key among the trusted ones (model.trusted_keys)"
        )
    try:
        trusted.key.verify(bytes.fromhex(line[2].decode("ascii")), message_of(manifest, model))
    except InvalidSignature:
        raise ModelError(
            f"{path}: model or manifest is not what key {identity} signed; gate stays closed, install the model anew "
            "or, if it is your own, sign it anew"
        ) from None
    return identity


def sign(manifest: bytes, model: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of the signature file."""
    signature = key.sign(message_of(manifest, model))
    return f"{key_id(key.public_key())} {signature.hex()}\n".encode("ascii")


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """A private key that signs. Raises InputError as `read_private`, and if it is of another kind."""
    key = read_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: not an Ed25519 key; make one with: focusgate model keygen")
    return key


def read_private(path: Path) -> PrivateKeyTypes:
    """A private key of any kind (PEM, PKCS 8, not encrypted). Raises InputError if it is none or others may read it."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise InputError(f"{path}: others may read this private key; run: chmod 600 {path}")
        return serialization.load_pem_private_key(_key_bytes(path), None)
    except OSError as error:
        raise InputError(f"{path}: cannot read the private key ({error.strerror}); name an existing one") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path}: no private key in PEM form ({one_line(error, 60)})") from None


def new_key(private: Path, public: Path) -> str:
    """Write a new pair of keys that sign; returns its identity. Raises InputError as `write_pair`."""
    return write_pair(Ed25519PrivateKey.generate(), private, public)


def write_pair(key: Ed25519PrivateKey | X25519PrivateKey, private: Path, public: Path) -> str:
    """Write a pair of keys, the private one readable by its owner only, and its folder; returns its identity.

    Raises InputError if either file is there already or cannot be written, and for a folder in which a private key
    would sooner or later be published: a repository's, or the one with these packages. No key is left then.
    """
    folder = private.resolve().parent
    in_repository = any((above / ".git").exists() for above in (folder, *folder.parents))
    if in_repository or folder.is_relative_to(PACKAGES.resolve()):
        raise InputError(f"{folder}: a private key does not belong into a repository or package; name another folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make this folder ({error.strerror}); name another") from None
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    known = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with contextlib.ExitStack() as undo:
        for path, content, mode in ((private, secret, 0o600), (public, known, 0o644)):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                undo.callback(path.unlink, missing_ok=True)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
            except OSError as error:
                raise InputError(f"{path}: cannot write the key ({error.strerror}); name a new file") from None
        undo.pop_all()
    return key_id(key.public_key())
