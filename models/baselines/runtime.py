"""Trained baselines read from a folder and run on squares of pictures, each on the square's own pixels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import InputError, ModelError, one_line
from models.focusmap import Luma

BATCH_TILES = 16
"""Measured: more at once gains the report's CNN nothing, Yang's network 10 %, and costs memory."""

FATAL_ONLY = 4  # log level of ONNX Runtime: what it has to say comes as an exception

_RUNTIME_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class Description(BaseModel):
    """What is written beside a trained network. p of the first `in_focus_classes` adds up to p in focus."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    input_px: int = Field(ge=8, le=4096)
    edges_px: tuple[float, ...]
    criterion_px: float = Field(gt=0.0)
    in_focus_classes: int = Field(ge=1)
    tiles_seen: int = Field(ge=0)
    held_out_auc: float | None
    cpu_s: float = Field(ge=0.0)
    training: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A network of others, ready to run."""

    description: Description
    session: onnxruntime.InferenceSession

    @property
    def title(self) -> str:
        return self.description.title

    def score(self, luma: Luma) -> float:
        """Mean p in focus over tiles that cover `luma`, uint8 (H, W); NaN if it is smaller than one tile."""
        tiles = covering(luma, self.description.input_px)
        if not len(tiles):
            return float("nan")
        return float(probabilities(self.session, tiles)[:, : self.description.in_focus_classes].sum(1).mean())


def covering(luma: Luma, tile_px: int) -> Luma:
    """The fewest tiles that cover the picture, evenly spread, overlapping where they must: (n, tile_px, tile_px).

    Nothing is resampled, which would change the blur. Empty if the picture is smaller than a tile.
    """
    if min(luma.shape) < tile_px:
        return np.empty((0, tile_px, tile_px), np.uint8)
    tops, lefts = (np.linspace(0, side - tile_px, -(-side // tile_px)).round().astype(np.intp) for side in luma.shape)
    found = sliding_window_view(luma, (tile_px, tile_px))[tops[:, None], lefts]
    return np.ascontiguousarray(found.reshape(-1, tile_px, tile_px))


def load_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session of one thread that does not spin. Raises ModelError if ONNX Runtime cannot read the model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        raise ModelError(f"ONNX Runtime cannot read this network ({one_line(error, 120)}); train it again") from None


def probabilities(session: onnxruntime.InferenceSession, tiles: Luma) -> NDArray[np.float32]:
    """p of every class, float32 (n, classes), for tiles uint8 (n, side, side), n ≥ 1. Raises ModelError."""
    try:
        parts = [
            session.run(["p"], {"tiles": tiles[start : start + BATCH_TILES]})[0]
            for start in range(0, len(tiles), BATCH_TILES)
        ]
    except _RUNTIME_ERRORS as error:
        raise ModelError(f"ONNX Runtime failed on tiles of {tiles.shape[1]} px ({one_line(error, 120)})") from None
    return np.concatenate(parts)


def write(folder: Path, model: bytes, description: Description) -> Path:
    """Network and description; returns the path of the description."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{description.name}.onnx").write_bytes(model)
    path = folder / f"{description.name}.json"
    path.write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def load_baselines(folder: Path) -> list[Baseline]:
    """All baselines of a folder, by name. Raises InputError if it holds none or one cannot be read; ModelError."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder}: no trained baselines; make them with 'python -m models.training.baselines'")
    found = []
    for path in paths:
        try:
            description = Description.model_validate(json.loads(path.read_bytes()))
            model = (folder / f"{description.name}.onnx").read_bytes()
        except OSError as error:
            raise InputError(
                f"{error.filename}: cannot be read ({error.strerror}); train the baselines again"
            ) from None
        except (ValueError, ValidationError) as error:
            raise InputError(f"{path}: no description of a baseline ({one_line(error, 120)}); train it again") from None
        found.append(Baseline(description, load_session(model)))
    return found
