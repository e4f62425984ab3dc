"""The tile map on the picture tells its states apart by pattern, leaves sharp tiles alone, and explains itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from device.overlay import ORANGE, SKY_BLUE, draw_overlay
from models.focusmap import Cause, FocusMap, TileGrid

TILE = 96


def focus_map(states: list[list[str]]) -> FocusMap:
    """One letter a tile: s harp, b lurred, n othing to judge, d ark, o utside."""
    letters = np.array(states)
    causes = {"s": Cause.JUDGED, "b": Cause.JUDGED, "n": Cause.NO_DETAIL, "d": Cause.DARK, "o": Cause.OUTSIDE}
    return FocusMap(
        grid=TileGrid(TILE, TILE, *letters.shape),
        blur_px=np.ones(letters.shape, np.float32),
        p_in_focus=(letters == "s").astype(np.float32),
        cause=np.vectorize(causes.__getitem__, otypes=[np.uint8])(letters),
        criterion_px=1.5,
        threshold=0.5,
        model_name="fake",
        model_sha256="0" * 64,
    )


def grey(height: int, width: int, level: int = 120) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def tile(picture: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    return picture[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]


def test_a_sharp_tile_keeps_its_pixels_inside_a_blue_frame() -> None:
    source = np.random.default_rng(0).integers(0, 256, (3 * TILE, 3 * TILE, 3), dtype=np.uint8)
    drawn = draw_overlay(source, focus_map([list("bbb"), list("bsb"), list("bbb")]), "Fail")
    inner = slice(8, -8)
    assert np.array_equal(tile(drawn, 1, 1)[inner, inner], tile(source, 1, 1)[inner, inner])
    assert tuple(drawn[TILE, TILE + TILE // 2]) == SKY_BLUE


def test_the_picture_handed_over_is_not_changed_and_the_legend_is_added_below() -> None:
    source = grey(200, 300)
    drawn = draw_overlay(source, focus_map([list("bns"), list("bno")]), "Fail: only 50 % in focus")
    assert (source == 120).all()
    assert drawn.shape[1] == 300
    assert drawn.shape[0] > 200
    assert drawn.dtype == np.uint8


def test_pixels_outside_the_tile_grid_are_left_alone() -> None:
    drawn = draw_overlay(grey(TILE + 20, TILE + 30), focus_map([["b"]]), "Fail")
    assert (drawn[TILE : TILE + 20] == 120).all()
    assert (drawn[:TILE, TILE:] == 120).all()


def test_the_states_differ_in_pattern_not_only_in_colour() -> None:
    """Seen in grey: hatching is constant along its diagonal, dots are not; neither is blank."""
    drawn = draw_overlay(grey(TILE, 3 * TILE), focus_map([list("bnn")]), "Fail").mean(axis=2)[:TILE]
    hatched, dotted = drawn[:, :TILE], drawn[:, TILE : 2 * TILE]

    def spread_along_diagonals(pattern: NDArray[np.float64]) -> float:
        turned = pattern[::-1]
        return max(float(np.ptp(np.diagonal(turned, offset))) for offset in range(-TILE // 2, TILE // 2))

    assert spread_along_diagonals(hatched) == 0
    assert np.ptp(hatched) > 40
    assert spread_along_diagonals(dotted) > 40


def test_hatching_runs_on_seamlessly_from_tile_to_tile() -> None:
    drawn = draw_overlay(grey(2 * TILE, 2 * TILE), focus_map([list("bb"), list("bb")]), "Fail")[: 2 * TILE]
    assert np.array_equal(drawn[10:, :-10], drawn[:-10, 10:])
    assert np.abs(drawn - np.array(ORANGE)).sum(axis=2).min() < 60


def test_tiles_outside_the_field_are_darkened_and_unmarked() -> None:
    drawn = draw_overlay(grey(TILE, 2 * TILE), focus_map([list("ob")]), "Fail")
    assert np.unique(drawn[:TILE, :TILE]).tolist() == [42]


def test_every_cause_of_not_judging_looks_the_same() -> None:
    drawn = draw_overlay(grey(TILE, 2 * TILE), focus_map([list("nd")]), "Cannot judge: no detail")
    assert np.array_equal(tile(drawn, 0, 0), tile(drawn, 0, 1))


@pytest.mark.parametrize("width", [TILE, 700, 3000])
def test_the_legend_fits_pictures_of_any_width(width: int) -> None:
    columns = width // TILE
    drawn = draw_overlay(grey(TILE, width), focus_map([["s"] * columns]), "Pass: 100 % in focus (90 % needed)")
    strip = drawn[TILE:]
    assert strip.shape[1] == width
    assert (strip == 255).all(axis=2).any()


def test_a_map_of_another_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        draw_overlay(grey(TILE - 1, 300), focus_map([list("bns")]), "Fail")
