"""The simulated world as a whole: repeatable, physical, and honest about its own blur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.aperture.simulated import SimulatedAperture
from device.camera.simulated import SimulatedCamera
from device.clock import MS, SECOND, FakeClock
from device.simulation.render import HEADROOM, RADII_PX, _layer, noise_deviation
from device.simulation.settings import WorldSettings
from device.simulation.tone import to_linear
from device.simulation.world import SimulatedWorld
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


@pytest.mark.parametrize("light", [1.0, 0.05])
def test_the_noise_is_that_of_photons_and_read_out_at_the_gain(light: float) -> None:
    flat = SimulatedWorld(replace(SETTINGS, light=light, hand=0.0, glare_percent=0.0, overshoot_mm=0.0))
    seen = flat.expose(HELD_NS)
    other = flat.expose(HELD_NS + 1)  # the same picture, other noise
    difference = seen.luma.astype(np.float32) - other.luma
    level = (seen.luma.astype(np.float32) + other.luma) / 2
    due = noise_deviation(flat.settings, seen.exposure.gain)
    for low in (100, 130):
        there = (level >= low) & (level < low + 8)
        found = difference[there].std() / np.sqrt(2)
        expected = np.sqrt(due[low + 4] ** 2 + 1 / 12)
        assert there.sum() > 500
        assert found == pytest.approx(expected, rel=0.12)
    flat.close()


@pytest.mark.parametrize("radius_px", [radius for radius in RADII_PX if radius >= 1.5])
def test_every_layer_spreads_a_point_by_the_second_moment_of_its_disc(radius_px: float) -> None:
    point = np.zeros((256, 256), np.float32)
    point[126:130, 126:130] = HEADROOM * 0.5
    layer = to_linear(_layer(point, radius_px).astype(np.float32) / 255)
    own = to_linear(_layer(point, 0.0).astype(np.float32) / 255)
    assert _variance(layer) - _variance(own) == pytest.approx(radius_px**2 / 4, rel=0.12)


def _variance(picture: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Second moment about the middle along one axis, averaged over both, px²."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float64)
    weight = picture / picture.sum()
    return float((weight * ((x - (weight * x).sum()) ** 2 + (y - (weight * y).sum()) ** 2)).sum() / 2)


def test_the_still_has_the_luma_that_was_judged(world: SimulatedWorld) -> None:
    seen = world.expose(HELD_NS)
    rgb = world.still(seen).astype(np.float32)
    luma = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    unclipped = (rgb > 0).all(axis=2) & (rgb < 255).all(axis=2)
    assert unclipped.mean() > 0.8
    assert np.abs(luma - seen.luma)[unclipped].max() <= 1.0


def test_a_grid_that_does_not_fit_is_refused(world: SimulatedWorld) -> None:
    with pytest.raises(InputError, match="does not fit"):
        world.truth(TileGrid.of(512, 320, 64), HELD_NS)


def test_the_hand_sets_out_when_the_camera_is_first_opened() -> None:
    world, clock = SimulatedWorld(SETTINGS), FakeClock(5 * SECOND)
    first = SimulatedCamera(world, clock).read()
    assert np.array_equal(first.luma, SimulatedWorld(SETTINGS).expose(0).luma)
    clock.advance_ns(6 * SECOND)
    SimulatedCamera(world, clock)  # opened again: the hand goes on
    assert world.truth(GRID, clock.now_ns()).fraction(2.5) >= 0.95


def test_on_a_fake_clock_each_frame_takes_one_period() -> None:
    world = SimulatedWorld(SETTINGS)
    clock = FakeClock(5 * SECOND)
    camera = SimulatedCamera(world, clock, fps=10.0)
    frames = [camera.read() for _ in range(3)]
    assert [frame.exposed_ns - 5 * SECOND for frame in frames] == [0, 100 * MS, 200 * MS]
    assert [frame.id for frame in frames] == [1, 2, 3]
    before = frames[0].luma.copy()
    camera.read()
    assert np.array_equal(frames[0].luma, before)
    assert frames[0].info.f_number == world.f_number


def test_a_late_reader_misses_frames_rather_than_seeing_old_ones() -> None:
    world = SimulatedWorld(SETTINGS)
    clock = FakeClock(5 * SECOND)
    camera = SimulatedCamera(world, clock, fps=10.0)
    camera.read()
    clock.advance_ns(SECOND)
    assert camera.read().exposed_ns == 6 * SECOND
    assert camera.read().exposed_ns >= 6 * SECOND
