"""The round field of view, dark level, hot pixels and flat field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.faults import CalibrationError, NoFieldError, NotPlainError, PictureTooBrightError, PictureTooDarkError
from calibration.field import counted_tiles, find_field
from calibration.flat import DarkLevel, dark_level, evened, field_mask, flat_field, tile_light, without_hot_pixels
from calibration.linear import linear_dn
from device.simulation.unit import Unit
from models.focusmap import FieldOfView, TileGrid

CENTRE_PX = 3.0
ENOUGH_RIM_SHARE = 0.5

Units = Callable[[int], Unit]
Shoot = Callable[..., NDArray[np.uint8]]


def lit_circle(
    x: float,
    y: float,
    radius: float,
    *,
    rim: float = 0.02,
    dark_side_deg: float | None = None,
    size: tuple[int, int] = (600, 800),
) -> NDArray[np.float32]:
    """White paper through a round field with black level 10, some noise, and one side without any light."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    away = np.hypot(columns - x, rows - y) / radius
    light = np.clip((1 - away) / (2 * rim) + 0.5, 0, 1) * (1 - 0.4 * np.minimum(away, 1) ** 2)
    if dark_side_deg is not None:
        side = (columns - x) * math.cos(math.radians(dark_side_deg)) + (rows - y) * math.sin(
            math.radians(dark_side_deg)
        )
        light = light * np.clip(0.8 - side / radius, 0.0, 1.0)
    noise = np.random.default_rng(3).normal(0, 1.2, size)
    return (10 + 180 * light + noise).astype(np.float32)


def rim_in_sight(x: float, y: float, radius: float, dark_side_deg: float | None) -> float:
    """Share of the circle of `lit_circle` that lies in the picture and is lit."""
    angle = np.arange(720) * (2 * math.pi / 720)
    column, row = x + radius * np.cos(angle), y + radius * np.sin(angle)
    seen = (column > 3) & (column < 797) & (row > 3) & (row < 597)
    if dark_side_deg is not None:
        seen &= np.cos(angle - math.radians(dark_side_deg)) < 0.7
    return float(seen.mean())


@settings(max_examples=25, deadline=None)
@given(
    st.floats(320, 480),
    st.floats(230, 370),
    st.floats(200, 420),
    st.floats(0.005, 0.04),
    st.sampled_from([None, 0.0, 100.0, 220.0]),
)
def test_any_field_off_centre_cut_or_half_dark_is_found(
    x: float, y: float, radius: float, rim: float, dark_side_deg: float | None
) -> None:
    white = lit_circle(x, y, radius, rim=rim, dark_side_deg=dark_side_deg)
    enough = rim_in_sight(x, y, radius, dark_side_deg) > ENOUGH_RIM_SHARE
    try:
        found = find_field(white)
    except NoFieldError:
        assert not enough
        return
    # half dark and cut off, as little as half of the rim shows, and light that falls towards it shifts its middle; with
    # less it may be refused, but not be found elsewhere
    off_px = math.hypot(found.centre_x_px - x, found.centre_y_px - y)
    assert off_px < (max(CENTRE_PX, 0.015 * radius) if enough else 0.1 * radius)
    assert abs(found.radius_px - radius) < (max(CENTRE_PX, 0.02 * radius) if enough else 0.1 * radius)


@pytest.mark.parametrize("seed", [1, 6, 16, 28])
def test_the_field_of_simulated_devices_is_found(half_unit: Units, shoot: Shoot, seed: int) -> None:
    unit = half_unit(seed)
    found = find_field(linear_dn(shoot(seed, "flat")))
    assert math.hypot(found.centre_x_px - unit.centre_x_px, found.centre_y_px - unit.centre_y_px) < CENTRE_PX
    assert found.radius_px == pytest.approx(unit.radius_px, abs=CENTRE_PX)


def test_a_finger_over_the_rim_moves_the_centre_by_less_than_three_pixels() -> None:
    white = lit_circle(400, 300, 270)
    cv2.ellipse(white, (130, 330), (90, 60), 0, 0, 360, 40.0, -1)
    found = find_field(white)
    assert math.hypot(found.centre_x_px - 400, found.centre_y_px - 300) < CENTRE_PX


def test_a_field_larger_than_the_picture_takes_all_of_it() -> None:
    white = np.full((300, 400), 180.0, np.float32)
    assert find_field(white).whole
    assert counted_tiles(find_field(white).as_field_of_view, TileGrid.of(400, 300, 50)).all()


@pytest.mark.parametrize(
    ("white", "error"),
    [
        (np.full((300, 400), 12.0, np.float32), PictureTooDarkError),
        (255 * (lit_circle(400, 300, 250) > 60).astype(np.float32), PictureTooBrightError),
        (np.where(np.arange(400)[None, :] < 200, 200.0, 10.0).repeat(300, axis=0).astype(np.float32), NoFieldError),
    ],
)
def test_dark_saturated_and_square_pictures_are_refused(
    white: NDArray[np.float32], error: type[CalibrationError]
) -> None:
    with pytest.raises(error) as raised:
        find_field(white)
    assert ";" in str(raised.value)  # what was seen; what to do


def test_tiles_outside_the_field_or_in_the_dark_do_not_count() -> None:
    grid = TileGrid.of(800, 600, 50)
    found = find_field(lit_circle(400, 300, 250)).as_field_of_view
    light = np.ones((grid.rows, grid.columns), np.float32)
    light[:, :8] = 0.01
    counted = counted_tiles(found, grid, light)
    assert not counted[:, :8].any()
    assert not counted[0, 0]
    assert counted[6, 8]
    assert counted.sum() < found.mask(grid).sum()


def test_dark_level_and_every_hot_pixel_of_a_device_are_found(half_unit: Units, shoot: Shoot) -> None:
    unit = half_unit(2)
    darks = [linear_dn(shoot(2, "dark", exposure_us=100_000.0, seed=seed)) for seed in range(4)]
    dark = dark_level(darks)
    assert dark.level_dn == pytest.approx(unit.black_level_dn, abs=0.1)
    assert {(x, y) for x, y, _ in dark.hot} == {(x, y) for x, y, _ in unit.hot_pixels}
    mended = without_hot_pixels(darks[0], dark)
    for x, y, _ in dark.hot:
        assert abs(mended[y, x] - dark.level_dn) < 3


def test_the_flat_field_evens_white_paper_out(half_unit: Units, shoot: Shoot) -> None:
    white = linear_dn(shoot(1, "flat"))
    dark = dark_level([linear_dn(shoot(1, "dark", exposure_us=2000.0, seed=seed)) for seed in range(2)])
    found = find_field(white, dark.level_dn).as_field_of_view
    flat = flat_field([white], dark, found)
    even = cv2.blur(evened(white, dark, flat), (15, 15))
    inner = field_mask(replace(found, radius_px=0.95 * found.radius_px), 1296, 972)
    assert np.ptp(white[inner]) > 60
    assert np.std(even[inner]) / np.mean(even[inner]) < 0.02
    light = tile_light(flat, TileGrid.of(1296, 972, 54))
    assert light.max() <= 1.02
    assert light[0, 0] == 0


@pytest.mark.parametrize(("target", "hand_share"), [("flat", 0.3), ("edges", 0.0)])
def test_a_hand_or_print_on_the_white_paper_is_refused(
    half_unit: Units, shoot: Shoot, target: str, hand_share: float
) -> None:
    unit = half_unit(2)
    field = FieldOfView(unit.centre_x_px, unit.centre_y_px, unit.radius_px)
    white = linear_dn(shoot(2, target, hand_share=hand_share))
    with pytest.raises(NotPlainError, match="take hand"):
        flat_field([white], DarkLevel(unit.black_level_dn, 1.0, ()), field)


def test_pictures_taken_with_the_lens_uncovered_are_no_dark_pictures(shoot: Shoot) -> None:
    white = linear_dn(shoot(1, "flat"))
    with pytest.raises(CalibrationError, match="cover the lens"):
        dark_level([white, white])
    with pytest.raises(CalibrationError, match="at least 2"):
        dark_level([white])
