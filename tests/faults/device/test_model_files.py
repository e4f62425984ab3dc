"""Models, manifests and signatures that are damaged, cut, mixed or forged: none is taken, each refusal is one line."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import ModelError
from models.onnx_classifier import load_classifier, shipped_manifest
from models.signing import load_private_key, new_key, sign, signature_path

MUTATIONS, MUTATIONS_IN_FULL = 600, 10_000
FORGERIES, FORGERIES_IN_FULL = 100, 1_000
LONGEST_MESSAGE = 600


def flipped_bits(data: bytes, other: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.choice((0, 1, chance.randrange(len(data)), len(data) - 1))]


def inserted(data: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.choice((0, len(data), chance.randrange(len(data) + 1)))
    return data[:at] + chance.randbytes(chance.choice((1, 2, 4096))) + data[at:]


def removed(data: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 2, 64)) :]


def swapped_parts(data: bytes, other: bytes, chance: random.Random) -> bytes:
    first, second, third = sorted(chance.sample(range(len(data) + 1), 3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def zeroed_sector(data: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data)) // 512 * 512
    return data[:at] + bytes(len(data[at : at + 512])) + data[at + 512 :]


def anothers(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return other


def tail_of_another(data: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(min(len(data), len(other)))
    return data[:at] + other[at:]


def repeated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data + data


MUTATORS = (flipped_bits, cut, inserted, removed, swapped_parts, zeroed_sector, anothers, tail_of_another, repeated)


@pytest.fixture
def pairs(tmp_path: Path, tiny: Path) -> tuple[Path, Path, Path]:
    """Two manifests, each with its model and a signature that holds, and the folder of the key that is trusted."""
    secret, keys = tmp_path / "secret" / "private.pem", tmp_path / "keys"
    keys.mkdir()
    new_key(secret, keys / "clinic.pem")
    key = load_private_key(secret)
    first, second = tmp_path / "first" / "m.json", tmp_path / "second" / "m.json"
    for path, name in ((first, "tiny"), (second, "other")):
        path.parent.mkdir()
        values = json.loads(tiny.read_text(encoding="utf-8")) | {"name": name, "file": "m.onnx"}
        values |= {"threshold": 0.5 if name == "tiny" else 0.25}
        path.write_text(json.dumps(values), encoding="utf-8")
        shutil.copy(tiny.with_name("tiny.onnx"), path.with_suffix(".onnx"))
        content = path.with_suffix(".onnx").read_bytes()
        signature_path(path).write_bytes(sign(path.read_bytes(), content, key))
    return first, second, keys


def refusal(manifest: Path, keys: Path | None) -> str | None:
    """The line with which the model is refused; None if it is taken."""
    try:
        load_classifier(manifest, keys_folder=keys)
    except ModelError as error:
        return str(error)
    return None


def test_no_mutated_file_of_a_signed_model_is_taken(
    tmp_path: Path,
    pairs: tuple[Path, Path, Path],
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    *,
    full: bool,
) -> None:
    first, second, keys = pairs
    assert refusal(first, keys) is None
    assert refusal(second, keys) is None
    shipped = tmp_path / "shipped" / shipped_manifest().name
    shipped.parent.mkdir()
    for each in (shipped_manifest(), shipped_manifest().with_suffix(".onnx"), signature_path(shipped_manifest())):
        shutil.copy(each, shipped.parent / each.name)
    assert refusal(shipped, None) is None

    mutations, chance = MUTATIONS_IN_FULL if full else MUTATIONS, random.Random(1)
    taken, unchanged, long, kinds = [], 0, [], Counter[str]()
    for number in range(mutations):
        manifest, trusted, other = chance.choice(((first, keys, second), (second, keys, first), (shipped, None, first)))
        path = chance.choice((manifest, manifest.with_suffix(".onnx"), signature_path(manifest)))
        mutate = MUTATORS[number % len(MUTATORS)]
        whole = path.read_bytes()
        changed = mutate(
            whole, other.parent.joinpath(path.name.replace(manifest.stem, other.stem)).read_bytes(), chance
        )
        while changed.rstrip(b"\n") == whole.rstrip(b"\n"):  # a model that both share; a line end is no signature
            unchanged += 1
            changed = flipped_bits(whole, b"", chance)
        path.write_bytes(changed)
        message = refusal(manifest, trusted)
        path.write_bytes(whole)
        kinds[f"{mutate.__name__} {path.suffix}"] += 1
        if message is None:
            taken.append(f"{mutate.__name__} of {path.name}")
        elif "\n" in message or len(message) > LONGEST_MESSAGE or str(manifest.parent) not in message:
            long.append(message)
        so_far((number + 1) / mutations)
    promise(
        "model: mutated model, manifest and signature files", mutations, f"{len(taken)} accepted", "0", met=not taken
    )
    assert (taken, long) == ([], [])
    assert len(kinds) == 3 * len(MUTATORS)
    assert unchanged < mutations / 4
    assert refusal(first, keys) is None
    assert refusal(shipped, None) is None


def test_a_signature_by_a_key_that_is_not_trusted_is_not_taken(
    tmp_path: Path, pairs: tuple[Path, Path, Path], promise: Callable[..., None], *, full: bool
) -> None:
    first, second, keys = pairs
    new_key(tmp_path / "foreign" / "private.pem", tmp_path / "foreign" / "public.pem")
    foreign = load_private_key(tmp_path / "foreign" / "private.pem")
    forgeries, chance, taken = FORGERIES_IN_FULL if full else FORGERIES, random.Random(2), 0
    honest = signature_path(first).read_bytes()
    for number in range(forgeries):
        content, text = first.with_suffix(".onnx").read_bytes(), first.read_bytes()
        forged = sign(text, content, foreign)
        signature = (
            forged,
            honest[:17] + forged[17:],  # with the name of the trusted key
            honest[:17] + chance.randbytes(64).hex().encode() + b"\n",
            signature_path(second).read_bytes(),
        )[number % 4]
        signature_path(first).write_bytes(signature)
        message = refusal(first, keys)
        taken += message is None
    promise("model: forged and foreign signatures", forgeries, f"{taken} accepted", "0", met=taken == 0)
    assert taken == 0
