"""The whole of the optics from pictures of simulated devices; many more are tried by `device.simulation.trials`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.faults import BlurredChartError, SweepError, UprightChartError
from calibration.field import FoundField
from calibration.optics import ChartResult, Surroundings, chart_result, middle_mtf50, surroundings_of, swept
from calibration.resolution import EdgePoint, blur_of_tiles, mtf50_near, surface_of
from calibration.through_focus import ThroughFocus
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


def test_the_middles_mtf50_is_right_though_every_edge_lies_apart_from_it() -> None:
    field = FoundField(1000.0, 800.0, 700.0, 0.9, 1.0, False)
    sweep = ThroughFocus(0.5, 1.5, 0.4, 30.0, 1.2, 60.0, 40.0, 0.01, ())
    rng = np.random.default_rng(2)
    angle, share = rng.uniform(0, 2 * np.pi, 40), rng.uniform(0.2, 0.5, 40)
    u, v = share * np.cos(angle), share * np.sin(angle)
    blur = sweep.blur_at(u, v)
    edges = tuple(
        EdgePoint(1000 + 700 * x, 800 + 700 * y, 0.36 / b * noise, b, True)
        for x, y, b, noise in zip(u, v, blur, rng.normal(1.0, 0.01, 40), strict=True)
    )
    due = 0.36 / float(sweep.blur_at(np.zeros(1), np.zeros(1))[0])
    assert middle_mtf50(edges, sweep, field) == pytest.approx(due, rel=0.01)
    assert mtf50_near(edges, 1000.0, 800.0, 0.35 * 700) != pytest.approx(due, rel=0.03)


@pytest.mark.parametrize("distance_mm", [-2.0, 0.0, 3.0])
def test_blur_over_the_field_is_that_of_the_middle_and_of_the_rings(distance_mm: float) -> None:
    sweep = ThroughFocus(0.5, 1.5, 0.0, 0.0, 1.2, 60.0, 40.0, 0.01, ())
    shares = np.array([0.0, 0.4, 0.9])
    rings = [sweep.blur_px(distance_mm, float(share)) for share in shares]
    assert sweep.blur_at(shares, np.zeros(3), distance_mm) == pytest.approx(rings)
    assert sweep.blur_at(np.zeros(3), -shares, distance_mm) == pytest.approx(rings)
