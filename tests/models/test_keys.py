"""Keys: where private ones may lie and who may read them; what is no key is named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models import signing
from models.errors import InputError, ModelError


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with a pair of keys."""
    signing.new_key(tmp_path / "keys" / "private.key", tmp_path / "keys" / "public.pem")
    return tmp_path / "keys"


def test_what_is_no_key_among_the_trusted_ones_is_named(keys: Path, tmp_path: Path) -> None:
    (keys / "broken.pem").write_text("no key", encoding="ascii")
    with pytest.raises(ModelError, match=r"broken\.pem: no public key"):
        signing.trusted_keys(keys)
    other = generate_private_key(SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (keys / "broken.pem").write_bytes(other.public_bytes(serialization.Encoding.PEM, form))
    with pytest.raises(ModelError, match="not an Ed25519 key"):
        signing.trusted_keys(keys)
    (keys / "broken.pem").write_bytes((keys / "public.pem").read_bytes() + bytes(signing.MAX_KEY_BYTES))
    with pytest.raises(ModelError, match="more than 4096 bytes"):
        signing.trusted_keys(keys)
    with pytest.raises(ModelError, match="no folder of trusted keys"):
        signing.trusted_keys(tmp_path / "none")


def test_a_private_key_is_its_owners_only_and_never_overwritten(keys: Path) -> None:
    private = keys / "private.key"
    assert private.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="File exists"):
        signing.new_key(private, keys / "other.pem")
    with pytest.raises(InputError, match="File exists"):
        signing.new_key(keys / "other.key", keys / "public.pem")
    assert not (keys / "other.key").exists()
    private.chmod(0o644)
    with pytest.raises(InputError, match="others may read"):
        signing.load_private_key(private)


@pytest.mark.parametrize("mark", ["file", "folder"])
def test_no_private_key_is_made_inside_a_repository_or_beside_the_packages(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / "keys").mkdir(parents=True)
    (repository / ".git").touch() if mark == "file" else (repository / ".git").mkdir()  # a worktree has a file
    (tmp_path / "link").symlink_to(repository / "keys")
    monkeypatch.setattr(signing, "PACKAGES", tmp_path / "site-packages")
    beside = tmp_path / "site-packages" / "models" / "keys"
    for folder in (repository, repository / "keys" / "new", tmp_path / "link", beside):
        with pytest.raises(InputError, match="does not belong"):
            signing.new_key(folder / "private.pem", folder / "public.pem")
    assert not list(repository.rglob("*.pem"))
    assert not beside.exists()


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
