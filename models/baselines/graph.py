"""An architecture with its weights as an ONNX file. Needs the package onnx, which the device does not have."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.baselines.architecture import Architecture, Conv, Dense, Layer, Pool, weight_shapes

OPSET = 17
IR_VERSION = 8  # ONNX Runtime 1.22 reads it
MIDDLE_LEVEL, LEVELS_PER_UNIT = 128.0, 64.0
"""The input as the first layer sees it: (level - MIDDLE_LEVEL) / LEVELS_PER_UNIT, within ±2."""

Weights = Sequence[NDArray[np.float32]]


def random_weights(architecture: Architecture, seed: int) -> list[NDArray[np.float32]]:
    """Untrained weights that keep the variance from layer to layer (He et al. 2015); biases 0."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> NDArray[np.float32]:
        if len(shape) == 1:
            return np.zeros(shape, np.float32)
        deviation = np.float32(np.sqrt(2.0 / prod(shape[1:])))
        return rng.standard_normal(shape, dtype=np.float32) * deviation

    return [draw(shape) for shape in weight_shapes(architecture)]


def model_of(architecture: Architecture, weights: Weights) -> bytes:
    """ONNX with the input `tiles`, uint8 (n, input_px, input_px), and the output `p`, float32 (n, classes).

    `weights` as `weight_shapes` has them; raises ValueError if they are others.
    """
    found = [array.shape for array in weights]
    if found != weight_shapes(architecture):
        raise ValueError(f"{architecture.name}: weights of {found}; needed: {weight_shapes(architecture)}")
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    levels = add("Cast", "levels", "tiles", to=TensorProto.FLOAT)
    planes = add("Unsqueeze", "planes", levels, constant("channel", np.array([1], np.int64)))
    centred = add("Sub", "centred", planes, constant("middle", np.float32(MIDDLE_LEVEL)))
    value = add("Mul", "scaled", centred, constant("unit", np.float32(1.0 / LEVELS_PER_UNIT)))
    left = iter(weights)
    flat = False
    last = len(architecture.layers) - 1
    for number, layer in enumerate(architecture.layers):
        if isinstance(layer, Dense) and not flat:
            value, flat = add("Flatten", "flat", value), True
        if isinstance(layer, Pool):
            value = add("MaxPool", f"pool_{number}", value, kernel_shape=[2, 2], strides=[2, 2])
            continue
        weight, bias = (constant(f"{kind}_{number}", next(left)) for kind in ("weight", "bias"))
        value = add(_kind(layer), f"layer_{number}", value, weight, bias, **_attributes(layer))
        if number != last:
            value = add("Relu", f"relu_{number}", value)
    classes = weight_shapes(architecture)[-1][0]
    add("Sigmoid", "p", value) if classes == 1 else add("Softmax", "p", value, axis=1)
    side = architecture.input_px
    tiles = helper.make_tensor_value_info("tiles", TensorProto.UINT8, ["n", side, side])
    p = helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", classes])
    body = helper.make_graph(nodes, architecture.name, [tiles], [p], constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="focusgate")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _kind(layer: Layer) -> str:
    return "Conv" if isinstance(layer, Conv) else "Gemm"


def _attributes(layer: Layer) -> dict[str, Any]:
    return {"pads": [layer.kernel_px // 2] * 4} if isinstance(layer, Conv) else {"transB": 1}
