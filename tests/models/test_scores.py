"""Scores become a map only if they are scores; interpolation is monotone, exact at the edges, and in 0 to 1."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.classifier import Judging
from models.errors import InputError, ModelError
from models.focusmap import Cause, FieldOfView, Float32, FocusMap, TileGrid
from models.manifest import OUTPUT_NAMES, Manifest, load_manifest
from models.scores import TAIL, check_scores, focus_map_of, knots_of, knots_px, median_radius, probability_within

EDGES = 5
GRID = TileGrid(32, 32, 2, 3)
RADII_PX = knots_px((0.75, 1.5, 2.5, 4.0, 6.0))
LAST_PX = float(RADII_PX[-1])


@pytest.fixture
def manifest(tiny: Path) -> Manifest:
    return load_manifest(tiny)


def scores() -> list[NDArray[np.float32]]:
    """Good scores for GRID: everything detailed, bright and without glare."""
    cumulative = np.broadcast_to(np.array([0.1, 0.4, 0.6, 0.9, 1.0], np.float32), (2, 3, EDGES)).copy()
    tiles = (2, 3)
    return [cumulative, np.ones(tiles, np.float32), np.full(tiles, 99.0, np.float32), np.zeros(tiles, np.float32)]


def judged(outputs: list[NDArray[np.float32]], manifest: Manifest, judging: Judging | None = None) -> FocusMap:
    return focus_map_of(outputs, GRID, manifest, judging or Judging())


rising = hnp.arrays(np.float32, (2, 3, EDGES), elements=st.floats(0, 1, width=32)).map(lambda a: np.sort(a, axis=-1))
radius = st.floats(0.0, 1.5 * LAST_PX)


@given(rising, radius, radius)
def test_p_in_focus_never_falls_with_the_criterion_and_stays_in_0_to_1(cumulative: Float32, a: float, b: float) -> None:
    values, _ = knots_of(cumulative)
    low = probability_within(values, RADII_PX, min(a, b))
    high = probability_within(values, RADII_PX, max(a, b))
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= high + 1e-6).all()


@given(rising)
def test_p_in_focus_is_the_models_own_at_an_edge(cumulative: Float32) -> None:
    values, _ = knots_of(cumulative)
    for k in range(EDGES):
        assert np.array_equal(probability_within(values, RADII_PX, float(RADII_PX[k + 1])), cumulative[..., k])


@given(rising)
def test_nothing_is_within_radius_0_and_everything_within_the_last_knot(cumulative: Float32) -> None:
    values, _ = knots_of(cumulative)
    assert not probability_within(values, RADII_PX, 0.0).any()
    assert (probability_within(values, RADII_PX, LAST_PX) == 1).all()


@given(rising)
def test_half_of_the_probability_lies_within_the_median_radius(cumulative: Float32) -> None:
    values, steps = knots_of(cumulative)
    median = median_radius(values, steps, RADII_PX)
    assert (median >= 0).all()
    assert (median <= LAST_PX).all()
    for (row, column), radius_px in np.ndenumerate(median):
        around = values[row : row + 1, column : column + 1]
        just_over = probability_within(around, RADII_PX, float(radius_px) * (1 + 1e-5) + 1e-5)
        just_under = probability_within(around, RADII_PX, max(float(radius_px) * (1 - 1e-5) - 1e-5, 0.0))
        assert just_under.item() <= 0.5 + 1e-3
        assert just_over.item() >= 0.5 - 1e-3


@given(rising, rising)
def test_more_probability_at_every_edge_means_less_blur(one: Float32, other: Float32) -> None:
    more = median_radius(*knots_of(np.maximum(one, other)), RADII_PX)
    assert (more <= median_radius(*knots_of(one), RADII_PX) + 1e-4).all()


def test_interpolation_between_and_beyond_the_edges_is_linear() -> None:
    values, steps = knots_of(np.array([[[0.2, 0.4, 0.6, 0.7, 0.8]]], np.float32))
    for radius_px, expected in ((0.375, 0.1), (1.125, 0.3), (2.0, 0.5), (9.0, 0.9), (50.0, 1.0)):
        assert probability_within(values, RADII_PX, radius_px).item() == pytest.approx(expected, abs=1e-6)
    assert median_radius(values, steps, RADII_PX).item() == pytest.approx(2.0)


def test_the_median_lies_beyond_the_last_edge_if_less_than_half_is_within() -> None:
    assert median_radius(*knots_of(np.zeros((1, 1, EDGES), np.float32)), RADII_PX).item() == pytest.approx(
        6.0 + 0.5 * 6.0 * (TAIL - 1)
    )


def test_rounding_in_the_cumulative_is_forgiven_but_not_passed_on(manifest: Manifest) -> None:
    outputs = scores()
    outputs[0][0, 0] = [0.3, 0.299999, 0.5, 1.000004, 1.0]
    found = judged(outputs, manifest, Judging(criterion_px=5.0))
    assert found.p_in_focus.max() <= 1.0
    assert judged(outputs, manifest).p_in_focus[0, 0] == np.float32(0.3)


@pytest.mark.parametrize("output", range(len(OUTPUT_NAMES)))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 1e30, -1e30, 300.0])
def test_a_value_that_is_no_score_is_refused_anywhere(manifest: Manifest, output: int, value: float) -> None:
    for place in ((0, 0), (1, 2)):
        outputs = scores()
        outputs[output][place] = value
        with pytest.raises(ModelError, match=f"{OUTPUT_NAMES[output]}.*gate stays closed"):
            judged(outputs, manifest)


@pytest.mark.parametrize("name", ["cumulative", "detectable", "saturated"])
def test_a_probability_above_1_is_refused(manifest: Manifest, name: str) -> None:
    outputs = scores()
    outputs[OUTPUT_NAMES.index(name)][...] = 1.01
    with pytest.raises(ModelError, match=name):
        judged(outputs, manifest)


def test_a_cumulative_that_falls_is_refused(manifest: Manifest) -> None:
    outputs = scores()
    outputs[0][1, 1] = [0.1, 0.4, 0.39, 0.9, 1.0]
    with pytest.raises(ModelError, match="fall with the radius"):
        judged(outputs, manifest)


@pytest.mark.parametrize("output", range(len(OUTPUT_NAMES)))
@pytest.mark.parametrize("change", ["transposed", "extra row", "missing column", "flat", "scalar", "empty", "float64"])
def test_an_output_of_another_shape_or_type_is_refused(manifest: Manifest, output: int, change: str) -> None:
    outputs = scores()
    array = outputs[output]
    outputs[output] = {
        "transposed": np.swapaxes(array, 0, 1),
        "extra row": np.concatenate([array, array[:1]]),
        "missing column": array[:, :-1],
        "flat": array.ravel(),
        "scalar": np.float32(0.5).reshape(()),
        "empty": array[:0],
        "float64": array.astype(np.float64),
    }[change]
    with pytest.raises(ModelError, match=OUTPUT_NAMES[output]):
        judged(outputs, manifest)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_number_of_outputs_is_refused(count: int) -> None:
    with pytest.raises(ModelError, match=f"gave {count} outputs"):
        check_scores((scores() + scores())[:count], GRID, EDGES)


def test_something_that_is_no_array_is_refused() -> None:
    with pytest.raises(ModelError, match="detectable as list"):
        check_scores([scores()[0], [[1.0]], *scores()[2:]], GRID, EDGES)


def test_of_several_reasons_the_first_in_order_is_given(manifest: Manifest) -> None:
    outputs = scores()
    _, detectable, mean_luma, saturated = outputs
    detectable[:] = 0.0  # every tile without detail …
    saturated[0, 1:] = 1.0  # … two of them glare
    mean_luma[0, 2] = 0.0  # … one of these dark
    mean_luma[1, 2] = 0.0  # one dark and outside
    field = FieldOfView(centre_x_px=0.0, centre_y_px=0.0, radius_px=80.0)
    found = judged(outputs, manifest, Judging(field=field)).cause
    wanted = [[Cause.NO_DETAIL, Cause.GLARE, Cause.OUTSIDE], [Cause.NO_DETAIL, Cause.NO_DETAIL, Cause.OUTSIDE]]
    assert found.tolist() == wanted
    assert judged(outputs, manifest).cause[0, 2] == Cause.DARK


def test_the_limits_themselves_are_still_judged(manifest: Manifest) -> None:
    outputs = scores()
    for output, value in zip(
        outputs[1:], (manifest.min_detectable, manifest.dark_luma, manifest.glare_share), strict=True
    ):
        output[...] = np.float32(value)
    assert judged(outputs, manifest).judged_tiles == GRID.rows * GRID.columns


@pytest.mark.parametrize(("dark_luma", "judged_tiles"), [(0.0, 6), (8.0, 6), (50.0, 5)])
def test_a_device_may_need_more_light_than_the_manifest_asks_never_less(
    manifest: Manifest, dark_luma: float, judged_tiles: int
) -> None:
    outputs = scores()
    outputs[2][0, 1] = 49.0
    outputs[2][1, 1] = manifest.dark_luma
    found = judged(outputs, manifest, Judging(dark_luma=dark_luma))
    assert found.judged_tiles == judged_tiles - (dark_luma > manifest.dark_luma)


def test_the_manifests_criterion_and_threshold_hold_unless_the_caller_gives_others(manifest: Manifest) -> None:
    own = judged(scores(), manifest)
    assert (own.criterion_px, own.threshold, own.in_focus) == (1.5, 0.5, 0)
    other = judged(scores(), manifest, Judging(criterion_px=2.5, threshold=0.6, min_judged_percent=7))
    assert (other.criterion_px, other.threshold, other.min_judged_percent) == (2.5, 0.6, 7)
    assert other.in_focus == other.total == 6


@pytest.mark.parametrize("criterion_px", [0.0, -1.0, math.nan, math.inf, 12.01])
def test_a_criterion_that_the_model_cannot_know_is_refused(manifest: Manifest, criterion_px: float) -> None:
    with pytest.raises(InputError, match="criterion"):
        judged(scores(), manifest, Judging(criterion_px=criterion_px))


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.5, 90.0, math.nan])
def test_a_threshold_that_is_no_probability_is_refused(manifest: Manifest, threshold: float) -> None:
    with pytest.raises(InputError, match="threshold"):
        judged(scores(), manifest, Judging(threshold=threshold))
