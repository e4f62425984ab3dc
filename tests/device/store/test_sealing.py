"""A sealed capture reveals its card and nothing else, is the clinic's alone to open, and otherwise a capture as any."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.store import sealing
from device.store.catalogue import adopt, count_plain, export, read_card, read_listing, read_whole, verify
from device.store.deletion import delete
from device.store.jpeg import decode_record, encode
from device.store.records import CaptureRecord
from device.store.sealing import Card, Recipient, load_opener, load_recipient, new_pair, open_image, take_apart
from device.store.writer import Saved, Store
from models.errors import InputError, StorageError
from models.signing import key_id

PLAIN_MARKS = (b"JFIF", b"Exif", b"adobe", b"focusgate:record", b"\xff\xd8\xff\xe0", b"\xff\xc0\x00\x11", b"p_in_focus")
IN_CLEAR = {
    "schema_version",
    "recipient",
    "capture_id",
    "session_id",
    "sequence",
    "boot_id",
    "exposed_ns",
    "wall_time",
    "wall_synchronised",
    "verdict",
    "override",
    "in_focus",
    "judged_tiles",
    "total",
    "width",
    "height",
}

Make = Callable[..., CaptureRecord]
KeepSealed = Callable[..., list[Saved]]


@pytest.fixture(scope="module")
def clinic() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


@pytest.fixture(scope="module")
def recipient(clinic: X25519PrivateKey) -> Recipient:
    return Recipient(clinic.public_key(), key_id(clinic.public_key()))


@pytest.fixture
def store(folder: Path, recipient: Recipient) -> Iterator[Store]:
    store = Store.open(folder, recipient=recipient)
    yield store
    store.close()


@pytest.fixture
def keep_sealed(folder: Path, recipient: Recipient, rgb: NDArray[np.uint8], make_record: Make) -> KeepSealed:
    def keep(count: int = 1) -> list[Saved]:
        store = Store.open(folder, recipient=recipient)
        try:
            return [store.save(rgb, make_record(sequence=store.next_sequence())) for _ in range(count)]
        finally:
            store.close()

    return keep


@pytest.fixture
def sealed(rgb: NDArray[np.uint8], make_record: Make, recipient: Recipient) -> bytes:
    record = make_record()
    return sealing.seal_image(encode(rgb, record), record, recipient)


def test_what_was_sealed_opens_to_the_very_bytes_with_the_clinics_key(
    rgb: NDArray[np.uint8], make_record: Make, recipient: Recipient, clinic: X25519PrivateKey
) -> None:
    record = make_record()
    jpeg = encode(rgb, record)
    data = sealing.seal_image(jpeg, record, recipient)
    assert open_image(take_apart(data, "x"), clinic, "x") == jpeg
    assert decode_record(jpeg, "x") == record


def test_the_same_image_sealed_twice_shares_no_byte_of_key_or_picture(
    rgb: NDArray[np.uint8], make_record: Make, recipient: Recipient
) -> None:
    record = make_record()
    jpeg = encode(rgb, record)
    first, second = (take_apart(sealing.seal_image(jpeg, record, recipient), "x") for _ in range(2))
    assert first.card == second.card
    assert first.authenticated[-32:] != second.authenticated[-32:]
    assert first.image[:64] != second.image[:64]


def test_a_sealed_file_shows_its_card_and_no_mark_of_a_picture(sealed: bytes) -> None:
    assert [mark for mark in PLAIN_MARKS if mark in sealed] == []
    assert set(Card.model_fields) == IN_CLEAR


def test_no_file_of_a_store_of_sealed_captures_shows_a_mark_of_a_picture(folder: Path, keep_sealed: KeepSealed) -> None:
    saved = keep_sealed(3)
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert saved[0].record.capture_id.encode() in content
    assert [mark for mark in PLAIN_MARKS if mark in content] == []
    assert list(folder.rglob("*.jpg")) == []


@pytest.mark.parametrize("at", ["magic", "lengths", "card", "key", "image", "tag", "digest", "end"])
def test_a_flipped_bit_anywhere_is_one_clear_line(sealed: bytes, at: str) -> None:
    parts = take_apart(sealed, "x")
    before, after = len(parts.authenticated), len(parts.authenticated) + len(parts.image)
    places = {
        "magic": 3,
        "lengths": len(sealing.MAGIC) + 2,
        "card": sealing.CARD_AT + 20,
        "key": before - 5,
        "image": before + 100,
        "tag": after - 1,
        "digest": after + 7,
        "end": len(sealed) - 2,
    }
    data = bytearray(sealed)
    data[places[at]] ^= 1
    with pytest.raises(StorageError, match=r"^x: [^\n]*; [^\n]*$"):
        take_apart(bytes(data), "x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(length=st.floats(0.0, 0.9999))
def test_a_truncated_file_is_one_clear_line(sealed: bytes, length: float) -> None:
    with pytest.raises(StorageError, match=r"^x: [^\n]*$"):
        take_apart(sealed[: int(length * len(sealed))], "x")


@settings(max_examples=60)
@given(junk=st.binary(max_size=300))
def test_any_bytes_behind_the_magic_are_one_clear_line(junk: bytes) -> None:
    with pytest.raises(StorageError, match=r"^x: [^\n]*$"):
        take_apart(sealing.MAGIC + junk, "x")


def test_the_wrong_key_is_told_with_both_identities(sealed: bytes, recipient: Recipient) -> None:
    other = X25519PrivateKey.generate()
    with pytest.raises(InputError, match=f"sealed to key {recipient.identity}, not to {key_id(other.public_key())}"):
        open_image(take_apart(sealed, "x"), other, "x")


@pytest.mark.parametrize("part", ["card", "key", "image"])
def test_whoever_edits_a_capture_and_mends_its_digest_cannot_mend_the_seal(
    sealed: bytes, clinic: X25519PrivateKey, part: str
) -> None:
    body = bytearray(sealed[: -sealing.TRAILER_BYTES])
    start = len(take_apart(sealed, "x").authenticated)
    if part == "card":
        body = bytearray(bytes(body).replace(b'"override":false', b'"override":true ', 1))
    else:
        body[start - 1 if part == "key" else start] ^= 1
    forged = bytes(body) + hashlib.sha256(body).digest() + sealing.END
    with pytest.raises(StorageError, match="seal is broken"):
        open_image(take_apart(forged, "x"), clinic, "x")


def test_a_key_of_small_order_is_refused_and_no_traceback(sealed: bytes, clinic: X25519PrivateKey) -> None:
    body = bytearray(sealed[: -sealing.TRAILER_BYTES])
    end = len(take_apart(sealed, "x").authenticated)
    body[end - 32 : end] = bytes(32)
    forged = bytes(body) + hashlib.sha256(body).digest() + sealing.END
    with pytest.raises(StorageError, match="seal is broken"):
        open_image(take_apart(forged, "x"), clinic, "x")


def test_the_index_holds_the_sha256_of_the_sealed_bytes(folder: Path, keep_sealed: KeepSealed) -> None:
    (saved,) = keep_sealed()
    (entry,) = read_listing(folder).entries
    data = saved.path.read_bytes()
    assert entry.seal == hashlib.sha256(data[: -sealing.TRAILER_BYTES]).hexdigest()
    assert saved.sha256 == hashlib.sha256(data).hexdigest()
    assert (saved.path.suffix, entry.bytes, entry.reason) == (".sealed", len(data), None)


def test_listing_verifying_exporting_and_deleting_need_no_private_key(
    folder: Path, keep_sealed: KeepSealed, tmp_path: Path
) -> None:
    saved = keep_sealed(3)
    listing = read_listing(folder)
    assert [entry.in_focus for entry in listing.entries] == [24, 24, 24]
    assert verify(listing) == []
    assert export(listing, listing.entries, tmp_path / "out") == 3
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".sealed"}
    assert delete(folder, listing.entries[:1]) == 1
    assert not saved[0].path.exists()
    assert len(read_listing(folder).entries) == 2


def test_verify_finds_one_flipped_bit(folder: Path, keep_sealed: KeepSealed) -> None:
    (saved,) = keep_sealed()
    data = bytearray(saved.path.read_bytes())
    data[len(data) // 2] ^= 8
    saved.path.write_bytes(data)
    (problem,) = verify(read_listing(folder))
    assert "checksum" in problem


@pytest.mark.parametrize("lost", [2, 40])
def test_a_lost_index_is_rebuilt_from_sealed_captures(folder: Path, keep_sealed: KeepSealed, lost: int) -> None:
    saved = keep_sealed(lost)  # few are read whole, many at a glance
    before = read_listing(folder).entries
    (folder / "index.sqlite").unlink()
    store = Store.open(folder)
    try:
        assert store.repair.adopted == lost
        assert store.listing().entries == before
        assert store.next_sequence() == lost + 1
    finally:
        store.close()
    assert [entry.capture_id for entry in before] == [one.record.capture_id for one in saved]


def test_a_sealed_file_that_was_cut_off_is_found_at_a_glance(folder: Path, keep_sealed: KeepSealed) -> None:
    saved = keep_sealed(40)
    data = saved[5].path.read_bytes()
    saved[5].path.write_bytes(data[:-9] + bytes(9))
    saved[6].path.write_bytes(data[: len(data) // 2])
    entries, damaged = adopt(folder, [one.record.capture_id for one in saved])
    assert (len(entries), len(damaged)) == (38, 2)


def test_a_sealed_capture_under_another_name_is_not_adopted(folder: Path, keep_sealed: KeepSealed) -> None:
    (saved,) = keep_sealed()
    other = saved.path.with_name(f"{saved.path.name[:2]}{'0' * 30}.sealed")
    saved.path.rename(other)
    assert adopt(folder, [other.stem])[1][0].count("somebody renamed it") == 1


def test_a_sealed_record_is_told_to_be_sealed(keep_sealed: KeepSealed, recipient: Recipient) -> None:
    (saved,) = keep_sealed()
    with pytest.raises(InputError, match=f"sealed to key {recipient.identity}; .*seal open"):
        read_whole(saved.path)
    assert read_card(saved.path) == Card.of(saved.record, recipient.identity)


def test_captures_from_before_sealing_are_counted(
    folder: Path, keep: Callable[..., list[Saved]], keep_sealed: KeepSealed
) -> None:
    keep(2)
    keep_sealed(1)
    assert count_plain(folder) == 2
    assert verify(read_listing(folder)) == []


def test_what_waits_in_memory_is_sealed_already(store: Store, rgb: NDArray[np.uint8], make_record: Make) -> None:
    assert sealing.is_sealed(store.encode(rgb, make_record()))


def test_keys_are_written_for_their_owner_alone_and_read_again(tmp_path: Path) -> None:
    private, public = tmp_path / "keys" / "a.pem", tmp_path / "keys" / "b.pem"
    identity = new_pair(private, public)
    assert private.stat().st_mode & 0o777 == 0o600
    assert load_recipient(public).identity == identity == key_id(load_opener(private).public_key())


def test_a_key_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(InputError, match="no X25519 key, which sealing needs"):
        load_recipient(public)
    with pytest.raises(InputError, match="no X25519 key, which opening needs"):
        load_opener(private)
    with pytest.raises(InputError, match="no public key in PEM form"):
        load_recipient(private)
    with pytest.raises(InputError, match="cannot read the private key"):
        load_opener(tmp_path / "absent.pem")
