"""Anything wrong with a manifest or a model file is one line, and nothing is parsed before its hash is right."""

from __future__ import annotations

import base64
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ExitCode, ModelError
from models.manifest import Golden, Manifest, load_manifest, read_model

FLIPS = 300


def refused(path: Path) -> str:
    """The one line with which the manifest is refused."""
    with pytest.raises(ModelError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.exit_code is ExitCode.MODEL
    return message


def test_a_whole_manifest_is_read(tiny: Path) -> None:
    manifest = load_manifest(tiny)
    assert (manifest.name, manifest.tile_px, manifest.edges_px) == ("tiny", 32, (0.75, 1.5, 2.5, 4.0, 6.0))
    assert read_model(manifest, tiny.parent) == (tiny.parent / "tiny.onnx").read_bytes()


def test_a_manifest_survives_being_written_and_read(tiny: Path) -> None:
    manifest = load_manifest(tiny)
    tiny.write_text(manifest.model_dump_json(by_alias=True), encoding="utf-8")
    assert load_manifest(tiny) == manifest


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.json")


def test_a_folder_is_not_a_manifest(tmp_path: Path) -> None:
    assert "cannot read" in refused(tmp_path)


@pytest.mark.parametrize("text", ["", "not json", "[]", "null", "{", '"a"', "{}", "\x00", '{"schema": 1}'])
def test_what_is_not_a_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    refused(path)


def test_a_manifest_cut_anywhere_is_refused(tiny: Path) -> None:
    whole = tiny.read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 50)):
        tiny.write_bytes(whole[:length])
        refused(tiny)


def test_an_unknown_key_is_named(edited: Callable[..., Path]) -> None:
    assert "treshold" in refused(edited(treshold=0.5))


@pytest.mark.parametrize(
    "key", ["schema", "name", "sha256", "edges_px", "input", "threshold", "golden", "sources", "opset"]
)
def test_a_missing_key_is_named(edited: Callable[..., Path], key: str) -> None:
    assert key in refused(edited(**{key: None}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("schema", "1"),
        ("name", "../up"),
        ("name", ""),
        ("version", ""),
        ("file", "../tiny.onnx"),
        ("file", "/etc/passwd"),
        ("file", "sub/tiny.onnx"),
        ("file", "tiny.txt"),
        ("sha256", "abc"),
        ("sha256", "G" * 64),
        ("tile_px", 0),
        ("tile_px", -128),
        ("tile_px", 128.5),
        ("tile_px", "128"),
        ("tile_px", True),
        ("edges_px", []),
        ("edges_px", [1.0]),
        ("edges_px", [1.0, 1.0]),
        ("edges_px", [2.0, 1.0]),
        ("edges_px", [-1.0, 1.0]),
        ("criterion_px", 0.0),
        ("criterion_px", -1.0),
        ("threshold", 0.0),
        ("threshold", 1.0),
        ("threshold", -0.1),
        ("threshold", 90),
        ("threshold", "0.5"),
        ("min_detectable", 1.1),
        ("dark_luma", -1.0),
        ("dark_luma", 256.0),
        ("glare_share", 2.0),
        ("outputs", ["cumulative"]),
        ("outputs", ["detectable", "cumulative", "mean_luma", "saturated"]),
        ("golden", []),
        ("sources", [{"name": "x"}]),
        ("opset", 3),
        ("input", {"name": "luma", "dtype": "float32", "layout": "HW", "range": [0, 255], "colour": "x"}),
    ],
)
def test_a_bad_value_is_refused_by_name(edited: Callable[..., Path], key: str, value: object) -> None:
    assert key in refused(edited(**{key: value}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"metrics": {"auc": NaN}}', "NaN"),
        ('{"threshold": NaN}', "NaN"),
        ('{"criterion_px": Infinity}', "Infinity"),
        ('{"metrics": {"auc": -Infinity}}', "Infinity"),
        ('{"threshold": 0.5, "threshold": 0.1}', "twice"),
        ("[" * 100_000, "model manifest"),
    ],
)
def test_json_that_says_two_things_or_nothing_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    assert message in refused(path)


@pytest.mark.parametrize("key", ["tolerance", "width", "height"])
@pytest.mark.parametrize("value", [0, -1, 1e9])
def test_a_bad_golden_vector_is_refused(tiny: Path, key: str, value: float) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    values["golden"][0][key] = value
    tiny.write_text(json.dumps(values), encoding="utf-8")
    assert f"golden.0.{key}" in refused(tiny)


def test_a_golden_vector_without_an_output_is_refused(tiny: Path) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    del values["golden"][0]["expected"]["saturated"]
    tiny.write_text(json.dumps(values), encoding="utf-8")
    assert "golden.expected" in refused(tiny)


def test_a_number_too_large_for_a_float_is_refused(tiny: Path) -> None:
    tiny.write_text(tiny.read_text(encoding="utf-8").replace('"criterion_px": 1.5', '"criterion_px": 1e400'))
    assert "criterion_px" in refused(tiny)


def test_a_manifest_cannot_be_changed(tiny: Path) -> None:
    manifest = load_manifest(tiny)
    with pytest.raises(ValueError, match="frozen"):
        manifest.threshold = 0.1  # type: ignore[misc]


@given(st.integers(1, 40), st.integers(1, 40), st.randoms())
def test_a_golden_image_comes_back_as_it_went_in(width: int, height: int, source: random.Random) -> None:
    image = np.frombuffer(source.randbytes(width * height), np.uint8).reshape(height, width)
    assert np.array_equal(Golden.of(image, {}).image(), image)


@pytest.mark.parametrize(
    "packed",
    [
        "!!!",
        "AAAA",
        base64.b64encode(zlib.compress(bytes(11))).decode(),
        base64.b64encode(zlib.compress(bytes(13))).decode(),
        base64.b64encode(zlib.compress(bytes(1 << 20))).decode(),
        base64.b64encode(zlib.compress(bytes(12))[:-1]).decode(),
    ],
)
def test_a_golden_input_of_another_size_or_damaged_is_refused(packed: str) -> None:
    golden = Golden(width=4, height=3, input=packed, expected={}, tolerance=1e-4)
    with pytest.raises(ModelError, match="golden input"):
        golden.image()


def test_a_missing_model_is_named(tiny: Path) -> None:
    (tiny.parent / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match=r"tiny\.onnx: cannot read the model"):
        read_model(load_manifest(tiny), tiny.parent)


def test_a_file_too_large_for_a_model_is_not_read_whole(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.manifest.MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelError, match="more than"):
        read_model(load_manifest(tiny), tiny.parent)


def damaged(whole: bytes, source: random.Random) -> bytes:
    """`whole` with one bit flipped, one byte replaced, a piece cut out or the end missing."""
    position = source.randrange(len(whole))
    kind = source.randrange(4)
    if kind == 0:
        return whole[:position] + bytes([whole[position] ^ (1 << source.randrange(8))]) + whole[position + 1 :]
    if kind == 1:
        return whole[:position] + bytes([(whole[position] + source.randrange(1, 256)) % 256]) + whole[position + 1 :]
    if kind == 2:
        return whole[:position] + whole[position + source.randrange(1, 64) :]
    return whole[:position]


def test_no_damaged_model_is_accepted(tiny: Path, tiny_bytes: bytes) -> None:
    manifest: Manifest = load_manifest(tiny)
    source = random.Random(6)
    for _ in range(FLIPS):
        (tiny.parent / manifest.file).write_bytes(damaged(tiny_bytes, source))
        with pytest.raises(ModelError, match="not the model of its manifest"):
            read_model(manifest, tiny.parent)
