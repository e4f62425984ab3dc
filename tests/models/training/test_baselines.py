"""The networks of others are trained on whole tiles with the truth of each, and exported as torch has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from models.baselines.architecture import ARCHITECTURES, Architecture, Conv, Dense, Pool, weight_shapes
from models.baselines.runtime import load_baselines
from models.errors import ExitCode, InputError
from models.training import baselines
from models.training.optics import EDGES_PX
from models.training.plan import CHUNK
from models.training.samples import SIDE, TILE_PX, TILES, Samples

TINY = Architecture("tiny", "tiny", 32, (Conv(2), Pool(), Dense(4), Dense(1)), (2.5,))
LEVELS = Architecture("levels", "levels", 16, (Conv(2), Pool(), Dense(4), Dense(3, dropout=0.5)), (1.0, 2.5))
PLAN = baselines.Plan(samples=10, batch_tiles=18, learning_rate=1e-2)


def made(count: int = 10, seed: int = 1) -> Samples:
    """Tiles of one level each: 40 and in focus, or 200 and blurred by 6 px. Nothing is unknown."""
    rng = np.random.default_rng(seed)
    dark = rng.uniform(size=(count, TILES, TILES)) < 0.5
    level = np.where(dark, 40, 200).astype(np.uint8)
    same = np.ones((count, TILES, TILES), np.float32)
    radius_px = np.where(dark, 0.5, 6.0).astype(np.float32)
    return Samples(
        luma=level.repeat(TILE_PX, 1).repeat(TILE_PX, 2),
        radius_px=radius_px,
        within=(radius_px[..., None] <= np.array(EDGES_PX)).astype(np.float32),
        motion_px=0 * same,
        source=9 * same,
        visible=30 * same,
        detail=30 * same,
        noise=0 * same,
        saturated=0 * same,
        mean=level.astype(np.float32),
    )


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, TINY, LEVELS], ids=lambda each: each.name)
def test_torch_has_the_layers_of_the_list(architecture: Architecture) -> None:
    network = baselines.module_of(architecture, 1)
    assert [tuple(value.shape) for value in network.parameters()] == weight_shapes(architecture)


@pytest.mark.parametrize("architecture", [TINY, LEVELS], ids=lambda each: each.name)
def test_what_is_exported_gives_what_torch_gives(architecture: Architecture) -> None:
    network = baselines.module_of(architecture, 3).eval()
    side = architecture.input_px
    pictures = np.random.default_rng(2).integers(0, 256, (6, side, side), dtype=np.uint8)
    assert baselines.exported(architecture, network, pictures)


def test_a_network_that_is_exported_wrongly_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "scaled", lambda tiles: torch.tensor(tiles).float()[:, None])
    pictures = np.random.default_rng(2).integers(0, 256, (6, 32, 32), dtype=np.uint8)
    with pytest.raises(InputError, match="nothing was written"):
        baselines.exported(TINY, baselines.module_of(TINY, 3).eval(), pictures)


@pytest.mark.parametrize("input_px", [TILE_PX, 84])
def test_every_tile_keeps_its_truth_and_sees_nothing_of_its_neighbours(input_px: int) -> None:
    samples = made()
    luma, radius_px, weight = baselines.tiles_of(samples, input_px, np.random.default_rng(1))
    assert luma.shape == (10 * TILES**2, input_px, input_px)
    assert (luma == luma[:, :1, :1]).all()
    assert np.array_equal(luma[:, 0, 0] == 40, radius_px.numpy() == 0.5)
    assert (weight.numpy() > 0.9).all()


def test_turned_tiles_hold_the_pixels_of_their_tile() -> None:
    samples = made(1)
    samples.luma[:] = np.random.default_rng(5).integers(0, 256, (1, SIDE, SIDE))
    luma, _, _ = baselines.tiles_of(samples, TILE_PX, np.random.default_rng(1))
    for number, tile in enumerate(luma):
        top, left = number // TILES * TILE_PX, number % TILES * TILE_PX
        original = samples.luma[0, top : top + TILE_PX, left : left + TILE_PX]
        turns = [np.rot90(each, count) for each in (original, original.T) for count in range(4)]
        assert any(np.array_equal(tile, turn) for turn in turns)


def test_the_loss_of_levels_grows_with_the_distance_between_them() -> None:
    certain = 20 * torch.eye(3)  # of the levels up to 1 px, up to 2.5 px, and above
    radius_px, weight = torch.tensor([0.5]), torch.ones(1)
    right, near, far = (float(baselines.loss_of(LEVELS, each[None], radius_px, weight)) for each in certain)
    assert (right, near, far) == (pytest.approx(0, abs=1e-6), pytest.approx(1), pytest.approx(2))


@pytest.mark.parametrize("architecture", [TINY, LEVELS], ids=lambda each: each.name)
def test_tiles_without_weight_have_no_part_in_the_loss(architecture: Architecture) -> None:
    logits = torch.randn(2, weight_shapes(architecture)[-1][0])
    radius_px, weight = torch.tensor([0.5, 9.0]), torch.tensor([1.0, 0.0])
    both, alone = (
        float(baselines.loss_of(architecture, logits[:count], radius_px[:count], weight[:count])) for count in (2, 1)
    )
    assert both == pytest.approx(alone)


def test_no_tile_of_a_chunk_is_left_over_by_the_shipped_plans() -> None:
    assert {architecture.name for architecture in ARCHITECTURES} == set(baselines.PLANS)
    assert all(CHUNK * TILES**2 % plan.batch_tiles == 0 for plan in baselines.PLANS.values())


def test_what_was_trained_is_written_with_what_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(seed: int, count: int, **_: Any) -> Iterator[Samples]:
        for part in range(count // 10):
            yield made(10, 10 * seed + part)

    monkeypatch.setattr(baselines, "stream", stream)
    monkeypatch.setattr(baselines, "ARCHITECTURES", (TINY, LEVELS))
    monkeypatch.setattr(baselines, "PLANS", {"tiny": PLAN, "levels": PLAN})
    monkeypatch.setattr(baselines, "VALIDATION_SAMPLES", 20)
    try:
        assert baselines.main(["--out", str(tmp_path), "--samples", "50"]) == ExitCode.OK
    finally:
        torch.use_deterministic_algorithms(mode=False)
    levels, tiny = load_baselines(tmp_path)
    for found in (levels, tiny):
        assert (found.description.tiles_seen, found.description.held_out_auc) == (50 * TILES**2, 1.0)
        assert found.description.training["samples"] == 50
        dark, bright = (found.score(np.full((40, 40), level, np.uint8)) for level in (40, 200))
        assert dark > bright
    assert (levels.description.in_focus_classes, tiny.description.in_focus_classes) == (2, 1)


@pytest.mark.parametrize("words", [["--samples", "49"], ["--workers", "0"]])
def test_a_number_that_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match="allowed"):
        baselines.main(words)
