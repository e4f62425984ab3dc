"""Baselines are read from a folder and see all pixels of a square, none of its surroundings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.baselines.architecture import Architecture, Dense
from models.baselines.runtime import (
    BATCH_TILES,
    Description,
    covering,
    load_baselines,
    load_session,
    probabilities,
    write,
)
from models.errors import FocusgateError, InputError, ModelError

graph = pytest.importorskip("models.baselines.graph", reason="ONNX files are made with the package onnx")
SIDE = 8
MEAN = Architecture("mean", "mean", SIDE, (Dense(1),), (1.0,))


def description(name: str = "mean", classes: int = 1) -> Description:
    return Description(
        name=name,
        title=f"title of {name}",
        input_px=SIDE,
        edges_px=(1.0,),
        criterion_px=1.0,
        in_focus_classes=classes,
        tiles_seen=9,
        held_out_auc=None,
        cpu_s=1.0,
        training={},
    )


def mean_model() -> bytes:
    """p = sigmoid of the mean in units above the middle level."""
    weights = [np.full((1, SIDE**2), 1.0 / SIDE**2, np.float32), np.zeros(1, np.float32)]
    model: bytes = graph.model_of(MEAN, weights)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "nets", mean_model(), description())
    return tmp_path / "nets"


@given(st.integers(SIDE, 60), st.integers(SIDE, 60))
def test_tiles_cover_every_pixel_with_as_few_as_can_be(height: int, width: int) -> None:
    luma = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    tiles = covering(luma, SIDE)
    assert len(tiles) == math.ceil(height / SIDE) * math.ceil(width / SIDE)
    assert set(tiles.ravel().tolist()) == set(range(height * width))
    assert all((np.diff(tile.astype(int), axis=1) == 1).all() for tile in tiles)


def test_a_square_smaller_than_a_tile_has_no_score(folder: Path) -> None:
    (baseline,) = load_baselines(folder)
    assert math.isnan(baseline.score(np.zeros((SIDE - 1, 40), np.uint8)))


def test_the_score_is_the_mean_over_the_tiles(folder: Path) -> None:
    (baseline,) = load_baselines(folder)
    luma = np.full((SIDE, 2 * SIDE), 128, np.uint8)
    luma[:, SIDE:] = 192
    assert baseline.title == "title of mean"
    assert baseline.score(luma) == pytest.approx((0.5 + 1 / (1 + math.exp(-1.0))) / 2, rel=1e-5)


def test_in_focus_is_the_sum_of_the_classes_up_to_the_criterion(tmp_path: Path) -> None:
    three = Architecture("three", "three", SIDE, (Dense(3),), (1.0, 2.0))
    weights = [np.zeros((3, SIDE**2), np.float32), np.log(np.array([0.2, 0.3, 0.5], np.float32))]
    write(tmp_path, graph.model_of(three, weights), description("three", classes=2))
    (baseline,) = load_baselines(tmp_path)
    assert baseline.score(np.zeros((20, 20), np.uint8)) == pytest.approx(0.5, rel=1e-5)


def test_any_number_of_tiles_is_answered_in_order() -> None:
    tiles = np.arange(2 * BATCH_TILES + 3, dtype=np.uint8)[:, None, None] * np.ones((1, SIDE, SIDE), np.uint8)
    p = probabilities(load_session(mean_model()), tiles)
    assert p.shape == (len(tiles), 1)
    assert (np.diff(p[:, 0]) > 0).all()


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"python -m models\.training\.baselines"):
        load_baselines(tmp_path)


def break_nothing_left(folder: Path) -> None:
    (folder / "mean.onnx").unlink()


def break_model(folder: Path) -> None:
    (folder / "mean.onnx").write_bytes(b"no network")


def break_json(folder: Path) -> None:
    (folder / "mean.json").write_text("{", encoding="utf-8")


def break_field(folder: Path) -> None:
    values = json.loads((folder / "mean.json").read_bytes()) | {"input_px": 0}
    (folder / "mean.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize("damage", [break_nothing_left, break_model, break_json, break_field])
def test_a_damaged_baseline_is_one_line_that_says_what_to_do(folder: Path, damage: object) -> None:
    assert callable(damage)
    damage(folder)
    with pytest.raises(FocusgateError, match="again") as caught:
        load_baselines(folder)
    assert "\n" not in str(caught.value)


def test_tiles_of_another_size_are_one_line() -> None:
    with pytest.raises(ModelError, match="tiles of 9 px"):
        probabilities(load_session(mean_model()), np.zeros((1, 9, 9), np.uint8))
