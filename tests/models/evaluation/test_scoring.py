"""A square's score is the mean of the judged tiles that it overlaps, by area; or of its own middle, if cut out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.baselines.runtime import Baseline
from models.classifier import Judging
from models.errors import InputError
from models.evaluation.datasets import Label, Square, load_dataset
from models.evaluation.scoring import (
    MIN_JUDGED_SHARE,
    centred_tiles,
    over_judged,
    overlap_px2,
    pixels_of,
    score_squares,
)
from models.focusmap import Cause, FocusMap, TileGrid
from models.onnx_classifier import load_classifier
from models.sharpness import MEASURES

GRID = TileGrid(32, 32, 3, 4)
SHAPE = (100, 140)


def focus_map(p: NDArray[np.float32] | None = None, cause: NDArray[np.uint8] | None = None) -> FocusMap:
    tiles = (GRID.rows, GRID.columns)
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(tiles) if p is None else p
    causes = np.zeros(tiles, np.uint8) if cause is None else cause
    return FocusMap(GRID, values * 5, values, causes, 1.5, 0.5, "m", "0" * 64)


def labelled_square(x: int, y: int, size: int | None) -> Square:
    return Square(Path("a.png"), "a.png", "scene", Label.IN, x, y, size)


@given(st.integers(0, 130), st.integers(0, 90), st.integers(8, 100))
def test_the_overlap_with_each_tile_is_counted_pixel_by_pixel(x: int, y: int, size: int) -> None:
    inside = np.zeros((96, 128), np.int64)
    inside[y : y + size, x : x + size] = 1
    by_hand = inside.reshape(3, 32, 4, 32).sum(axis=(1, 3))
    assert np.array_equal(overlap_px2(focus_map(), labelled_square(x, y, size), SHAPE), by_hand)


def test_a_whole_image_overlaps_every_tile_wholly() -> None:
    assert (overlap_px2(focus_map(), labelled_square(0, 0, None), SHAPE) == 32 * 32).all()


@given(st.integers(0, 96), st.integers(0, 64))
def test_a_square_is_never_scored_beyond_the_tiles_that_it_overlaps(x: int, y: int) -> None:
    found = focus_map()
    weights = overlap_px2(found, labelled_square(x, y, 32), SHAPE)
    p, blur_px = over_judged(found, weights, 32.0 * 32.0)
    touched = found.p_in_focus[weights > 0]
    assert touched.min() - 1e-6 <= p <= touched.max() + 1e-6
    assert blur_px == pytest.approx(5 * p, abs=1e-5)


def test_tiles_that_cannot_be_judged_do_not_count() -> None:
    cause = np.zeros((3, 4), np.uint8)
    cause[0, 0] = Cause.GLARE
    found = focus_map(cause=cause)
    weights = overlap_px2(found, labelled_square(16, 0, 32), SHAPE)  # half of it on the glare
    assert over_judged(found, weights, 32.0 * 32.0)[0] == pytest.approx(float(found.p_in_focus[0, 1]))


def test_too_little_of_a_square_judged_means_cannot_judge() -> None:
    cause = np.full((3, 4), Cause.DARK, np.uint8)
    cause[:, 1] = Cause.JUDGED
    found = focus_map(cause=cause)
    area = 100.0 * 32.0
    enough = np.zeros((3, 4))
    enough[0, 1] = MIN_JUDGED_SHARE * area
    assert np.isfinite(over_judged(found, enough, area)).all()
    assert np.isnan(over_judged(found, enough - 1, area)).all()


@given(st.integers(1, 100), st.integers(1, 100))
def test_the_middle_of_a_cut_is_whole_tiles(height: int, width: int) -> None:
    cut = np.arange(height * width, dtype=np.int64).reshape(height, width).astype(np.uint8)
    middle = centred_tiles(cut, 32)
    if height < 32 or width < 32:
        assert middle is None
        return
    assert middle is not None
    assert (middle.shape[0], middle.shape[1]) == (height // 32 * 32, width // 32 * 32)
    assert middle[0, 0] == cut[height % 32 // 2, width % 32 // 2]


def test_a_square_outside_of_its_image_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"a\.png: a square of 50 px at \(100, 0\) leaves the image of 140×100 px"):
        pixels_of(np.zeros(SHAPE, np.uint8), labelled_square(100, 0, 50))


def test_every_square_has_every_score(labelled: Path, tiny: Path) -> None:
    squares = load_dataset(labelled).squares
    seen: list[Path] = []
    scored = score_squares(squares, load_classifier(tiny, unsigned=True), Judging(), on_image=seen.append)
    assert len(seen) == 4
    assert (scored.criterion_px, scored.threshold) == (1.5, 0.5)
    assert scored.sharp.sum() == 4 * 7
    assert set(scored.classical) == set(MEASURES)
    assert all(np.isfinite(scores).all() for scores in scored.classical.values())
    assert np.isfinite(scored.p_any).all()


def test_a_baseline_scores_the_squares_own_pixels_and_none_if_they_are_too_few(
    labelled: Path, tiny: Path, dark_is_sharp: Baseline
) -> None:
    squares = load_dataset(labelled).squares
    small = replace(squares[0], size=31)
    classifier = load_classifier(tiny, unsigned=True)
    scored = score_squares((*squares, small), classifier, Judging(), baselines=[dark_is_sharp])
    scores = scored.baselines["dark is sharp"]
    dark = np.array([index % 2 == 0 for index in range(len(squares))])
    assert (scores[:-1][dark] > 0.99).all()
    assert (scores[:-1][~dark] < 0.01).all()
    assert np.isnan(scores[-1])


def test_crops_see_nothing_of_their_surroundings(labelled: Path, tiny: Path) -> None:
    squares = load_dataset(labelled).squares
    classifier = load_classifier(tiny, unsigned=True)
    scored = score_squares(squares, classifier, Judging(), crops=True)
    flat = np.array([index % 12 == 5 for index in range(len(squares))])
    assert np.array_equal(~scored.judged, flat)
    dark = np.array([index % 2 == 0 for index in range(len(squares))])
    assert (scored.p_judged[dark] > 0.85).all()
    assert (scored.p_judged[~dark & ~flat] < 0.1).all()


def test_a_crop_smaller_than_a_tile_cannot_be_judged(tmp_path: Path, tiny: Path) -> None:
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(tmp_path / "a.png")
    small = replace(labelled_square(0, 0, 20), path=tmp_path / "a.png")
    scored = score_squares((small,), load_classifier(tiny, unsigned=True), Judging(), crops=True)
    assert not scored.judged.any()
    assert np.isnan(scored.p_any).all()


def test_whole_images_of_any_size_are_scored(tmp_path: Path, tiny: Path) -> None:
    noise = np.random.default_rng(1).integers(10, 50, (70, 90)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    whole = replace(labelled_square(0, 0, None), path=tmp_path / "a.png")
    scored = score_squares((whole,), load_classifier(tiny, unsigned=True), Judging())
    assert scored.p_judged[0] > 0.8


def test_the_criterion_and_threshold_of_the_caller_are_in_force(labelled: Path, tiny: Path) -> None:
    squares = load_dataset(labelled).squares
    strict = score_squares(squares, load_classifier(tiny, unsigned=True), Judging(criterion_px=0.75, threshold=0.7))
    lax = score_squares(squares, load_classifier(tiny, unsigned=True), Judging(criterion_px=6.0, threshold=0.7))
    assert (strict.criterion_px, strict.threshold) == (0.75, 0.7)
    assert (strict.p_any <= lax.p_any).all()
    assert (strict.p_any < lax.p_any).any()
