"""Captures that only the clinic can open: sealed to its public key, so that a stolen device reveals no image.

Each capture has a key of its own: X25519 (RFC 7748) between a key made for this capture alone and the clinic's, HKDF
with SHA-256 (RFC 5869), ChaCha20-Poly1305 (RFC 8439). The private half of the capture's key is forgotten at once: the
device itself cannot open what it saved. Whoever has the public key can seal, so a seal proves no origin.

    MAGIC · bytes of card (4) · bytes of the sealed image (8) · card · key of this capture (32) · sealed image and tag
    · SHA-256 of all before (32) · END

The card stands in clear, because listing, space, order and examinations need it, and it is authenticated with the
image. It holds what `Card` says and nothing else: no tile map, no picture, no thumbnail, no words. Numbers are
big-endian. The digest lets everybody check a capture for damage without any key; it protects against nobody's intent.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from device.store.index import Entry
from device.store.records import CaptureId, CaptureRecord, Count, Line, Size
from models.errors import InputError, StorageError
from models.signing import key_id, read_private, read_public, write_pair
from models.verdict import VerdictKind

MAGIC = b"focusgate sealed 1\n"
END = b"sealed.\n"
DOMAIN = b"focusgate capture, X25519, HKDF-SHA256, ChaCha20-Poly1305, 1"
KEY_BYTES, TAG_BYTES, DIGEST_BYTES = 32, 16, 32
NONCE = bytes(12)  # each key encrypts one image, so that no nonce is ever used twice
MAX_CARD_BYTES = 4096
MAX_IMAGE_BYTES = 256 << 20  # far above any image; keeps a damaged length from filling the memory
TRAILER_BYTES = DIGEST_BYTES + len(END)
_LENGTHS = struct.Struct(">IQ")
CARD_AT = len(MAGIC) + _LENGTHS.size
HEAD_BYTES = CARD_AT + MAX_CARD_BYTES
MAKE_ANEW = "make a pair with: focusgate seal keygen"


class Card(BaseModel):
    """All that a sealed capture tells without its key: which, when, in which examination, with which score."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    recipient: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    capture_id: CaptureId
    session_id: CaptureId | None
    sequence: Count
    boot_id: Line
    exposed_ns: Count
    wall_time: AwareDatetime
    wall_synchronised: bool
    verdict: VerdictKind | None
    override: bool
    in_focus: Count | None
    judged_tiles: Count | None
    total: Count | None
    width: Size
    height: Size

    @classmethod
    def of(cls, record: CaptureRecord, recipient: str) -> Self:
        """The card of a capture that is sealed to the key with this identity."""
        evidence = record.evidence
        return cls(
            recipient=recipient,
            capture_id=record.capture_id,
            session_id=record.session_id,
            sequence=record.sequence,
            boot_id=record.boot_id,
            exposed_ns=record.exposed_ns,
            wall_time=record.wall_time,
            wall_synchronised=record.wall_synchronised,
            verdict=record.verdict,
            override=record.override,
            in_focus=evidence.in_focus if evidence else None,
            judged_tiles=evidence.judged_tiles if evidence else None,
            total=evidence.total if evidence else None,
            width=record.width,
            height=record.height,
        )

    def entry(self, size: int, seal: str) -> Entry:
        """The row of the index, of a file of `size` bytes with this digest."""
        values = self.model_dump(exclude={"schema_version", "recipient", "wall_time"})
        when = self.wall_time.astimezone(UTC).isoformat(timespec="milliseconds")
        return Entry(**values, wall_time=when, reason=None, bytes=size, seal=seal)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom captures are sealed to."""

    key: X25519PublicKey
    identity: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed file, taken apart; its digest is right, its image not opened."""

    card: Card
    authenticated: bytes  # all before the sealed image
    image: bytes
    seal: str  # SHA-256 of the sealed bytes, in hexadecimal


def new_pair(private: Path, public: Path) -> str:
    """Write a new pair of keys as `models.signing.write_pair` does; returns its identity. Raises InputError."""
    return write_pair(X25519PrivateKey.generate(), private, public)


def load_recipient(path: Path) -> Recipient:
    """The public key (PEM) to seal to. Raises InputError, one line."""
    key = read_public(path)
    if not isinstance(key, X25519PublicKey):
        raise InputError(f"{path}: no X25519 key, which sealing needs; {MAKE_ANEW}")
    return Recipient(key, key_id(key))


def load_opener(path: Path) -> X25519PrivateKey:
    """The private key (PEM) that opens captures. Raises InputError, one line."""
    key = read_private(path)
    if not isinstance(key, X25519PrivateKey):
        raise InputError(f"{path}: no X25519 key, which opening needs; {MAKE_ANEW}")
    return key


def is_sealed(head: bytes) -> bool:
    """True if a file that begins so is a sealed capture."""
    return head.startswith(MAGIC)


def seal_image(jpeg: bytes, record: CaptureRecord, recipient: Recipient) -> bytes:
    """The sealed file of a capture: `jpeg` is what `device.store.jpeg.encode` made of this record."""
    card = Card.of(record, recipient.identity).model_dump_json().encode("utf-8")
    own = X25519PrivateKey.generate()
    lengths = _LENGTHS.pack(len(card), len(jpeg) + TAG_BYTES)
    before = b"".join((MAGIC, lengths, card, _raw(own.public_key())))
    key = _key(own.exchange(recipient.key), own.public_key(), recipient.key)
    sealed = ChaCha20Poly1305(key).encrypt(NONCE, jpeg, before)
    digest = hashlib.sha256(before)
    digest.update(sealed)
    return b"".join((before, sealed, digest.digest(), END))


def take_apart(data: bytes, where: object) -> Sealed:
    """The parts of a sealed file. Raises StorageError unless every byte is as it was written."""
    card, seal = glance(data[:HEAD_BYTES], data[-TRAILER_BYTES:], len(data), where)
    body = memoryview(data)[:-TRAILER_BYTES]
    if hashlib.sha256(body).hexdigest() != seal:
        raise StorageError(f"{where}: damaged, its checksum does not match; restore it from an export")
    card_bytes, image_bytes = _LENGTHS.unpack_from(data, len(MAGIC))
    start = CARD_AT + card_bytes + KEY_BYTES
    return Sealed(card, bytes(body[:start]), bytes(body[start : start + image_bytes]), seal)


def glance(head: bytes, tail: bytes, size: int, where: object) -> tuple[Card, str]:
    """Card and digest of a sealed file, by its first HEAD_BYTES, its last TRAILER_BYTES, and its size.

    Finds a file that was cut off, or never filled to its end; damage in the middle is `take_apart`'s to find.
    Raises StorageError.
    """
    if not is_sealed(head) or len(head) < CARD_AT:
        raise StorageError(f"{where}: no sealed capture, or cut off; it is left alone and not listed")
    card_bytes, image_bytes = _LENGTHS.unpack_from(head, len(MAGIC))
    if not 0 < card_bytes <= MAX_CARD_BYTES or not TAG_BYTES <= image_bytes <= MAX_IMAGE_BYTES:
        raise StorageError(f"{where}: damaged, its lengths are impossible; restore it from an export")
    if size != CARD_AT + card_bytes + KEY_BYTES + image_bytes + TRAILER_BYTES or not tail.endswith(END):
        raise StorageError(f"{where}: cut off, it has no end; restore it from an export")
    try:
        card = Card.model_validate_json(head[CARD_AT : CARD_AT + card_bytes])
    except ValidationError:
        raise StorageError(f"{where}: its card is not of this version of focusgate; update focusgate") from None
    return card, tail[:DIGEST_BYTES].hex()


def open_image(sealed: Sealed, key: X25519PrivateKey, where: object) -> bytes:
    """The JPEG file inside. Raises InputError for another clinic's capture, StorageError if it was tampered with."""
    mine = key_id(key.public_key())
    if sealed.card.recipient != mine:
        raise InputError(f"{where}: sealed to key {sealed.card.recipient}, not to {mine}; take its clinic's key")
    own = X25519PublicKey.from_public_bytes(sealed.authenticated[-KEY_BYTES:])
    try:
        secret = key.exchange(own)
        return ChaCha20Poly1305(_key(secret, own, key.public_key())).decrypt(NONCE, sealed.image, sealed.authenticated)
    except (InvalidTag, ValueError):  # ValueError: a point of small order, which no honest device makes
        raise StorageError(f"{where}: the seal is broken, somebody changed it; restore it from an export") from None


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _key(secret: bytes, own: X25519PublicKey, recipient: X25519PublicKey) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=_raw(own) + _raw(recipient), info=DOMAIN).derive(secret)
