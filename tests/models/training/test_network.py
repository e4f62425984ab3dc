"""The network, its export and the shipped file: one thing in torch and in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from models.manifest import load_manifest, read_model
from models.training.check import network_from
from models.training.export import PARITY, deviation, run_onnx
from models.training.graph import graph_of
from models.training.network import FocusNet
from models.training.optics import EDGES_PX

WEIGHTS = Path(__file__).parents[3] / "models" / "weights"


@pytest.fixture
def network() -> FocusNet:
    torch.manual_seed(5)
    made = FocusNet(hidden=8)
    made.normalise(torch.randint(0, 255, (4, 1, 384, 384), dtype=torch.uint8))
    return made


@pytest.mark.parametrize("shape", [(128, 128), (384, 384), (300, 517), (1944, 2592)])
def test_the_exported_file_gives_what_torch_gives_at_any_size(network: FocusNet, shape: tuple[int, int]) -> None:
    luma = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    model = graph_of(network).SerializeToString()
    found = run_onnx(model, luma)
    assert found["cumulative"].shape == (shape[0] // 128, shape[1] // 128, len(EDGES_PX))
    whole = luma[: shape[0] // 128 * 128, : shape[1] // 128 * 128]
    assert deviation(network, model, [np.ascontiguousarray(whole)]) <= PARITY


def test_probabilities_never_fall_with_the_radius(network: FocusNet) -> None:
    luma = np.random.default_rng(2).integers(0, 256, (512, 512), np.uint8)
    cumulative = run_onnx(graph_of(network).SerializeToString(), luma)["cumulative"]
    assert (np.diff(cumulative, axis=-1) >= 0.0).all()


def test_mean_and_clipped_share_are_those_of_the_blocks_that_are_seen(network: FocusNet) -> None:
    luma = np.zeros((128, 256), np.uint8)
    luma[:, 128:] = 255
    found = run_onnx(graph_of(network).SerializeToString(), luma)
    assert found["mean_luma"].tolist() == [[0.0, pytest.approx(255.0, abs=0.01)]]
    assert found["saturated"].tolist() == [[0.0, 1.0]]


def test_blocks_beside_a_highlight_count_for_nothing(network: FocusNet) -> None:
    means = torch.full((1, 1, 2, 6), 0.4)
    means[0, 0, 0, 2] = 1.0
    counts = network.dimness(torch.zeros(1, 15, 2, 6), means)[0, 0]
    assert (counts[0, 1:4] < 0.05).all()
    assert (counts[0, 4:] > 0.95).all()
    assert (counts[1] > 0.95).all()


def test_contrasts_decide_what_counts_as_far_as_their_weights_say(network: FocusNet) -> None:
    with torch.no_grad():
        network.dim[3] = -1.0
    contrasts = torch.zeros(1, 15, 1, 6)
    contrasts[0, 3, 0, 4] = 2.0
    counts = network.dimness(contrasts, torch.full((1, 1, 1, 6), 0.4))[0, 0, 0]
    assert counts[4] < 0.05
    assert (counts[:4] > 0.95).all()


def test_the_shipped_file_is_the_network_in_this_folder() -> None:
    path = WEIGHTS / "focus-s.json"
    manifest = load_manifest(path)
    model = read_model(manifest, path.parent)
    luma = np.random.default_rng(3).integers(0, 256, (384, 384), np.uint8)
    assert tuple(manifest.edges_px) == EDGES_PX
    assert deviation(network_from(model, manifest.tile_px), model, [luma]) <= PARITY
