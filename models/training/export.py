"""The trained network as an ONNX file with its manifest: written node by node, and checked against torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import OUTPUT_NAMES as OUTPUTS
from models.manifest import Golden
from models.training.network import (
    BLOCK_PX,
    CLIPPED,
    ENERGY_FLOOR,
    MAGNITUDE_FLOOR,
    ROW_STEP_PX,
    FocusNet,
)
from models.training.optics import EDGES_PX

OPSET = 17
IR_VERSION = 8  # ONNX Runtime 1.22 reads it
PARITY = 1e-4
GOLDEN_TOLERANCE = 1e-3


class _Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().numpy().astype(np.float32)


def _stripe(network: FocusNet) -> onnx.GraphProto:
    """One row of tiles: row numbers of the frame to pooled bands and detectors (1, C, 1, columns) and block means.

    The frame comes from the graph around it. A stripe fits a processor's cache where a frame does not, and
    DequantizeLinear converts bytes faster than Cast does (docs/decisions/0007).
    """
    graph = _Graph()
    down, across = network.pool
    pool = {"kernel_shape": [down, across], "strides": [down, across]}
    rows = graph.add("Gather", "seen", "luma", "rows", axis=0)
    levels = graph.add("Unsqueeze", "levels", rows, graph.constant("first_two", np.array([0, 1], np.int64)))
    one, none = graph.constant("level", np.float32(1.0)), graph.constant("black", np.uint8(0))
    plane = graph.add("DequantizeLinear", "plane", levels, one, none)
    stem = graph.constant("stem", _array(network.kernels()) / 255.0)
    both = graph.add("Conv", "both", plane, stem, kernel_shape=[BLOCK_PX] * 2, strides=[BLOCK_PX] * 2)
    magnitude = graph.add("Abs", "magnitude", both)
    weight = _array(network.detect)  # a weight of 0 for the mean, which goes through with the bands
    weight = np.concatenate([weight, np.zeros_like(weight[:, :1])], axis=1)
    detected = graph.add("Relu", "detected", graph.add("Conv", "compared", magnitude, graph.constant("detect", weight)))
    pooled = [
        graph.add("AveragePool", "energy", graph.add("Mul", "squares", both, both), **pool),
        graph.add("AveragePool", "average", magnitude, **pool),
        graph.add("MaxPool", "largest", magnitude, **pool),
        graph.add("AveragePool", "detected_average", detected, **pool),
        graph.add("MaxPool", "detected_largest", detected, **pool),
    ]
    graph.add("Concat", "pooled", *pooled, axis=1)
    last = len(network.stem)
    bounds = [graph.constant(name, np.array([value], np.int64)) for name, value in (("m0", last), ("m1", last + 1))]
    graph.add("Slice", "stripe_means", both, *bounds, graph.constant("channels", np.array([1], np.int64)))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("pooled", "stripe_means")]
    rows_info = helper.make_tensor_value_info("rows", TensorProto.INT64, [down * BLOCK_PX])
    return helper.make_graph(graph.nodes, "stripe", [rows_info], outputs, graph.constants)


def _stripes(graph: _Graph, network: FocusNet) -> tuple[str, str]:
    """All rows of tiles: pooled (1, C, rows, columns) and block means (1, 1, H, W)."""
    down, _ = network.pool
    seen = (np.arange(down)[:, None] * ROW_STEP_PX + np.arange(BLOCK_PX)).reshape(1, -1)
    zero, one = graph.constant("zero", np.int64(0)), graph.constant("one", np.int64(1))
    height = graph.add("Gather", "height", graph.add("Shape", "shape", "luma"), zero)
    tile = graph.constant("tile_px", np.int64(network.tile_px))
    count = graph.add("Div", "tile_rows", height, tile)
    tops = graph.add("Mul", "tops", graph.add("Range", "number", zero, count, one), tile)
    column = graph.add("Unsqueeze", "tops_column", tops, graph.constant("second", np.array([1], np.int64)))
    rows = graph.add("Add", "row_numbers", column, graph.constant("seen_rows", seen.astype(np.int64)))
    body = _stripe(network)
    scanned = helper.make_node(
        "Scan", [rows], ["stacked", "stacked_means"], name="stripes", body=body, num_scan_inputs=1
    )
    graph.nodes.append(scanned)
    flat = graph.add("Squeeze", "flat", "stacked", graph.constant("second_and_fourth", np.array([1, 3], np.int64)))
    turned = graph.add("Transpose", "turned", flat, perm=[1, 0, 2])
    pooled = graph.add("Unsqueeze", "tiles", turned, graph.constant("front", np.array([0], np.int64)))
    shape = graph.add("Shape", "stacked_shape", "stacked_means", start=4)
    whole = graph.constant("whole", np.array([1, 1, -1], np.int64))
    return pooled, graph.add(
        "Reshape", "means", "stacked_means", graph.add("Concat", "plane_shape", whole, shape, axis=0)
    )


def _features(graph: _Graph, network: FocusNet) -> tuple[str, str, str]:
    """uint8 (H, W) to features (1, F, rows, columns); also block means and clipped share per tile."""
    pool = {"kernel_shape": list(network.pool), "strides": list(network.pool)}
    pooled, means = _stripes(graph, network)
    bands, detectors = len(network.stem) + 1, len(network.detect)
    floors = np.repeat([ENERGY_FLOOR, MAGNITUDE_FLOOR], [bands, 2 * bands + 2 * detectors]).astype(np.float32)
    raised = graph.add("Add", "raised", pooled, graph.constant("floors", floors[:, None, None]))
    logs = graph.add("Log", "logs", raised)  # twice that of magnitudes: see the weights of the first layer
    pads = graph.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    framed = graph.add("Pad", "framed", means, pads, mode="edge")
    low = graph.add("Conv", "low", framed, graph.constant("low_kernels", _array(network.low_kernels())))
    low_energy = graph.add("AveragePool", "low_energy", graph.add("Mul", "low_squares", low, low), **pool)
    floor = graph.constant("energy_floor", np.float32(ENERGY_FLOOR))
    log_low = graph.add("Log", "log_low", graph.add("Add", "raised_low", low_energy, floor))
    channel = graph.constant("channel_axis", np.array([1], np.int64))

    def one_of(name: str, number: int) -> str:
        ends = [graph.constant(f"{name}_{end}", np.array([number + end], np.int64)) for end in (0, 1)]
        return graph.add("Slice", name, pooled, *ends, channel)

    graph.constant("axes", np.array([0, 1], np.int64))
    mean, brightest = one_of("tile_mean", 2 * bands - 1), one_of("brightest", 3 * bands - 1)
    over = graph.add("Greater", "over", means, graph.constant("clipped", np.float32(CLIPPED)))
    clipped = graph.add("AveragePool", "clipped_share", graph.add("Cast", "over_1", over, to=TensorProto.FLOAT), **pool)
    return graph.add("Concat", "features", logs, log_low, mean, clipped, brightest, axis=1), mean, clipped


def _first_layer(weight: NDArray[np.float32], filters: int, detectors: int) -> NDArray[np.float32]:
    """The means go through the three pools with the bands: a weight of 0 after each group of bands ignores them.
    Magnitudes come as plain logarithms where the network takes them twice."""
    groups = [weight[:, number * filters : (number + 1) * filters] for number in range(3)]
    rest = weight[:, 3 * filters :].copy()
    rest[:, : 2 * detectors] *= 2
    blank = np.zeros_like(weight[:, :1])
    energy, average, largest = groups
    return np.concatenate([energy, blank, 2 * average, blank, 2 * largest, blank, rest], axis=1)


def _head(graph: _Graph, network: FocusNet, features: str) -> tuple[str, str]:
    """Features to cumulative logits (1, K, rows, columns) and the detectable logit (1, 1, rows, columns)."""
    deviation = _array(network.deviation)[None, :, None, None]
    weight = _array(network.own.weight) / deviation
    filters = network.stem.shape[0]
    shift = _array(network.own.bias) - (weight[..., 0, 0] * _array(network.mean)).sum(1)
    own = graph.add(
        "Conv",
        "own",
        features,
        graph.constant("own_w", _first_layer(weight, filters, len(network.detect))),
        graph.constant("own_b", shift),
    )
    framed = graph.add("Pad", "own_framed", graph.add("Relu", "own_active", own), "pads", mode="edge")
    around_w = graph.constant("around_w", _array(network.around.weight))
    around = graph.add("Conv", "around", framed, around_w, graph.constant("around_b", _array(network.around.bias)))
    last_w, last_b = _array(network.last.weight), _array(network.last.bias)
    active = graph.add("Relu", "around_active", around)
    last = graph.add("Conv", "last", active, graph.constant("last_w", last_w), graph.constant("last_b", last_b))
    edges = len(EDGES_PX)
    parts = graph.constant("parts", np.array([1, edges - 1, 1], np.int64))
    graph.nodes.append(helper.make_node("Split", [last, parts], ["first", "rises", "known"], name="parts_", axis=1))
    steps = graph.add("Concat", "steps", "first", graph.add("Softplus", "rise", "rises"), axis=1)
    summed = graph.add("CumSum", "summed", steps, graph.constant("channel", np.int64(1)))
    temperature = _array(network.temperature)
    cumulative = graph.add("Mul", "cumulative_logit", summed, graph.constant("t0", np.float32(temperature[0])))
    return cumulative, graph.add("Mul", "known_logit", "known", graph.constant("t1", np.float32(temperature[1])))


def graph_of(network: FocusNet) -> onnx.ModelProto:
    """The network as ONNX, with the inputs and outputs that `models.manifest` asks for."""
    graph = _Graph()
    features, mean, clipped = _features(graph, network)
    cumulative, known = _head(graph, network, features)
    last = graph.add("Transpose", "last_axis", graph.add("Sigmoid", "within", cumulative), perm=[0, 2, 3, 1])
    graph.add("Squeeze", "cumulative", last, graph.constant("axis_0", np.array([0], np.int64)))
    graph.add("Squeeze", "detectable", graph.add("Sigmoid", "known_p", known), "axes")
    scaled = graph.add("Mul", "scaled_mean", mean, graph.constant("full_scale", np.float32(255.0)))
    graph.add("Squeeze", "mean_luma", scaled, "axes")
    graph.add("Squeeze", "saturated", clipped, "axes")
    shapes = {"cumulative": ["rows", "columns", len(EDGES_PX)]}
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name, ["rows", "columns"]))
        for name in OUTPUTS
    ]
    luma = helper.make_tensor_value_info("luma", TensorProto.UINT8, ["height", "width"])
    body = helper.make_graph(graph.nodes, "focus", [luma], outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="focusgate")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def run_onnx(model: bytes, luma: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The outputs of the ONNX file for one picture."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"luma": luma}), strict=True))


def run_torch(network: FocusNet, luma: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The same four outputs from torch."""
    network.eval()
    with torch.no_grad():
        whole = torch.tensor(luma)[None, None]
        tiles = network.tile_px
        features = network.features(whole)
        cumulative, known = network.head(features)
    if features.shape[2:] != (luma.shape[0] // tiles, luma.shape[1] // tiles):
        raise ValueError("the network has not one feature vector a tile")
    found = (
        torch.sigmoid(cumulative)[0].permute(1, 2, 0),
        torch.sigmoid(known)[0],
        255 * features[0, -3],
        features[0, -2],
    )
    return dict(zip(OUTPUTS, (_array(value) for value in found), strict=True))


def deviation(network: FocusNet, model: bytes, pictures: list[NDArray[np.uint8]]) -> float:
    """Largest difference between torch and ONNX Runtime over all outputs (mean_luma in units of full scale)."""
    worst = 0.0
    for luma in pictures:
        ours, theirs = run_torch(network, luma), run_onnx(model, luma)
        for name in OUTPUTS:
            unit = 255.0 if name == "mean_luma" else 1.0
            worst = max(worst, float(np.abs(ours[name] - theirs[name]).max()) / unit)
    return worst


def golden(model: bytes, luma: NDArray[np.uint8]) -> dict[str, Any]:
    """One golden vector: a picture and what the model says of it. The tolerance is in the unit of each output, and
    the mean luma, of 255 levels, is the coarsest; processors differ in the last bits of sums."""
    return Golden.of(luma, run_onnx(model, luma), tolerance=GOLDEN_TOLERANCE).model_dump(mode="json")


def write(model: bytes, folder: Path, name: str, manifest: dict[str, Any]) -> Path:
    """Model and manifest; the manifest last, as it names the digest of the model. Returns the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(model)
    path = folder / f"{name}.json"
    whole = {"name": name, "file": f"{name}.onnx", "sha256": hashlib.sha256(model).hexdigest(), **manifest}
    path.write_text(json.dumps({"schema": 1, **whole}, indent=1) + "\n", encoding="utf-8")
    return path
