"""The manifest beside a model: what the file must be, what goes in, what comes out, and how the scores are read.

The bytes of the ONNX file are compared with the manifest's SHA-256 before anything parses them: ONNX Runtime loads
damaged files without complaint and gives other scores.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import stat
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, ValidationError, model_validator

from models.errors import ModelError, one_line
from models.focusmap import Luma

OUTPUT_NAMES = ("cumulative", "detectable", "mean_luma", "saturated")
"""The outputs that every model has; `models.onnx_classifier` says what each holds."""

MAX_MODEL_BYTES = 64 << 20
"""Far above any model that fits the memory budget; keeps a wrong path from filling the memory."""

MAX_MANIFEST_BYTES = 8 << 20

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, le=1000.0, allow_inf_nan=False)]
Nested = list[list[FiniteFloat]] | list[list[list[FiniteFloat]]]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class InputContract(_Strict):
    """What the model is fed: the luma plane as it comes from the camera, not scaled, not padded."""

    name: Literal["luma"]
    dtype: Literal["uint8"]
    layout: Literal["HW"]
    range: tuple[Literal[0], Literal[255]]
    colour: Literal["BT.601 luma, full range"]


class Source(_Strict):
    """Where training material came from, and under which terms."""

    name: str = Field(min_length=1)
    licence: str = Field(min_length=1)


class Golden(_Strict):
    """One input with the outputs that it must give, run at every start.

    input       base64 of the zlib-compressed uint8 pixels, row by row
    expected    output name -> nested lists of its shape
    tolerance   largest absolute difference allowed, in the unit of each output
    """

    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    input: str = Field(min_length=1)
    expected: dict[str, Nested]
    tolerance: float = Field(gt=0.0, le=0.01)

    @classmethod
    def of(cls, image: Luma, outputs: Mapping[str, NDArray[np.float32]], tolerance: float = 1e-4) -> Self:
        """The golden vector of `image`, uint8 (H, W), and what the model gave for it."""
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(image).tobytes(), 9)).decode("ascii")
        expected = {name: values.astype(float).tolist() for name, values in outputs.items()}
        height, width = image.shape
        return cls(width=width, height=height, input=packed, expected=expected, tolerance=tolerance)

    def image(self) -> Luma:
        """The input, uint8 (height, width). Raises ModelError if it is not what width and height say."""
        due = self.width * self.height
        try:
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(base64.b64decode(self.input, validate=True), due + 1)
        except (ValueError, zlib.error) as error:
            raise ModelError(
                f"golden input cannot be unpacked ({one_line(error, 80)}); install the model anew"
            ) from None
        if len(raw) != due or not unpacker.eof:
            raise ModelError(f"golden input does not hold {self.width}×{self.height} pixels; install the model anew")
        return np.frombuffer(raw, np.uint8).reshape(self.height, self.width)


class Manifest(_Strict):
    """All that is known of one model file. Radii are px of the full image.

    edges_px        radii at which the model gives P(blur radius <= edge), rising
    criterion_px    largest blur radius that counts as in focus, unless the device's profile says otherwise
    threshold       smallest probability of that which counts as sharp
    min_detectable  smallest `detectable` at which a tile is judged
    dark_luma       mean luma (0 to 255) below which a tile is too dark to be judged
    glare_share     share of clipped pixels above which a tile is glare
    """

    version_of_schema: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(min_length=1, max_length=40)
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tile_px: int = Field(ge=8, le=1024)
    edges_px: tuple[Positive, ...] = Field(min_length=2, max_length=32)
    input: InputContract
    outputs: tuple[str, ...]
    criterion_px: Positive
    threshold: float = Field(gt=0.0, lt=1.0)
    min_detectable: Share
    dark_luma: float = Field(ge=0.0, le=255.0)
    glare_share: Share
    metrics: dict[str, JsonValue]
    golden: tuple[Golden, ...] = Field(min_length=1)
    training: dict[str, JsonValue]
    sources: tuple[Source, ...]
    opset: int = Field(ge=13, le=30)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if any(right <= left for left, right in pairwise(self.edges_px)):
            raise ValueError(f"edges_px {list(self.edges_px)} must rise")
        if self.outputs != OUTPUT_NAMES:
            raise ValueError(f"outputs must be {', '.join(OUTPUT_NAMES)}, in this order")
        if any(set(golden.expected) != set(OUTPUT_NAMES) for golden in self.golden):
            raise ValueError(f"golden.expected must hold {', '.join(OUTPUT_NAMES)}")
        return self


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest (JSON). Raises ModelError, one line: file, key, what is wrong."""
    return parse_manifest(read_manifest(path), path)


def read_manifest(path: Path) -> bytes:
    """The bytes of a manifest, not parsed. Raises ModelError if it is missing, unreadable or too long."""
    return _read(path, MAX_MANIFEST_BYTES, "model manifest")


def parse_manifest(text: bytes, path: Path) -> Manifest:
    """What the manifest says; `path` is for messages. Raises ModelError as `load_manifest`."""
    try:
        json.loads(text, parse_constant=_not_a_number, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: model manifest: {one_line(error, 160)}; gate stays closed, install the model anew"
        ) from None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(
            f"{path}: model manifest, {key}: {one_line(first['msg'], 160)}; gate stays closed, install the model anew"
        ) from None


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no value; allowed are finite numbers")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def read_model(manifest: Manifest, folder: Path) -> bytes:
    """The ONNX file that `manifest` names, in `folder`: its very bytes, whose SHA-256 is the manifest's.

    Raises ModelError if the file is missing, unreadable or another one. Nothing has parsed it by then.
    """
    path = folder / manifest.file
    return check_digest(manifest, read_whole_model(path), path)


def read_whole_model(path: Path) -> bytes:
    """The bytes of an ONNX file, not parsed. Raises ModelError if it is missing, unreadable or too long."""
    return _read(path, MAX_MODEL_BYTES, "model")


def model_beside(manifest: Path) -> Path:
    """The model that belongs to the manifest at this path, whatever the manifest says: the same name with .onnx."""
    return manifest.with_suffix(".onnx")


def parse_pair(text: bytes, content: bytes, path: Path) -> Manifest:
    """The manifest in `text`, if `content` is its model; both were read from `path` and from beside it.

    Raises ModelError, one line, if the manifest is wrong, names another file, or has another digest.
    """
    manifest, model_path = parse_manifest(text, path), model_beside(path)
    if manifest.file != model_path.name:
        raise ModelError(
            f"{path}: names {manifest.file}, due is {model_path.name}; gate stays closed, rename and sign anew"
        )
    check_digest(manifest, content, model_path)
    return manifest


def check_digest(manifest: Manifest, content: bytes, path: Path) -> bytes:
    """`content`, if it is the model of `manifest`; `path` is for the message. Raises ModelError if it is not."""
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise ModelError(
            f"{path}: not the model of its manifest (SHA-256 {found[:12]}…, due {manifest.sha256[:12]}…); "
            "gate stays closed, install the model anew"
        )
    return content


def read_bounded(path: Path, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a file: more than `limit` of them say that it is too long.

    Raises OSError, also for what is no regular file: a pipe would keep the start waiting for ever.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(limit + 1)


def _read(path: Path, limit: int, what: str) -> bytes:
    try:
        content = read_bounded(path, limit)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot read the {what} ({reason}); gate stays closed, install the model") from None
    if len(content) > limit:
        raise ModelError(f"{path}: the {what} has more than {limit >> 20} MiB; name a file written by the exporter")
    return content
