"""A tiny model whose answers are known: the blur radius of a tile is its mean luma / 32, in px."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from models.manifest import OUTPUT_NAMES, Golden

settings.register_profile("untimed", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("untimed")

TILE_PX = 32
EDGES_PX = [0.75, 1.5, 2.5, 4.0, 6.0]
LUMA_PER_PX = 32.0
STEEPNESS = 4.0


def tiny_model() -> bytes:
    """cumulative = sigmoid(4 (edge - mean/32)), detectable = var / (var + 100), saturated = share at 255."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    pool = {"kernel_shape": [TILE_PX, TILE_PX], "strides": [TILE_PX, TILE_PX]}
    constants = {
        "plane": np.array([0, 1], np.int64),
        "last": np.array([-1], np.int64),
        "edges": np.array(EDGES_PX, np.float32),
        "per_px": np.array(LUMA_PER_PX, np.float32),
        "steep": np.array(STEEPNESS, np.float32),
        "noise": np.array(100.0, np.float32),
        "white": np.array(254.5, np.float32),
        "zero": np.array(0.0, np.float32),
    }
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Cast", ["luma"], "grey", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["grey", "plane"], "image", {}),
        ("AveragePool", ["image"], "mean4", pool),
        ("Squeeze", ["mean4", "plane"], "mean_luma", {}),
        ("Mul", ["image", "image"], "square", {}),
        ("AveragePool", ["square"], "square4", pool),
        ("Squeeze", ["square4", "plane"], "square_mean", {}),
        ("Mul", ["mean_luma", "mean_luma"], "mean_square", {}),
        ("Sub", ["square_mean", "mean_square"], "raw_variance", {}),
        ("Max", ["raw_variance", "zero"], "variance", {}),
        ("Add", ["variance", "noise"], "whole", {}),
        ("Div", ["variance", "whole"], "detectable", {}),
        ("Greater", ["image", "white"], "clipped", {}),
        ("Cast", ["clipped"], "clipped1", {"to": TensorProto.FLOAT}),
        ("AveragePool", ["clipped1"], "clipped4", pool),
        ("Squeeze", ["clipped4", "plane"], "saturated", {}),
        ("Div", ["mean_luma", "per_px"], "blur", {}),
        ("Unsqueeze", ["blur", "last"], "blur3", {}),
        ("Sub", ["edges", "blur3"], "margin", {}),
        ("Mul", ["margin", "steep"], "logit", {}),
        ("Sigmoid", ["logit"], "cumulative", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **attributes) for kind, inputs, output, attributes in steps],
        "tiny",
        [helper.make_tensor_value_info("luma", TensorProto.UINT8, ["H", "W"])],
        [helper.make_tensor_value_info("cumulative", TensorProto.FLOAT, ["r", "c", len(EDGES_PX)])]
        + [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["r", "c"]) for name in OUTPUT_NAMES[1:]],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def tiny_scores(luma: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What the tiny model gives, computed without ONNX."""
    rows, columns = luma.shape[0] // TILE_PX, luma.shape[1] // TILE_PX
    cut = luma[: rows * TILE_PX, : columns * TILE_PX].astype(np.float64)
    tiles = cut.reshape(rows, TILE_PX, columns, TILE_PX)
    mean, variance = tiles.mean((1, 3)), tiles.var((1, 3))
    margin = np.array(EDGES_PX) - (mean / LUMA_PER_PX)[..., None]
    found = {
        "cumulative": 1 / (1 + np.exp(-STEEPNESS * margin)),
        "detectable": variance / (variance + 100),
        "mean_luma": mean,
        "saturated": (tiles > 254.5).mean((1, 3)),
    }
    return {name: values.astype(np.float32) for name, values in found.items()}


def tiny_manifest(model: bytes) -> dict[str, Any]:
    """The manifest of `model` as a JSON object, with one golden vector."""
    image = np.random.default_rng(5).integers(0, 256, (2 * TILE_PX, 3 * TILE_PX)).astype(np.uint8) // 4
    return {
        "schema": 1,
        "name": "tiny",
        "version": "1.0",
        "file": "tiny.onnx",
        "sha256": hashlib.sha256(model).hexdigest(),
        "tile_px": TILE_PX,
        "edges_px": EDGES_PX,
        "input": {
            "name": "luma",
            "dtype": "uint8",
            "layout": "HW",
            "range": [0, 255],
            "colour": "BT.601 luma, full range",
        },
        "outputs": list(OUTPUT_NAMES),
        "criterion_px": 1.5,
        "threshold": 0.5,
        "min_detectable": 0.05,
        "dark_luma": 8.0,
        "glare_share": 0.1,
        "metrics": {"auc": 0.9},
        "golden": [Golden.of(image, tiny_scores(image), 1e-3).model_dump()],
        "training": {"seed": 1},
        "sources": [{"name": "nothing", "licence": "CC0-1.0"}],
        "opset": 17,
    }


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A run sets up the log of its process; the next test starts without that."""
    logger = logging.getLogger("focusgate")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(scope="session")
def tiny_bytes() -> bytes:
    return tiny_model()


@pytest.fixture(scope="session")
def tiny_values(tiny_bytes: bytes) -> dict[str, Any]:
    return tiny_manifest(tiny_bytes)


@pytest.fixture
def tiny(tmp_path: Path, tiny_bytes: bytes) -> Path:
    """Path of the manifest of a whole tiny model in a folder of its own."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tiny.onnx").write_bytes(tiny_bytes)
    manifest = folder / "tiny.json"
    manifest.write_text(json.dumps(tiny_manifest(tiny_bytes)), encoding="utf-8")
    return manifest


@pytest.fixture
def edited(tiny: Path) -> Callable[..., Path]:
    """Write values into the tiny manifest; None removes the key."""

    def edit(**changes: object) -> Path:
        values = json.loads(tiny.read_text(encoding="utf-8"))
        values |= changes
        values = {key: value for key, value in values.items() if value is not None}
        tiny.write_text(json.dumps(values), encoding="utf-8")
        return tiny

    return edit


@pytest.fixture(scope="session")
def reference() -> Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]:
    return tiny_scores
