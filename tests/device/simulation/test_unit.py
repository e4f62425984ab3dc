"""The drawn unit: what calibration is tested against must itself be right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.charts.board import FINE_BOARD, corners_mm
from device.simulation.targets import Pose, to_pixels, to_target
from device.simulation.unit import (
    SimulatedStage,
    Unit,
    best_focus_mm,
    drawn_unit,
    fitting_exposure_us,
    picture,
    true_blur_px,
    true_mtf50,
)


def small(seed: int) -> Unit:
    return drawn_unit(seed, width=640, height=480)


def test_the_same_seed_gives_the_same_unit_and_another_seed_another() -> None:
    assert small(5) == small(5)
    assert small(5).um_per_px != small(6).um_per_px


def test_tables_rise_and_parameters_stay_in_their_ranges() -> None:
    for seed in range(200):
        unit = small(seed)
        assert all(np.diff(unit.f_numbers) > 0)
        assert all(np.diff(unit.positions) > 0)
        assert 8.0 <= unit.um_per_px <= 25.0
        assert unit.lower_stop < unit.upper_stop


def test_projection_and_its_inverse_agree() -> None:
    unit = replace(small(3), distortion=-0.05)
    pose = Pose(2.0, 12.0, 40.0, 7.0, (0.4, -0.3))
    points = np.random.default_rng(1).uniform(-2, 2, (50, 2))
    assert np.allclose(to_target(unit, pose, to_pixels(unit, pose, points)), points, atol=1e-6)


def test_a_flat_target_in_the_middle_has_the_unit_s_scale() -> None:
    unit = replace(small(4), centre_x_px=320.0, centre_y_px=240.0)
    pixels = to_pixels(unit, Pose(), np.array([[-0.05, 0.0], [0.05, 0.0]]))
    assert (pixels[1, 0] - pixels[0, 0]) * unit.um_per_px == pytest.approx(100.0, rel=1e-4)


def test_the_mtf50_of_gauss_and_pixel_is_that_of_the_textbook() -> None:
    # A wide Gaussian alone: sqrt(2·ln 2)/(2π·s); the pixel's share is small but not nothing.
    frequency = np.sqrt(2 * np.log(2)) / (2 * np.pi * 4.0)
    assert true_mtf50(0.0, 4.0) == pytest.approx(frequency, rel=0.01)


def test_blur_is_least_at_the_best_distance_and_falls_with_the_aperture() -> None:
    unit = small(7)
    middle = float(best_focus_mm(unit, np.array(unit.centre_x_px), np.array(unit.centre_y_px)))
    at_best = true_blur_px(unit, middle, 0.0, tile_px=40)
    away = true_blur_px(unit, middle + 5.0, 0.0, tile_px=40)
    stopped_down = true_blur_px(unit, middle + 5.0, 0.5, tile_px=40)
    assert at_best.shape == (12, 16)
    assert at_best.dtype == np.float32
    assert at_best.min() < stopped_down.min() < away.min()


def test_photons_make_the_noise_that_the_gain_promises() -> None:
    unit = small(8)
    shots = [picture(unit, "flat", exposure_us=fitting_exposure_us(unit), seed=seed) for seed in (1, 2)]
    y, x = int(unit.centre_y_px), int(unit.centre_x_px)
    window = (slice(y - 40, y + 40), slice(x - 40, x + 40))
    one, two = (shot[window].astype(np.float64) for shot in shots)
    signal = (one.mean() + two.mean()) / 2 - unit.black_level_dn
    expected = signal / unit.gain_e_per_dn + (unit.read_noise_e / unit.gain_e_per_dn) ** 2 + 1 / 12
    assert np.var(one - two) / 2 == pytest.approx(expected, rel=0.1)


def test_a_dark_picture_shows_the_black_level_and_the_hot_pixels() -> None:
    unit = small(9)
    dark = picture(unit, "dark", exposure_us=100_000.0)
    assert dark.mean() == pytest.approx(unit.black_level_dn, abs=0.3)
    for x, y, _ in unit.hot_pixels:
        assert dark[y, x] > unit.black_level_dn + 5


def test_the_chart_s_corners_lie_where_the_projection_says() -> None:
    unit = small(10)
    shot = picture(unit, "chart", exposure_us=fitting_exposure_us(unit)).astype(np.float32)
    corners = to_pixels(unit, Pose(), corners_mm(FINE_BOARD))
    inside = corners[np.hypot(corners[:, 0] - unit.centre_x_px, corners[:, 1] - unit.centre_y_px) < 100]
    assert len(inside) >= 1
    for x, y in inside.astype(int):
        patch = shot[y - 6 : y + 7, x - 6 : x + 7]
        assert np.ptp(patch) > 60  # black and white meet here
        assert np.abs(patch - patch[::-1, ::-1]).mean() < 0.15 * np.ptp(patch)  # a saddle is the same turned by 180°


def test_a_curve_of_tone_is_applied_after_the_noise() -> None:
    unit = small(11)
    linear = picture(unit, "flat", exposure_us=200.0)
    curved = picture(replace(unit, tone="srgb"), "flat", exposure_us=200.0)
    assert curved.mean() > linear.mean()


def test_the_stage_has_play_and_stops() -> None:
    unit = small(12)
    stage = SimulatedStage(unit)
    stage.move_to(0.5)
    up = stage.iris
    stage.move_to(0.8)
    stage.move_to(0.5)
    assert stage.iris - up == pytest.approx(unit.backlash, abs=6 * unit.repeatability)
    took_s = stage.move_to(1.0)
    assert stage.iris <= unit.upper_stop
    assert took_s == pytest.approx(0.5 / unit.travel_per_s + unit.settle_s)
    before = stage.iris
    stage.move_to(1.0 - unit.backlash / 4)
    assert stage.iris == before  # within the play nothing moves


def test_a_hand_hides_the_left_of_the_chart() -> None:
    unit = small(13)
    exposure_us = fitting_exposure_us(unit)
    free = picture(unit, "chart", exposure_us=exposure_us)
    hidden = picture(unit, "chart", exposure_us=exposure_us, hand_share=0.3)
    assert (free != hidden)[:, :150].mean() > 0.3
    assert abs(free[:, 400:].mean() - hidden[:, 400:].mean()) < 0.5
