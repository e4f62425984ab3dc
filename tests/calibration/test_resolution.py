"""The blur surface over the field, from edges made by formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.resolution import EdgePoint, _without_outliers, blur_of_tiles, mtf50_near, surface_at, surface_of
from models.focusmap import TileGrid


def bowl(count: int = 80) -> tuple[EdgePoint, ...]:
    """Edges whose squared blur is a paraboloid, with noise of one percent."""
    rng = np.random.default_rng(6)
    x, y = rng.uniform(0, 1200, count), rng.uniform(0, 900, count)
    blur = np.sqrt(4.0 + 6.0 * ((x - 600) ** 2 + (y - 450) ** 2) / 600**2) * rng.normal(1, 0.01, count)
    return tuple(EdgePoint(float(a), float(b), 0.35 / c, float(c), True) for a, b, c in zip(x, y, blur, strict=True))


def test_the_surface_follows_the_curvature_of_the_field() -> None:
    edges = bowl()
    middle, rim = surface_at(surface_of(edges), np.array([[600.0, 450.0], [1100.0, 450.0]]), edges)
    assert middle == pytest.approx(2.0, rel=0.02)
    assert rim == pytest.approx(np.sqrt(4.0 + 6.0 * 500**2 / 600**2), rel=0.02)


def test_edges_on_dust_do_not_bend_it() -> None:
    edges = bowl()
    spoilt = (*edges[:70], *(replace(edge, blur_px=3 * edge.blur_px) for edge in edges[70:]))
    middle = surface_at(surface_of(spoilt), np.array([[600.0, 450.0]]), spoilt)[0]
    assert middle == pytest.approx(2.0, rel=0.05)
    kept = _without_outliers(spoilt)
    assert len(kept) == 70
    assert max(edge.blur_px for edge in kept) < 4.5


def test_few_edges_give_their_mean_and_no_shape() -> None:
    tiles = blur_of_tiles(bowl(8), TileGrid.of(1200, 900, 100))
    assert tiles.shape == (9, 12)
    assert np.ptp(tiles) < 1e-5


def test_the_mtf_near_a_place_is_that_of_its_edges_or_of_the_nearest_four() -> None:
    edges = bowl()
    assert mtf50_near(edges, 600, 450, 120) == pytest.approx(0.35 / 2.03, rel=0.03)
    assert mtf50_near(edges, -5000, 450, 1) < mtf50_near(edges, 600, 450, 120)
