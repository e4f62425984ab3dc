"""A high-pass folded into the shipped model's first layer: 8×8 filters of stride 8 before and after, at equal cost.

The layer is linear, and so is an aperture's amplitude without the magnitude that follows it: filtering the picture and
then each block is filtering each block by the product, cut to 8×8 pixels again so that it costs the same. Both layers
are judged by the best linear reading of the logarithms of their band energies, magnitudes and maxima.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from models.errors import ModelError
from models.onnx_classifier import SHIPPED
from models.study.physical import FRAME_PX
from models.study.scoring import in_focus_scores, scores
from models.study.settings import Setting
from models.study.tasks import Examples

GRID_PX = 64
"""Grid on which a filter and the aperture are multiplied: eight times the filter."""
RIDGE = 1.0

Float64 = NDArray[np.float64]


def stem_run(setting: Setting, train: Examples, test: Examples, classes: int) -> dict[str, Any]:
    """Levels by ridge regression on the layer's features; `setting.radius_px` 0 is the layer as shipped."""
    stem = folded(shipped_stem(), setting.radius_px)
    known, asked = features(train, stem), features(test, stem)
    centre, spread = known.mean(axis=0), known.std(axis=0) + 1e-9
    known, asked = (np.column_stack([(part - centre) / spread, np.ones(len(part))]) for part in (known, asked))
    weights = np.linalg.solve(known.T @ known + RIDGE * np.eye(known.shape[1]), known.T @ train.targets)
    found = np.clip(np.rint(asked @ weights), 0, classes - 1).astype(np.int64)
    return {
        **scores(found, test.targets, classes),
        **in_focus_scores(found, test.targets),
        "mean_error": float(np.abs(asked @ weights - test.targets).mean()),
    }


def shipped_stem() -> Float64:
    """The first layer's filters, (filters, 8, 8). Raises ModelError if the model is built in another way."""
    model = onnx.load_model_from_string((files("models") / "weights" / f"{SHIPPED}.onnx").read_bytes())
    bodies = [attribute.g for node in model.graph.node for attribute in node.attribute if attribute.HasField("g")]
    for graph in (model.graph, *bodies):
        for weights in graph.initializer:
            if len(weights.dims) == 4 and tuple(weights.dims[1:]) == (1, 8, 8):
                return numpy_helper.to_array(weights)[:, 0].astype(np.float64)
    raise ModelError(f"{SHIPPED}: has no first layer of 8×8 filters; this part of the study is made for that")


def folded(stem: Float64, radius_px: float) -> Float64:
    """The filters with a high-pass of this radius (frame pixels) in front, cut to their size; means stay."""
    if radius_px == 0:
        return stem
    axis = np.fft.fftfreq(GRID_PX) * FRAME_PX
    passes = np.hypot(axis[:, None], axis[None]) >= radius_px
    side = stem.shape[-1]
    start = (GRID_PX - side) // 2
    placed = np.zeros((len(stem), GRID_PX, GRID_PX))
    placed[:, start : start + side, start : start + side] = stem
    filtered = np.fft.ifft2(np.fft.fft2(placed) * passes).real[:, start : start + side, start : start + side]
    is_mean = np.abs(stem.sum(axis=(1, 2))) > 0.5 * np.abs(stem).sum(axis=(1, 2))
    return np.where(is_mean[:, None, None], stem, filtered)


def features(examples: Examples, stem: Float64) -> Float64:
    """Logarithms of mean square, mean magnitude and maximum of each filter over a picture, (n, 3 · filters)."""
    count, side = examples.images.shape[0], stem.shape[-1]
    blocks = examples.images.shape[-1] // side
    cut = examples.images[:, : blocks * side, : blocks * side].reshape(count, blocks, side, blocks, side)
    answers = np.abs(np.einsum("nbicj,fij->nbcf", cut, stem, optimize=True)).reshape(count, -1, len(stem))
    found = (np.square(answers).mean(axis=1), answers.mean(axis=1), answers.max(axis=1))
    logs: Float64 = np.log(np.concatenate(found, axis=1) + 1e-9)
    return logs
