"""Lens, light, kernels and hand against formulas worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.simulation.hand import hold_span_s, pose_at
from device.simulation.kernels import disc_kernel, line_kernel, variance
from device.simulation.optics import (
    AIRY_DISC_RADIUS,
    DISC_AT_HALF_CONTRAST,
    PUPIL_AT_HALF_CONTRAST,
    SHORTEST_EXPOSURE_US,
    ExposureLimits,
    Lens,
    auto_exposure,
    blur_radius_px,
    defocus_radius_px,
    diffraction_radius_px,
    smear_px,
)
from device.simulation.settings import _RANGES, F_NUMBERS, WorldSettings, usable_f_numbers
from models.errors import InputError

LENS = Lens(focal_length_mm=2.8, focus_distance_mm=40.0, pixel_pitch_um=1.4, wavelength_nm=550.0)


@pytest.mark.parametrize(
    ("f_number", "distance_mm", "radius_px"),
    [
        (2.8, 50.0, 5.3763),  # 2.8/2.8 mm × 0.075269 × 10/50 = 15.054 µm across; / 2 / 1.4 µm
        (1.4, 38.0, 2.8297),  # 2.8/1.4 mm × 0.075269 × 2/38 = 7.9230 µm across
        (5.6, 58.0, 4.1713),  # 2.8/5.6 mm × 0.075269 × 18/58 = 11.680 µm across
    ],
)
def test_the_circle_of_confusion_is_that_of_the_thin_lens(
    f_number: float, distance_mm: float, radius_px: float
) -> None:
    assert defocus_radius_px(LENS, f_number, distance_mm) == pytest.approx(radius_px, rel=1e-4)
    array = defocus_radius_px(LENS, f_number, np.array([[distance_mm]]))
    assert array.shape == (1, 1)
    assert array[0, 0] == pytest.approx(radius_px, rel=1e-4)


@given(st.floats(20.0, 80.0), st.floats(1.0, 16.0))
def test_blur_rings_are_conjugate_to_rays_through_the_pupil(distance_mm: float, f_number: float) -> None:
    """The same by another way: image distances by 1/f = 1/s + 1/i, then similar triangles behind the pupil."""
    sensor_mm = 1 / (1 / 2.8 - 1 / 40.0)
    image_mm = 1 / (1 / 2.8 - 1 / distance_mm)
    radius_mm = 2.8 / f_number / 2 * abs(sensor_mm - image_mm) / image_mm
    assert defocus_radius_px(LENS, f_number, distance_mm) == pytest.approx(radius_mm / 0.0014, abs=1e-9)


def test_blur_vanishes_at_focus_and_halves_when_the_f_number_doubles() -> None:
    assert defocus_radius_px(LENS, 2.8, 40.0) == 0.0
    assert defocus_radius_px(LENS, 5.6, 45.0) == pytest.approx(defocus_radius_px(LENS, 2.8, 45.0) / 2)


def test_the_discs_for_diffraction_halve_contrast_where_the_pupil_does() -> None:
    x = (np.arange(4000) + 0.5) / 4000
    chord = np.sqrt(1 - x**2)
    disc = (np.cos(DISC_AT_HALF_CONTRAST * x) * chord).sum() / chord.sum()
    v = PUPIL_AT_HALF_CONTRAST
    pupil = 2 / math.pi * (math.acos(v) - v * math.sqrt(1 - v**2))
    assert (disc, pupil) == pytest.approx((0.5, 0.5), abs=1e-4)
    assert pytest.approx(0.8727, abs=1e-4) == AIRY_DISC_RADIUS


def test_diffraction_grows_with_the_f_number_and_adds_in_quadrature() -> None:
    assert diffraction_radius_px(LENS, 5.6) == pytest.approx(2.0645, abs=1e-3)  # 0.8727 × 0.55 µm × 6.0215 / 1.4 µm
    assert diffraction_radius_px(LENS, 2.8) == pytest.approx(diffraction_radius_px(LENS, 5.6) / 2)
    total = blur_radius_px(LENS, 5.6, 44.0)
    assert total**2 == pytest.approx(defocus_radius_px(LENS, 5.6, 44.0) ** 2 + diffraction_radius_px(LENS, 5.6) ** 2)


def test_smear_is_speed_times_exposure_in_pixels() -> None:
    assert smear_px(LENS, 10.0, 8000.0) == pytest.approx(0.08 * LENS.px_per_mm)


@pytest.mark.parametrize(
    ("light", "exposure_us", "gain", "level"),
    [(1.0, 5000.0, 1.0, 1.0), (0.5, 8000.0, 1.25, 1.0), (0.01, 8000.0, 16.0, 0.256)],
)
def test_the_exposure_is_lengthened_first_then_amplified_then_too_dark(
    light: float, exposure_us: float, gain: float, level: float
) -> None:
    found = auto_exposure(ExposureLimits(5000.0, 2.8, 8000.0, 16.0), 2.8, light)
    assert (found.exposure_us, found.gain, found.level) == pytest.approx((exposure_us, gain, level))


def test_the_exposure_is_never_shorter_than_the_sensor_can() -> None:
    found = auto_exposure(ExposureLimits(5000.0, 2.8, 8000.0, 16.0), 1.4, 100.0)
    assert (found.exposure_us, found.gain) == (SHORTEST_EXPOSURE_US, 1.0)
    assert found.level == pytest.approx(20.0 / 12.5)  # too bright, and it says so


def test_closing_the_iris_by_two_stops_takes_four_times_the_exposure() -> None:
    limits = ExposureLimits(5000.0, 2.8, 1e6, 16.0)
    assert auto_exposure(limits, 5.6, 1.0).exposure_us == pytest.approx(4 * auto_exposure(limits, 2.8, 1.0).exposure_us)


@given(st.floats(0.0, 20.0))
def test_a_disc_sums_to_one_and_has_its_second_moment(radius_px: float) -> None:
    kernel = disc_kernel(radius_px)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert variance(kernel) == pytest.approx(radius_px**2 / 4, rel=0.01, abs=0.002)


@given(st.floats(0.0, 15.0), st.floats(0.0, 2 * math.pi))
def test_a_smear_sums_to_one_and_has_its_second_moment(length_px: float, angle: float) -> None:
    kernel = line_kernel(length_px * math.cos(angle), length_px * math.sin(angle))
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert 2 * variance(kernel) == pytest.approx(length_px**2 / 12, rel=0.02, abs=0.02)


def test_the_hand_comes_from_far_overshoots_and_holds() -> None:
    motion = WorldSettings(seed=3).motion
    start_s, end_s = hold_span_s(motion)
    assert pose_at(motion, 0.0).distance_mm == pytest.approx(motion.far_mm, abs=1.0)
    overshoot = min(pose_at(motion, start_s * share).distance_mm for share in np.linspace(0.5, 1.0, 50))
    assert overshoot < motion.hold_mm - 2.0
    held = [pose_at(motion, at_s).distance_mm for at_s in np.linspace(start_s, end_s, 100)]
    assert max(abs(distance - motion.hold_mm) for distance in held) < 1.0


@given(st.floats(0.0, 60.0))
def test_the_hand_moves_without_jumps_and_the_same_each_time(at_s: float) -> None:
    motion = WorldSettings(seed=5).motion
    before, after = pose_at(motion, at_s), pose_at(motion, at_s + 0.001)
    assert abs(after.distance_mm - before.distance_mm) < 0.1
    assert pose_at(motion, at_s) == before


@pytest.mark.parametrize(
    "wrong", [{"width": 10}, {"f_number": 3.0}, {"light": float("nan")}, {"focal_length_mm": 30.0}, {"dome_mm": -1.0}]
)
def test_a_world_that_cannot_be_is_refused_in_one_line(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError) as caught:
        WorldSettings(**wrong)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1


@given(st.sampled_from(_RANGES), st.booleans(), st.floats(1e-3, 1e3))
def test_every_value_outside_its_range_is_refused_by_name(
    item: tuple[str, float, float], above: bool, excess: float
) -> None:
    name, low, high = item
    value = high * (1 + excess) + excess if above else low - excess
    with pytest.raises(InputError, match=rf"^simulation: {name} = .*; allowed are ") as caught:
        WorldSettings(**{name: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@given(st.integers(0, 2**31))
def test_every_varied_world_can_be_and_is_the_same_each_time(seed: int) -> None:
    settings = WorldSettings.varied(seed)
    assert settings == WorldSettings.varied(seed)
    assert settings != WorldSettings.varied(seed + 1)
    assert WorldSettings.varied(seed, width=128, height=96) == replace(settings, width=128, height=96)
    assert all(low <= getattr(settings, name) <= high for name, low, high in _RANGES)


def test_apertures_that_diffraction_spoils_are_not_usable() -> None:
    lens, usable = WorldSettings().lens, usable_f_numbers(2.5)
    assert usable == F_NUMBERS[: len(usable)]
    assert diffraction_radius_px(lens, usable[-1]) <= 0.75 * 2.5 < diffraction_radius_px(lens, F_NUMBERS[len(usable)])
    assert usable_f_numbers(0.1) == ()
    assert {WorldSettings.varied(seed, (1.4, 2.0)).f_number for seed in range(20)} == {1.4, 2.0}


def test_hands_of_different_seeds_move_differently() -> None:
    one, other = (pose_at(WorldSettings(seed=seed).motion, 6.0) for seed in (1, 2))
    assert one != other
