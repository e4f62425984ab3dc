"""The network as an ONNX graph, written node by node: pooling stripe by stripe, then the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from models.manifest import OUTPUT_NAMES as OUTPUTS
from models.training.network import (
    BLOCK_PX,
    CLIPPED,
    DIM_FLOOR,
    DIM_STEEPNESS,
    ENERGY_FLOOR,
    LOW_FILTERS,
    MAGNITUDE_FLOOR,
    ROW_STEP_PX,
    FocusNet,
)
from models.training.optics import EDGES_PX

OPSET = 17
IR_VERSION = 8  # ONNX Runtime 1.22 reads it


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
    """One row of tiles: row numbers of the frame to pooled bands and detectors, how much counts, and mean and largest
    block mean, (1, C, 1, columns) together, and the block means.

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
    last = len(network.stem)
    bounds = [graph.constant(name, np.array([value], np.int64)) for name, value in (("m0", last), ("m1", last + 1))]
    means = graph.add("Slice", "stripe_means", both, *bounds, graph.constant("channels", np.array([1], np.int64)))
    contrasts = graph.add("Abs", "contrasts", both)  # and the mean, which from here on has a weight of 0
    dimness = _dimness(graph, network, contrasts, means)
    magnitude = graph.add("Mul", "magnitude", contrasts, dimness)
    weight = _array(network.detect)
    weight = np.concatenate([weight, np.zeros_like(weight[:, :1])], axis=1)
    detected = graph.add("Relu", "detected", graph.add("Conv", "compared", magnitude, graph.constant("detect", weight)))
    pooled = [
        graph.add("AveragePool", "energy", graph.add("Mul", "squares", both, both), **pool),
        graph.add("AveragePool", "average", magnitude, **pool),
        graph.add("MaxPool", "largest", magnitude, **pool),
        graph.add("AveragePool", "detected_average", detected, **pool),
        graph.add("MaxPool", "detected_largest", detected, **pool),
        graph.add("AveragePool", "dim_average", dimness, **pool),
        graph.add("AveragePool", "mean_average", means, **pool),
        graph.add("MaxPool", "mean_largest", means, **pool),
    ]
    graph.add("Concat", "pooled", *pooled, axis=1)
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("pooled", "stripe_means")]
    rows_info = helper.make_tensor_value_info("rows", TensorProto.INT64, [down * BLOCK_PX])
    return helper.make_graph(graph.nodes, "stripe", [rows_info], outputs, graph.constants)


def _dimness(graph: _Graph, network: FocusNet, contrasts: str, means: str) -> str:
    """`FocusNet.dimness` of one row of tiles; contrasts hold the mean as their last channel."""
    brightest = graph.add("MaxPool", "brightest_of_three", means, kernel_shape=[1, 3], pads=[0, 1, 0, 1])
    weights = DIM_STEEPNESS * _array(network.dim)
    own = graph.constant("dim_w", weights[None, :-2, None, None])
    bright = graph.add("Conv", "dim", contrasts, own, graph.constant("dim_b", weights[-1:]))
    beside = graph.add("Mul", "beside", brightest, graph.constant("dim_beside", weights[-2]))
    return graph.add("Sigmoid", "dimness", graph.add("Add", "bright", bright, beside))


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
    channel = graph.constant("channel_axis", np.array([1], np.int64))
    many = 3 * bands + 2 * detectors

    def part_of(name: str, first: int, end: int) -> str:
        ends = [graph.constant(f"{name}_{first}", np.array([first], np.int64))]
        ends.append(graph.constant(f"{name}_{end}", np.array([end], np.int64)))
        return graph.add("Slice", name, pooled, *ends, channel)

    floors = np.repeat([ENERGY_FLOOR, MAGNITUDE_FLOOR, DIM_FLOOR], [bands, many - bands, 1]).astype(np.float32)
    floored = graph.add(
        "Add", "raised", part_of("logged", 0, many + 1), graph.constant("floors", floors[:, None, None])
    )
    logs = graph.add("Log", "logs", floored)  # twice that of magnitudes: see the weights of the first layer
    pads = graph.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    framed = graph.add("Pad", "framed", means, pads, mode="edge")
    low = graph.add("Conv", "low", framed, graph.constant("low_kernels", _array(network.low_kernels())))
    low_energy = graph.add("AveragePool", "low_energy", graph.add("Mul", "low_squares", low, low), **pool)
    floor = graph.constant("energy_floor", np.float32(ENERGY_FLOOR))
    log_low = graph.add("Log", "log_low", graph.add("Add", "raised_low", low_energy, floor))
    graph.constant("axes", np.array([0, 1], np.int64))
    mean, brightest = part_of("tile_mean", many + 1, many + 2), part_of("brightest", many + 2, many + 3)
    over = graph.add("Greater", "over", means, graph.constant("clipped", np.float32(CLIPPED)))
    clipped = graph.add("AveragePool", "clipped_share", graph.add("Cast", "over_1", over, to=TensorProto.FLOAT), **pool)
    return graph.add("Concat", "features", logs, log_low, mean, clipped, brightest, axis=1), mean, clipped


def first_inputs(filters: int, detectors: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which feature of the network each input of the graph's first layer is, and times what.

    The means go through three pools with the bands and are ignored: -1. Magnitudes come as plain logarithms where the
    network takes them twice. How much counts comes before the low energies, not after them.
    """
    feature = np.arange(3 * filters + 2 * detectors + LOW_FILTERS + 4)
    energy, average, largest, detected, low, dim, others = np.split(
        feature, np.cumsum([filters, filters, filters, 2 * detectors, LOW_FILTERS, 1])
    )
    none = [-1]
    order = np.concatenate([energy, none, average, none, largest, none, detected, dim, low, others]).astype(np.int64)
    twice = (order >= filters) & (order < 3 * filters + 2 * detectors)
    return order, np.where(order < 0, 0.0, np.where(twice, 2.0, 1.0)).astype(np.float32)


def _neighbourhood(graph: _Graph, layer: nn.Conv2d, name: str, hidden: str) -> str:
    """A tile and the eight around it; beyond the frame its outermost tiles go on."""
    assert layer.bias is not None  # noqa: S101 - both are made with one
    framed = graph.add("Pad", f"{name}_framed", hidden, "pads", mode="edge")
    weight, bias = (
        graph.constant(f"{name}_{end}", _array(part)) for end, part in (("w", layer.weight), ("b", layer.bias))
    )
    return graph.add("Relu", f"{name}_active", graph.add("Conv", name, framed, weight, bias))


def _head(graph: _Graph, network: FocusNet, features: str) -> tuple[str, str]:
    """Features to cumulative logits (1, K, rows, columns) and the detectable logit (1, 1, rows, columns)."""
    deviation = _array(network.deviation)[None, :, None, None]
    weight = _array(network.own.weight) / deviation
    filters = network.stem.shape[0]
    order, times = first_inputs(filters, len(network.detect))
    shift = _array(network.own.bias) - (weight[..., 0, 0] * _array(network.mean)).sum(1)
    own = graph.add(
        "Conv",
        "own",
        features,
        graph.constant("own_w", weight[:, order] * times[:, None, None]),
        graph.constant("own_b", shift),
    )
    own_active = graph.add("Relu", "own_active", own)
    around = _neighbourhood(graph, network.around, "around", own_active)
    active = graph.add("Add", "both_rings", around, _neighbourhood(graph, network.further, "further", around))
    last_w, last_b = _array(network.last.weight), _array(network.last.bias)
    last = graph.add("Conv", "last", active, graph.constant("last_w", last_w), graph.constant("last_b", last_b))
    edges = len(EDGES_PX)
    parts = graph.constant("parts", np.array([1, edges - 1, 1], np.int64))
    graph.nodes.append(helper.make_node("Split", [last, parts], ["first", "rises", "known"], name="parts_", axis=1))
    steps = graph.add("Concat", "steps", "first", graph.add("Softplus", "rise", "rises"), axis=1)
    summed = graph.add("CumSum", "summed", steps, graph.constant("channel", np.int64(1)))
    temperature = _array(network.temperature)
    known = graph.add("Mul", "known_logit", "known", graph.constant("t1", np.float32(temperature[1])))
    return graph.add("Mul", "cumulative_logit", summed, graph.constant("t0", np.float32(temperature[0]))), known


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
