"""Through-focus curve and criterion, from numbers made by formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.criterion import MOST_CRITERION_PX, criterion_px
from calibration.faults import CalibrationError, SweepError
from calibration.resolution import EdgePoint
from calibration.through_focus import FOCUS_POSITIONS, SweepStep, through_focus
from models.focusmap import FieldOfView

FIELD = FieldOfView(500.0, 400.0, 380.0)
LENS_MM, SPREAD_PX, LEAST_PX = 40.0, 60.0, 1.6


def sweep(
    distances: list[float], *, best: float = 0.4, sag: float = 1.2, tilt: float = 0.3, noise: float = 0.01
) -> list[SweepStep]:
    """A sweep over a bowl of best focus, with edges spread over the field."""
    rng = np.random.default_rng(2)
    angle, radius = rng.uniform(0, 2 * math.pi, 60), 0.95 * np.sqrt(rng.uniform(0, 1, 60))
    steps = []
    for z in distances:
        edges = []
        for u, v in zip(radius * np.cos(angle), radius * np.sin(angle), strict=True):
            focus = best + tilt * v - sag * (u * u + v * v)
            blur = math.hypot(LEAST_PX, SPREAD_PX * (z - focus) / (LENS_MM + z)) * math.exp(rng.normal(0, noise))
            edges.append(EdgePoint(500 + 380 * u, 400 + 380 * v, 0.35 / blur, blur, True))
        steps.append(SweepStep(z, 20.0 * (1 + z / LENS_MM), tuple(edges)))
    return steps


def test_best_distance_curvature_tilt_and_least_blur_are_recovered() -> None:
    found = through_focus(sweep([-6, -4, -2, -1, 0, 1, 2, 4, 6]), FIELD)
    assert found.best_mm == pytest.approx(0.4, abs=0.02)
    assert found.sag_mm == pytest.approx(1.2, abs=0.03)
    assert found.tilt_mm == pytest.approx(0.3, abs=0.03)
    assert found.tilt_deg == pytest.approx(90.0, abs=5.0)
    assert found.least_blur_px == pytest.approx(LEAST_PX, rel=0.02)
    assert found.spread_px == pytest.approx(SPREAD_PX, rel=0.02)
    assert found.distance_mm == pytest.approx(LENS_MM, rel=0.001)
    assert found.residual < 0.02


def test_a_sweep_of_focus_positions_needs_no_scale() -> None:
    rng = np.random.default_rng(4)
    steps = []
    for position in range(9):
        blurs = np.hypot(1.5, 1.1 * (position - 4.3)) * np.exp(rng.normal(0, 0.01, 30))
        angle = rng.uniform(0, 2 * math.pi, 30)
        places = 500 + 300 * np.cos(angle), 400 + 300 * np.sin(angle)
        edges = tuple(
            EdgePoint(float(x), float(y), 0.35 / b, float(b), True) for x, y, b in zip(*places, blurs, strict=True)
        )
        steps.append(SweepStep(float(position), 20.0, edges))
    found = through_focus(steps, FIELD, FOCUS_POSITIONS)
    assert found.blur_px(4.3, 300 / 380) == pytest.approx(1.5, rel=0.02)
    assert found.best_mm - found.sag_mm * (300 / 380) ** 2 == pytest.approx(4.3, abs=0.05)


def test_the_depth_of_field_ends_where_blur_meets_the_criterion() -> None:
    found = through_focus(sweep([-6, -4, -2, -1, 0, 1, 2, 4, 6]), FIELD)
    near, far = found.depth_mm(3.0) or (0.0, 0.0)
    assert near < found.best_mm < far
    assert found.blur_px(near) == pytest.approx(3.0)
    assert found.blur_px(far) == pytest.approx(3.0)
    assert found.depth_mm(1.0) is None


def test_the_rim_is_in_focus_nearer_than_the_middle() -> None:
    found = through_focus(sweep([-6, -4, -2, -1, 0, 1, 2, 4, 6]), FIELD)
    assert found.blur_px(-0.8, radius_share=1.0) < found.blur_px(-0.8)
    inner, _, outer = found.zones
    assert min(inner, key=lambda at: at[1])[0] > min(outer, key=lambda at: at[1])[0]


@pytest.mark.parametrize(
    ("distances", "advice"),
    [([-1, 0, 1], "take more"), ([1, 2, 3, 4, 5, 6], "go on nearer"), ([-6, -5, -4, -3, -2], "go on farther")],
)
def test_a_sweep_that_does_not_pass_best_focus_says_where_to_go_on(distances: list[float], advice: str) -> None:
    with pytest.raises(SweepError, match=advice):
        through_focus(sweep(distances), FIELD)


def test_distances_given_the_wrong_way_round_are_noticed() -> None:
    steps = [SweepStep(-step.distance_mm, step.um_per_px, step.edges) for step in sweep([-6, -3, 0, 3, 6])]
    with pytest.raises(SweepError, match="farther is larger"):
        through_focus(steps, FIELD)


@given(st.floats(5.0, 60.0), st.floats(120.0, 400.0), st.floats(0.1, 0.8))
def test_at_the_criterion_exactly_the_least_contrast_is_left(um: float, period: float, contrast: float) -> None:
    frequency = um / period
    try:
        radius = criterion_px(um, detail_period_um=period, least_contrast=contrast)
    except CalibrationError:
        assert frequency >= 0.5 or np.sinc(frequency) <= contrast
        return
    x = 2 * math.pi * radius * frequency
    t = (np.arange(1000) + 0.5) * np.pi / 1000
    left = (2 * np.cos(t - x * np.sin(t)).mean() / x if x > 1e-6 else 1.0) * np.sinc(frequency)
    assert left == pytest.approx(contrast, abs=1e-3) or radius == MOST_CRITERION_PX


def test_coarser_pixels_allow_less_blur_in_pixels() -> None:
    radii = [criterion_px(um) for um in (8.0, 12.0, 18.0, 25.0)]
    assert radii == sorted(radii, reverse=True)
    assert 2.0 < radii[-1] < radii[0] < 8.0
