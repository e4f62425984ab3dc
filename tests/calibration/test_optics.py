"""The whole of the optics from pictures of simulated devices; many more are tried by `device.simulation.trials`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.faults import BlurredChartError, SweepError, UprightChartError
from calibration.optics import ChartResult, Surroundings, chart_result, surroundings_of, swept
from calibration.resolution import blur_of_tiles, surface_of
from device.simulation.unit import Unit, disc_radius_px, fitting_exposure_us, picture, true_blur_px, true_mtf50
from models.focusmap import TileGrid

Units = Callable[[int], Unit]
Shoot = Callable[..., NDArray[np.uint8]]
SEED = 3
TILE_PX = 54


@pytest.fixture(scope="module")
def around(shoot: Shoot) -> Surroundings:
    darks = [shoot(SEED, "dark", exposure_us=100_000.0, seed=seed) for seed in range(2)]
    return surroundings_of(darks, [shoot(SEED, "flat")])


@pytest.fixture(scope="module")
def chart(shoot: Shoot, around: Surroundings) -> ChartResult:
    return chart_result(shoot(SEED, "chart"), around)


def test_every_edge_s_mtf50_is_near_the_truth_of_its_place(half_unit: Units, chart: ChartResult) -> None:
    unit = half_unit(SEED)
    x = np.array([edge.x_px for edge in chart.edges])
    y = np.array([edge.y_px for edge in chart.edges])
    due = np.array([true_mtf50(float(disc), unit.base_blur_px) for disc in disc_radius_px(unit, x, y, 0.0, 0.0)])
    error = np.array([edge.mtf50 for edge in chart.edges]) / due - 1
    assert len(chart.edges) > 40
    assert abs(np.median(error)) < 0.01
    assert np.abs(error).max() < 0.06
    assert chart.mtf50 == pytest.approx(float(np.median(due)), rel=0.05)


def test_the_blur_of_every_tile_in_the_field_is_near_the_truth(half_unit: Units, chart: ChartResult) -> None:
    unit = half_unit(SEED)
    grid = TileGrid.of(unit.width, unit.height, TILE_PX)
    inside = np.hypot(*(np.stack(grid.centres()) - [[[unit.centre_x_px]], [[unit.centre_y_px]]])) < 0.8 * unit.radius_px
    found = blur_of_tiles(chart.edges, grid)
    due = true_blur_px(unit, 0.0, 0.0, tile_px=TILE_PX)
    assert found.shape == due.shape
    assert np.abs(found / due - 1)[inside].max() < 0.06
    assert len(surface_of(chart.edges)) == 6


def test_a_coarse_sweep_finds_best_distance_and_curvature(half_unit: Units, shoot: Shoot, around: Surroundings) -> None:
    unit = half_unit(SEED)
    sweep = [(z, shoot(SEED, "chart", distance_mm=z)) for z in (-6.0, -3.0, -1.0, 1.0, 3.0, 6.0)]
    found = swept(sweep, around)
    assert found.best_mm == pytest.approx(unit.focus_offset_mm, abs=0.1)
    assert found.sag_mm == pytest.approx(unit.sag_mm, abs=0.15)
    assert found.distance_mm == pytest.approx(unit.working_distance_mm, rel=0.02)
    with pytest.raises(SweepError, match="go on"):
        swept([*sweep[2:], (2.0, shoot(SEED, "chart", distance_mm=2.0))], around)


def test_a_curve_of_tone_is_undone_before_anything_is_measured(half_unit: Units, shoot: Shoot) -> None:
    unit = replace(half_unit(SEED), tone="srgb")
    exposure_us = fitting_exposure_us(unit, fill=0.6)
    darks = [picture(unit, "dark", exposure_us=1000.0, seed=seed) for seed in range(2)]
    curved = surroundings_of(darks, [picture(unit, "flat", exposure_us=exposure_us)], "srgb")
    shot = picture(unit, "chart", exposure_us=exposure_us)
    x, y = np.array([unit.centre_x_px]), np.array([unit.centre_y_px])
    due = true_mtf50(float(disc_radius_px(unit, x, y, 0.0, 0.0)[0]), unit.base_blur_px)
    assert chart_result(shot, curved, "srgb").mtf50 == pytest.approx(due, rel=0.03)


def test_a_page_turned_so_that_its_edges_stand_upright_is_refused(shoot: Shoot, around: Surroundings) -> None:
    with pytest.raises(UprightChartError, match="turn the page"):
        chart_result(shoot(SEED, "chart", rotation_deg=-4.6), around)


def test_a_chart_that_is_far_out_of_focus_is_refused_as_such(shoot: Shoot, around: Surroundings) -> None:
    with pytest.raises(BlurredChartError, match="to the working distance"):
        chart_result(shoot(SEED, "chart", distance_mm=14.0), around)
