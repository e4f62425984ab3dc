"""A model is verified before anything parses it; whatever was touched, the gate stays closed and says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import manifest, onnx_classifier, signing
from models.errors import ModelError
from models.manifest import MAX_MANIFEST_BYTES, MAX_MODEL_BYTES, Manifest, read_manifest, read_whole_model
from models.onnx_classifier import load_classifier, read_signed

ENDINGS = (".json", ".onnx", ".json.sig")
SWEPT = 140  # bytes that a sweep changes in a file; a signature file has hardly more


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with a pair of keys."""
    folder = tmp_path / "keys"
    folder.mkdir()
    signing.new_key(folder / "private.key", folder / "public.pem")
    return folder


@pytest.fixture
def signed(tiny: Path, keys: Path) -> Path:
    """The tiny model's manifest, signed."""
    sign_by(signing.load_private_key(keys / "private.key"), tiny)
    return tiny


def sign_by(key: Ed25519PrivateKey, path: Path) -> None:
    content = signing.sign(read_manifest(path), read_whole_model(path.with_suffix(".onnx")), key)
    signing.signature_path(path).write_bytes(content)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was parsed, which must be nothing as long as nothing is verified."""
    seen: list[str] = []

    def parse(*_: object, **__: object) -> None:
        seen.append("parsed")
        raise AssertionError("parsed before it was verified")

    monkeypatch.setattr(manifest, "json", SimpleNamespace(loads=parse))
    monkeypatch.setattr(Manifest, "model_validate_json", parse)
    monkeypatch.setattr("onnxruntime.InferenceSession", parse)
    return seen


def refused(path: Path, keys: Path | None) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ModelError) as caught:
        load_classifier(path, keys_folder=keys)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.with_suffix("")) in message
    return message


def test_what_is_verified_does_reach_the_parsers_so_that_the_tests_below_can_fail(
    signed: Path, keys: Path, parsed: list[str]
) -> None:
    with pytest.raises(AssertionError, match="parsed before"):
        load_classifier(signed, keys_folder=keys)
    assert parsed


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def test_a_signed_model_is_taken_and_its_key_named(signed: Path, keys: Path) -> None:
    assert load_classifier(signed, keys_folder=keys).name == "tiny"
    assert read_signed(signed, keys)[2] in signing.trusted_keys(keys)


def test_the_shipped_model_is_signed_by_a_key_of_the_package() -> None:
    assert load_classifier().name == "focus-s"


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_flipped_byte_gets_as_far_as_a_parser(signed: Path, keys: Path, parsed: list[str], ending: str) -> None:
    path = signed.with_name(signed.stem + ending)
    whole = path.read_bytes()
    places = range(0, len(whole), len(whole) // SWEPT)
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        refused(signed, keys)
    assert not parsed
    assert len(places) >= SWEPT


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.98])
def test_nothing_cut_short_gets_as_far_as_a_parser(
    signed: Path, keys: Path, parsed: list[str], ending: str, kept: float
) -> None:
    path = signed.with_name(signed.stem + ending)
    os.truncate(path, int(kept * path.stat().st_size))
    refused(signed, keys)
    assert not parsed


def test_nothing_too_long_gets_as_far_as_a_parser(signed: Path, keys: Path, parsed: list[str]) -> None:
    os.truncate(signing.signature_path(signed), signing.MAX_SIGNATURE_BYTES + 1)
    assert "not a signature" in refused(signed, keys)
    os.truncate(signed.with_suffix(".onnx"), MAX_MODEL_BYTES + 1)
    assert "has more than 64 MiB" in refused(signed, keys)
    os.truncate(signed, MAX_MANIFEST_BYTES + 1)
    assert "has more than 8 MiB" in refused(signed, keys)
    assert not parsed


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_missing_file_a_link_to_itself_a_folder_and_a_pipe_are_one_line(
    signed: Path, keys: Path, parsed: list[str], ending: str
) -> None:
    path = signed.with_name(signed.stem + ending)
    path.unlink()
    refused(signed, keys)
    path.symlink_to(path)
    refused(signed, keys)
    path.unlink()
    path.mkdir()
    refused(signed, keys)
    path.rmdir()
    os.mkfifo(path)
    assert "not a regular file" in refused(signed, keys)
    assert not parsed


def test_a_link_counts_as_what_it_leads_to(signed: Path, keys: Path, tmp_path: Path) -> None:
    for ending in ENDINGS:
        path = signed.with_name(signed.stem + ending)
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    assert load_classifier(signed, keys_folder=keys).name == "tiny"
    (tmp_path / "tiny.onnx").write_bytes(b"another")
    assert "is not what key" in refused(signed, keys)


def test_files_exchanged_after_they_were_verified_change_nothing(
    signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify_then_exchange(*arguments: Any) -> str:
        identity = signing.verify(*arguments)
        for ending in ENDINGS:
            signed.with_name(signed.stem + ending).write_bytes(b"another")
        return identity

    due = load_classifier(signed, keys_folder=keys).sha256
    monkeypatch.setattr(onnx_classifier, "verify", verify_then_exchange)
    assert load_classifier(signed, keys_folder=keys).sha256 == due
    assert signed.read_bytes() == b"another"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.sampled_from([".json", ".onnx", ".json.sig"]), place=st.floats(0, 1, exclude_max=True))
def test_no_flipped_bit_gets_as_far_as_a_parser(
    signed: Path, keys: Path, parsed: list[str], which: str, place: float
) -> None:
    path = signed.with_name(signed.stem + which)
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, int(place * 8 * (len(whole) - (which == ".json.sig")))))
    try:
        with pytest.raises(ModelError, match="gate stays closed"):
            load_classifier(signed, keys_folder=keys)
    finally:
        path.write_bytes(whole)
    assert not parsed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not signed"),
        (b"", "not a signature"),
        (b"0" * 10_000, "not a signature"),
        (b"0123456789abcdef " + b"0" * 128, "not trusted"),
        ("0123456789abcdéf ".encode() + b"0" * 128, "not a signature"),
    ],
)
def test_without_a_whole_signature_nothing_is_parsed(
    signed: Path, keys: Path, parsed: list[str], content: bytes | None, words: str
) -> None:
    path = signing.signature_path(signed)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        load_classifier(signed, keys_folder=keys)
    assert not parsed


def test_another_key_opens_nothing_even_under_the_trusted_name(signed: Path, keys: Path, parsed: list[str]) -> None:
    path = signing.signature_path(signed)
    trusted = path.read_bytes().split()[0]
    sign_by(Ed25519PrivateKey.generate(), signed)
    assert "not trusted" in refused(signed, keys)
    path.write_bytes(trusted + b" " + path.read_bytes().split()[1] + b"\n")
    assert "is not what key" in refused(signed, keys)
    assert not parsed


def test_a_signature_over_the_same_digests_for_another_purpose_opens_nothing(
    signed: Path, keys: Path, parsed: list[str]
) -> None:
    key = signing.load_private_key(keys / "private.key")
    message = signing.message_of(signed.read_bytes(), signed.with_suffix(".onnx").read_bytes())
    for other in (message.removeprefix(signing.DOMAIN), b"another purpose\n" + message.removeprefix(signing.DOMAIN)):
        line = f"{signing.key_id(key.public_key())} {key.sign(other).hex()}\n"
        signing.signature_path(signed).write_text(line, encoding="ascii")
        assert "is not what key" in refused(signed, keys)
    assert not parsed


def test_two_signed_models_cannot_be_mixed(signed: Path, keys: Path, tiny_bytes: bytes, parsed: list[str]) -> None:
    first = signed.read_bytes(), signing.signature_path(signed).read_bytes()
    signed.with_suffix(".onnx").write_bytes(tiny_bytes + b"\0")
    sign_by(signing.load_private_key(keys / "private.key"), signed)
    signed.write_bytes(first[0])
    signing.signature_path(signed).write_bytes(first[1])
    assert "is not what key" in refused(signed, keys)
    assert not parsed


def test_an_untrusted_key_opens_nothing(signed: Path, parsed: list[str]) -> None:
    with pytest.raises(ModelError, match="not trusted"):
        load_classifier(signed)
    assert not parsed


def test_a_signature_of_one_model_is_none_of_another(signed: Path, keys: Path, parsed: list[str]) -> None:
    shutil.copy(signing.signature_path(signed), signed.with_name("other.json.sig"))
    signed.with_name("other.json").write_bytes(signed.read_bytes() + b"\n")
    shutil.copy(signed.with_suffix(".onnx"), signed.with_name("other.onnx"))
    with pytest.raises(ModelError, match="is not what key"):
        load_classifier(signed.with_name("other.json"), keys_folder=keys)
    assert not parsed


def test_a_manifest_with_another_digest_is_refused_though_signed(edited: Callable[..., Path], keys: Path) -> None:
    path = edited(sha256="0" * 64)
    sign_by(signing.load_private_key(keys / "private.key"), path)
    assert "not the model of its manifest" in refused(path, keys)


def test_a_manifest_that_names_another_file_is_refused_though_signed(signed: Path, keys: Path) -> None:
    for ending in (".json", ".onnx", ".json.sig"):
        shutil.copy(signed.with_name(signed.stem + ending), signed.with_name("copy" + ending))
    with pytest.raises(ModelError, match=r"names tiny\.onnx, due is copy\.onnx"):
        load_classifier(signed.with_name("copy.json"), keys_folder=keys)
