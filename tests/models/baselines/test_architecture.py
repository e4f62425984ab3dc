"""The networks of others have the sizes that their authors name, and their ONNX files are what the lists say."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines.architecture import (
    ARCHITECTURES,
    REPORT_CNN,
    YANG_2018,
    Architecture,
    Conv,
    Dense,
    Pool,
    in_focus_classes,
    multiplications,
    parameters,
    shapes,
)
from models.baselines.runtime import load_session, probabilities

graph = pytest.importorskip("models.baselines.graph", reason="ONNX files are made with the package onnx")
each = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda architecture: architecture.name)
TINY = Architecture("tiny", "tiny", 8, (Conv(3), Pool(), Dense(4), Dense(3)), (1.0, 2.0))


def test_the_reports_network_is_near_its_best_size() -> None:
    assert 1.3e6 < parameters(REPORT_CNN) < 1.5e6
    assert {layer.kernel_px for layer in REPORT_CNN.layers if isinstance(layer, Conv)} == {5}
    assert 300 * multiplications(REPORT_CNN) == pytest.approx(112e9, rel=0.01)  # the tiles of a 2592×1944 frame


def test_yangs_network_has_eleven_levels_and_29_million_weights() -> None:
    assert shapes(YANG_2018)[0] == (1, 84, 84)
    assert shapes(YANG_2018)[-1] == (11,)
    assert parameters(YANG_2018) == pytest.approx(29e6, rel=0.01)
    assert 690 * multiplications(YANG_2018) == pytest.approx(86e9, rel=0.01)  # the patches of a frame


@each
def test_there_is_an_edge_between_any_two_classes_and_the_criterion_is_one(architecture: Architecture) -> None:
    classes = shapes(architecture)[-1][0]
    assert len(architecture.edges_px) == max(classes - 1, 1)
    assert list(architecture.edges_px) == sorted(set(architecture.edges_px))
    assert in_focus_classes(architecture, 2.5) == architecture.edges_px.index(2.5) + 1


def test_counts_are_those_by_hand() -> None:
    assert shapes(TINY) == [(1, 8, 8), (3, 8, 8), (3, 4, 4), (4,), (3,)]
    assert parameters(TINY) == (25 * 3 + 3) + (48 * 4 + 4) + (4 * 3 + 3)
    assert multiplications(TINY) == 64 * 25 * 3 + 48 * 4 + 4 * 3


def test_the_file_computes_what_its_layers_say() -> None:
    weights = graph.random_weights(TINY, 5)
    tiles = np.random.default_rng(1).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    found = probabilities(load_session(graph.model_of(TINY, weights)), tiles)
    kernels, shift, hidden_w, hidden_b, last_w, last_b = weights
    framed = np.pad((tiles - 128.0) / 64.0, ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (5, 5), axis=(1, 2))
    planes = np.maximum(np.einsum("nyxij,cij->ncyx", windows, kernels[:, 0]) + shift[:, None, None], 0.0)
    pooled = planes.reshape(20, 3, 4, 2, 4, 2).max((3, 5)).reshape(20, -1)
    logits = np.maximum(pooled @ hidden_w.T + hidden_b, 0.0) @ last_w.T + last_b
    powers = np.exp(logits - logits.max(1, keepdims=True))
    assert np.allclose(found, powers / powers.sum(1, keepdims=True), atol=1e-5)


def test_one_unit_at_the_end_is_a_probability_of_its_own() -> None:
    architecture = Architecture("one", "one", 8, (Dense(1),), (1.0,))
    weights = [np.full((1, 64), 0.01, np.float32), np.array([0.5], np.float32)]
    tiles = np.full((1, 8, 8), 192, np.uint8)  # one unit above the middle
    found = probabilities(load_session(graph.model_of(architecture, weights)), tiles)
    assert found == pytest.approx(1 / (1 + np.exp(-(64 * 0.01 + 0.5))), rel=1e-5)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="needed"):
        graph.model_of(TINY, graph.random_weights(TINY, 1)[:-1])
