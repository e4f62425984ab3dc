from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.study import microscope, simulated

IDEAL = replace(microscope.HOECHST, spherical_waves=0.0)


def test_the_first_dark_ring_in_focus_lies_where_airy_put_it() -> None:
    radii, spread = microscope.radial_spread(IDEAL, 0.0)
    near = radii < 0.9
    darkest = radii[near][np.argmin(spread[near])]
    assert darkest == pytest.approx(0.61 * IDEAL.wavelength_um / IDEAL.aperture, abs=0.06)


def test_the_transfer_function_in_focus_is_that_of_a_round_pupil() -> None:
    frequencies, table = microscope.transfer(IDEAL, 0.0)
    s = frequencies / frequencies[-1]
    expected = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2))
    assert np.abs(table - expected).max() < 0.02


@pytest.mark.parametrize("defocus_um", [10.0, 30.0])
def test_most_light_of_a_defocused_point_lies_within_the_cone_of_geometric_optics(defocus_um: float) -> None:
    radii, spread = microscope.radial_spread(IDEAL, defocus_um)
    light = np.cumsum(spread * radii)
    edge_um = microscope.geometric_blur_px(IDEAL, defocus_um) * IDEAL.binned_um
    within = light[np.searchsorted(radii, edge_um)] / light[-1]
    assert 0.85 < within < 1.0


def test_above_and_below_are_alike_without_aberration_and_differ_with_it() -> None:
    for objective, alike in ((IDEAL, True), (microscope.HOECHST, False)):
        above = microscope.transfer(objective, 12.0)[1]
        below = microscope.transfer(objective, -12.0)[1]
        assert (np.abs(above - below).max() < 1e-4) == alike


def test_the_pixel_is_as_published() -> None:
    assert microscope.HOECHST.binned_um == pytest.approx(0.645)


def test_a_field_is_drawn_the_same_from_the_same_seed_and_differs_from_another() -> None:
    first, second = (simulated.render_fields(3, "b02", 1, (64, 64)) for _ in range(2))
    other = simulated.render_fields(4, "b02", 1, (64, 64))
    assert np.array_equal(first[0].planes, second[0].planes)
    assert not np.array_equal(first[0].planes, other[0].planes)


def test_planes_15_to_17_are_the_sharpest_and_the_rest_falls_off_on_both_sides() -> None:
    for field in simulated.render_fields(3, "b02", 1, (96, 96)):
        planes = field.planes.astype(float)
        detail = [np.square(np.diff(plane, axis=0)).mean() for plane in planes]
        assert int(np.argmax(detail)) in {15, 16, 17}
        assert detail[16] > detail[10] > detail[4]
        assert detail[16] > detail[22] > detail[28]


def test_pictures_hold_twelve_bits_above_a_black_level() -> None:
    for field in simulated.render_fields(5, "c02", 2, (64, 64)):
        assert field.planes.dtype == np.uint16
        assert field.planes.shape == (34, 64, 64)
        assert field.planes.max() <= simulated.WHITE
        assert field.planes.min() > simulated.BLACK_LEVEL - 6 * simulated.READ_NOISE
        assert field.labels.max() >= 1
