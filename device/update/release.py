"""What a release says of itself: `release.json`, signed (Ed25519) as models are, and read only after the signature."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import InputError, one_line
from models.signing import Keys, key_id

DOMAIN = b"focusgate release, Ed25519, 1\n"
DISTRIBUTION = "focusgate"
MAX_WHEELS = 64
MAX_WHEEL_BYTES = 256 << 20  # onnxruntime, the largest of the board's, has 17 MiB
NOT_INSTALLED = "nothing was installed"
_SIGNATURE = re.compile(rb"([0-9a-f]{16}) ([0-9a-f]{128})\n?")
_VERSION = re.compile(r"(\d{1,9}(?:\.\d{1,9}){1,3})(?:(a|b|rc)(\d{1,9}))?")
_FINAL = ("z", 0)  # after a, b and rc

Version = Annotated[str, Field(pattern=rf"^{_VERSION.pattern}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Wheel(_Part):
    """One package, as pip installs it."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+]{0,63}-[A-Za-z0-9][A-Za-z0-9._+!-]{0,95}\.whl$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1, le=MAX_WHEEL_BYTES)


class Release(_Part):
    """One release for one kind of board.

    python   version of the interpreter, as in 3.11
    machine  as `uname -m` has it
    wheels   all packages of the virtual environment, focusgate's own among them
    """

    version_of_schema: Literal[1] = Field(1, alias="schema")
    name: Literal["focusgate"] = "focusgate"
    version: Version
    python: str = Field(pattern=r"^3\.\d{1,2}$")
    machine: str = Field(pattern=r"^[a-z0-9_]{1,20}$")
    wheels: tuple[Wheel, ...] = Field(min_length=1, max_length=MAX_WHEELS)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len({wheel.file.lower() for wheel in self.wheels}) != len(self.wheels):
            raise ValueError("a wheel is named twice")
        own = [wheel.file for wheel in self.wheels if wheel.file.startswith(f"{DISTRIBUTION}-")]
        if len(own) != 1 or own[0].split("-")[1] != self.version:
            raise ValueError(f"must hold one wheel of {DISTRIBUTION} {self.version}, holds {own or 'none'}")
        return self

    @property
    def total_bytes(self) -> int:
        """Of all wheels together."""
        return sum(wheel.bytes for wheel in self.wheels)


def parse_release(text: bytes, where: object) -> Release:
    """What `text` says; to be called only after `verify`. Raises InputError: file, key, what is wrong."""
    try:
        return Release.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "the manifest"
        raise InputError(f"{where}: release.json, {key}: {one_line(first['msg'], 160)}; {NOT_INSTALLED}") from None


def version_of(wheels: Iterable[Path]) -> str:
    """The version of focusgate among these wheels. Raises InputError unless there is just one."""
    own = [path.name for path in wheels if path.name.startswith(f"{DISTRIBUTION}-")]
    if len(own) != 1:
        raise InputError(
            f"{len(own)} wheels of {DISTRIBUTION} here; name a folder with its wheel and all that it needs"
        )
    return own[0].split("-")[1]


def newer(version: str, than: str) -> bool:
    """Whether one version comes after another: 1.10 after 1.9, 2.0 after 2.0rc1. Raises ValueError for no version."""
    return _order(version) > _order(than)


def _order(version: str) -> tuple[tuple[int, ...], tuple[str, int]]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version} is no version")
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and not numbers[-1]:  # 1.0 is 1.0.0
        numbers.pop()
    return tuple(numbers), (found[2], int(found[3])) if found[2] else _FINAL


def sign(text: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of `release.json.sig`: the key's identity and the signature in hexadecimal."""
    return f"{key_id(key.public_key())} {key.sign(_message(text)).hex()}\n".encode("ascii")


def verify(text: bytes, signature: bytes, keys: Keys, where: object) -> str:
    """The identity of the trusted key that signed this very `release.json`. Raises InputError, one line."""
    line = _SIGNATURE.fullmatch(signature)
    if line is None:
        raise InputError(f"{where}: its signature is none; {NOT_INSTALLED}, fetch the release anew")
    identity = line[1].decode("ascii")
    trusted = keys.get(identity)
    if trusted is None:
        raise InputError(f"{where}: signed by key {identity}, which is not trusted; {NOT_INSTALLED}")
    try:
        trusted.key.verify(bytes.fromhex(line[2].decode("ascii")), _message(text))
    except InvalidSignature:
        raise InputError(f"{where}: not what key {identity} signed; {NOT_INSTALLED}, fetch the release anew") from None
    return identity


def _message(text: bytes) -> bytes:
    return DOMAIN + hashlib.sha256(text).digest()
