"""MTF of edges whose point spread is known by formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.faults import NoEdgeError
from calibration.slanted_edge import blur_px_of, edge_mtf, falls_to

GAUSS_PARTS = np.linspace(-4, 4, 161)


def disc_edge(x: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Light of an edge behind a uniform disc: the disc's area left of x (a segment of a circle)."""
    u = np.clip(x / radius, -1, 1)
    return np.asarray(0.5 + (u * np.sqrt(1 - u**2) + np.arcsin(u)) / math.pi)


def picture_of_edge(
    gauss: float, radius: float, slant_deg: float, shape: tuple[int, int] = (80, 64), offset: float = 0.0
) -> NDArray[np.float64]:
    """An edge through Gauss, disc and square pixels, by sums over fine points; 0 to 1."""
    fine = 6
    rows, columns = shape[0] * fine, shape[1] * fine
    x = (np.arange(columns) + 0.5) / fine - shape[1] / 2 - offset
    y = (np.arange(rows) + 0.5) / fine - shape[0] / 2
    slant = math.radians(slant_deg)
    away = np.cos(slant) * x[None, :] - np.sin(slant) * y[:, None]
    table_x = np.linspace(-30, 30, 6001)
    weight = np.exp(-(GAUSS_PARTS**2) / 2)
    table = (
        sum(w * disc_edge(table_x - gauss * part, radius) for w, part in zip(weight, GAUSS_PARTS, strict=True))
        / weight.sum()
    )
    light = np.interp(away, table_x, table)
    return light.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


def known_mtf50(gauss: float, radius: float) -> float:
    """By formula along the normal of an edge at a small slant: jinc · Gauss · sinc of the pixel."""
    frequency = np.linspace(1e-4, 1.0, 8000)
    t = (np.arange(400) + 0.5) * np.pi / 400
    x = 2 * np.pi * radius * frequency
    jinc = 2 * np.cos(t[None, :] - x[:, None] * np.sin(t)[None, :]).mean(axis=1) / x
    return falls_to(frequency, np.abs(jinc) * np.exp(-2 * (np.pi * gauss * frequency) ** 2) * np.sinc(frequency))


@pytest.mark.parametrize("slant_deg", [3.0, 5.0, -5.0, 9.0])
@pytest.mark.parametrize(("gauss", "radius"), [(0.5, 0.3), (0.5, 1.0), (0.8, 1.5), (1.4, 2.0), (0.7, 4.0)])
def test_mtf50_of_a_known_point_spread_is_right_to_two_percent(gauss: float, radius: float, slant_deg: float) -> None:
    edge = 20 + 180 * picture_of_edge(gauss, radius, slant_deg)
    assert edge_mtf(edge).mtf50 == pytest.approx(known_mtf50(gauss, radius), rel=0.02)


def test_the_whole_curve_is_right_not_only_its_half() -> None:
    found = edge_mtf(20 + 180 * picture_of_edge(0.6, 1.2, 5.0))
    x = 2 * np.pi * 1.2 * found.frequency + 1e-9
    t = (np.arange(400) + 0.5) * np.pi / 400
    jinc = 2 * np.cos(t[None, :] - x[:, None] * np.sin(t)[None, :]).mean(axis=1) / x
    due = np.abs(jinc) * np.exp(-2 * (np.pi * 0.6 * found.frequency) ** 2) * np.sinc(found.frequency)
    low = found.frequency < 0.4
    assert np.abs(found.modulation - due)[low].max() < 0.02


@pytest.mark.parametrize("turn", ["level", "mirrored", "negative"])
def test_level_mirrored_and_negative_edges_give_the_same(turn: str) -> None:
    edge = 20 + 180 * picture_of_edge(0.8, 1.5, 5.0)
    other = {"level": edge.T, "mirrored": edge[:, ::-1], "negative": 220 - edge}[turn]
    assert edge_mtf(other).mtf50 == pytest.approx(edge_mtf(edge).mtf50, rel=0.005)


def test_noise_of_a_good_picture_moves_mtf50_by_less_than_three_percent() -> None:
    rng = np.random.default_rng(5)
    edge = 20 + 180 * picture_of_edge(0.8, 1.5, 5.0)
    found = [edge_mtf(edge + rng.normal(0, 2.5, edge.shape)).mtf50 for _ in range(40)]
    assert np.mean(found) == pytest.approx(known_mtf50(0.8, 1.5), rel=0.02)
    assert np.std(found) < 0.03 * known_mtf50(0.8, 1.5)


def test_the_blur_of_a_pure_disc_is_its_radius() -> None:
    found = edge_mtf(20 + 180 * picture_of_edge(0.02, 2.5, 5.0))
    assert blur_px_of(found.frequency, found.modulation) == pytest.approx(2.5, rel=0.03)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 1.4), st.floats(0.5, 4.0), st.floats(2.5, 8.0), st.floats(-3.0, 3.0))
def test_any_blur_slant_and_place_is_measured_within_three_percent(
    gauss: float, radius: float, slant_deg: float, offset: float
) -> None:
    edge = 20 + 180 * picture_of_edge(gauss, radius, slant_deg, offset=offset)
    assert edge_mtf(edge).mtf50 == pytest.approx(known_mtf50(gauss, radius), rel=0.03)


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        (np.full((40, 40), 100.0), "contrast"),
        (20 + 180 * picture_of_edge(0.6, 1.0, 0.2), "leans"),
        (np.zeros((4, 40)), "at least"),
    ],
)
def test_what_is_no_slanted_edge_is_refused_with_a_reason(patch: NDArray[np.float64], what: str) -> None:
    with pytest.raises(NoEdgeError, match=what):
        edge_mtf(patch)
