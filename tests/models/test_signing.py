"""A model is verified before anything parses it; whatever was touched, the gate stays closed and says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import onnx_classifier, signing
from models.errors import InputError, ModelError
from models.manifest import read_manifest, read_whole_model
from models.onnx_classifier import load_classifier, read_signed


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
    key = signing.load_private_key(keys / "private.key")
    content = signing.sign(read_manifest(tiny), read_whole_model(tiny.with_suffix(".onnx")), key)
    signing.signature_path(tiny).write_bytes(content)
    return tiny


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was parsed, which must be nothing as long as nothing is verified."""
    seen: list[str] = []

    def parse(*_: object) -> None:
        seen.append("parsed")
        raise AssertionError("parsed before it was verified")

    monkeypatch.setattr(onnx_classifier, "parse_manifest", parse)
    monkeypatch.setattr(onnx_classifier, "_session", parse)
    return seen


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def test_a_signed_model_is_taken_and_its_key_named(signed: Path, keys: Path) -> None:
    assert load_classifier(signed, keys_folder=keys).name == "tiny"
    assert read_signed(signed, keys)[2] in signing.trusted_keys(keys)


def test_the_shipped_model_is_signed_by_a_key_of_the_package() -> None:
    assert load_classifier().name == "focus-s"


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


def test_a_manifest_that_names_another_file_is_refused_though_signed(signed: Path, keys: Path) -> None:
    for ending in (".json", ".onnx", ".json.sig"):
        shutil.copy(signed.with_name(signed.stem + ending), signed.with_name("copy" + ending))
    with pytest.raises(ModelError, match=r"names tiny\.onnx, due is copy\.onnx"):
        load_classifier(signed.with_name("copy.json"), keys_folder=keys)


def test_what_is_no_key_among_the_trusted_ones_is_named(signed: Path, keys: Path, tmp_path: Path) -> None:
    (keys / "broken.pem").write_text("no key", encoding="ascii")
    with pytest.raises(ModelError, match=r"broken\.pem: no public key"):
        load_classifier(signed, keys_folder=keys)
    other = generate_private_key(SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (keys / "broken.pem").write_bytes(other.public_bytes(serialization.Encoding.PEM, form))
    with pytest.raises(ModelError, match="not an Ed25519 key"):
        load_classifier(signed, keys_folder=keys)
    with pytest.raises(ModelError, match="no folder of trusted keys"):
        load_classifier(signed, keys_folder=tmp_path / "none")


def test_a_private_key_is_its_owners_only_and_never_overwritten(keys: Path) -> None:
    private = keys / "private.key"
    assert private.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="File exists"):
        signing.new_key(private, keys / "other.pem")
    private.chmod(0o644)
    with pytest.raises(InputError, match="others may read"):
        signing.load_private_key(private)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_private_key_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "private.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(InputError, match="no private key"):
        signing.load_private_key(path)
    with pytest.raises(InputError, match="No such file"):
        signing.load_private_key(tmp_path / "none")


def test_a_key_has_one_identity() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    assert signing.key_id(key) == "139e3940e64b5491"  # SHA-256 of the public key of RFC 8032's secret of zeros
