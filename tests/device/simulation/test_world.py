"""The simulated world as a whole: repeatable, physical, and honest about its own blur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.aperture.simulated import SimulatedAperture
from device.clock import MS, SECOND
from device.simulation.hand import pose_at
from device.simulation.optics import blur_radius_px
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld, TrueFocus
from models.errors import InputError
from models.focusmap import TileGrid

SETTINGS = WorldSettings(seed=2, width=384, height=320)
HELD_NS, FAR_NS = 6 * SECOND, 0
GRID = TileGrid.of(384, 320, 64)


@pytest.fixture(scope="module")
def world() -> Iterator[SimulatedWorld]:
    made = SimulatedWorld(SETTINGS)
    yield made
    made.close()


def test_the_same_time_gives_the_same_bytes(world: SimulatedWorld) -> None:
    again = SimulatedWorld(SETTINGS)
    assert np.array_equal(world.expose(HELD_NS, 2.8).luma, again.expose(HELD_NS, 2.8).luma)
    assert not np.array_equal(world.expose(HELD_NS, 2.8).luma, world.expose(HELD_NS + 100 * MS, 2.8).luma)
    again.close()


def test_nothing_is_in_focus_from_far_and_all_at_the_hold(world: SimulatedWorld) -> None:
    assert world.truth(GRID, FAR_NS, 2.8).fraction(2.5) == 0.0
    assert world.truth(GRID, HELD_NS, 2.8).fraction(2.5) >= 0.95


def test_the_picture_agrees_with_the_truth_about_where_it_is_sharper(world: SimulatedWorld) -> None:
    def fine(at_ns: int) -> float:
        luma = world.expose(at_ns, 2.8).luma[100:220, 120:260]
        return float(np.var(cv2.Laplacian(luma, cv2.CV_32F)))

    assert fine(HELD_NS) > 2 * fine(FAR_NS)


def test_closing_the_iris_of_a_tilted_scene_brings_more_into_focus_and_costs_light() -> None:
    tilted = SimulatedWorld(replace(SETTINGS, tilt_mm=5.0, dome_mm=4.0, light=0.3))
    wide, small = (tilted.truth(GRID, HELD_NS, stop).fraction(2.5) for stop in (1.4, 4.0))
    assert small > wide + 0.2
    assert tilted.expose(HELD_NS, 4.0).exposure.gain > tilted.expose(HELD_NS, 1.4).exposure.gain
    tilted.close()


def test_the_actuator_moves_the_iris_of_the_world_within_its_limits(world: SimulatedWorld) -> None:
    aperture = SimulatedAperture(world)
    before = aperture.f_number
    assert aperture.move(1) > before
    assert world.f_number == aperture.f_number
    assert aperture.move(-100) == aperture.f_numbers[0]
    aperture.move(aperture.f_numbers.index(before))
    assert aperture.f_number == before


def test_the_still_has_the_luma_that_was_judged(world: SimulatedWorld) -> None:
    seen = world.expose(HELD_NS)
    rgb = world.still(seen).astype(np.float32)
    luma = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    unclipped = (rgb > 0).all(axis=2) & (rgb < 255).all(axis=2)
    assert unclipped.mean() > 0.8
    assert np.abs(luma - seen.luma)[unclipped].max() <= 1.0


def test_colour_out_of_focus_is_as_soft_as_the_luma() -> None:
    """Measured on red over luma, which does not depend on the luma's own detail or noise."""
    lit = SimulatedWorld(replace(SETTINGS, full_well_e=1e7, read_noise_e=0.0, adc_bits=16, glare_percent=0.0, hand=0.0))

    def detail(at_ns: int) -> float:
        rgb = lit.still(lit.expose(at_ns, 2.8))[100:220, 120:260].astype(np.float32)
        redness = rgb[..., 0] / np.maximum(rgb @ np.array([0.299, 0.587, 0.114], np.float32), 1.0)
        return float(np.var(cv2.Laplacian(cv2.GaussianBlur(redness, (0, 0), 1.5), cv2.CV_32F)))

    assert detail(FAR_NS) < 0.25 * detail(HELD_NS)
    lit.close()


def test_the_truth_of_a_tile_is_the_lens_formula_at_its_distance() -> None:
    level = SimulatedWorld(replace(SETTINGS, tilt_mm=0.0, dome_mm=0.0, os_depth_mm=0.0, folds_mm=0.0, hand=0.0))
    middle = TileGrid(128, 64, 5, 3)  # its tile (2, 1) lies on the cervix, which is flat here
    for at_ns, f_number in ((HELD_NS, 2.8), (2 * SECOND, 1.4), (FAR_NS, 5.6)):
        distance_mm = pose_at(level.settings.motion, at_ns / SECOND).distance_mm
        depth_mm = level._tissue.depth_mm[32:33, 36:37].astype(np.float64)  # the block at px 292, 260 of the canvas
        due = blur_radius_px(level.settings.lens, f_number, distance_mm + depth_mm)
        truth = level.truth(middle, at_ns, f_number)
        assert truth.blur_px[2, 1] == pytest.approx(float(due[0, 0]), rel=1e-4)
        assert truth.motion_px == 0.0
    level.close()


def test_a_hand_that_moves_adds_its_smear_to_the_blur_of_every_tile() -> None:
    still, moving = (SimulatedWorld(replace(SETTINGS, hand=hand, light=0.3)) for hand in (0.0, 3.0))
    with_ = moving.truth(GRID, HELD_NS, 2.8)
    pose, radius = moving._view(HELD_NS, 2.8)
    later = pose_at(moving.settings.motion, HELD_NS / SECOND + 0.001)
    speed_mm_s = np.hypot(later.x_mm - pose.x_mm, later.y_mm - pose.y_mm) / 0.001
    assert with_.motion_px == pytest.approx(speed_mm_s * 8e-3 * moving.settings.lens.px_per_mm)
    assert (with_.blur_px**2).min() >= radius.min() ** 2 + with_.motion_px**2 / 6 - 1e-6
    assert still.truth(GRID, HELD_NS, 2.8).motion_px == 0.0
    still.close()
    moving.close()


def test_the_fraction_counts_only_tiles_of_the_field() -> None:
    blur = np.array([[1.0, 2.0, 9.0]])
    assert TrueFocus(blur, np.array([[True, True, False]]), 0.0).fraction(1.5) == 0.5
    assert TrueFocus(blur, np.array([[True, True, True]]), 0.0).fraction(2.0) == pytest.approx(2 / 3)


def test_a_grid_that_does_not_fit_is_refused(world: SimulatedWorld) -> None:
    with pytest.raises(InputError, match="does not fit"):
        world.truth(TileGrid.of(512, 320, 64), HELD_NS)
