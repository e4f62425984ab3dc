"""Scale from the printed board, and the pictures it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.charts.board import corners_mm
from calibration.faults import (
    BlurredChartError,
    CalibrationError,
    HiddenChartError,
    NoChartError,
    PictureTooBrightError,
    PictureTooDarkError,
    TiltedChartError,
)
from calibration.linear import linear_dn
from calibration.scale import ChartView, view_of_chart
from device.simulation.targets import Pose, to_pixels
from device.simulation.unit import Unit
from models.focusmap import FieldOfView

Units = Callable[[int], Unit]
Shoot = Callable[..., NDArray[np.uint8]]
View = Callable[..., ChartView]


@pytest.fixture
def view(half_unit: Units, shoot: Shoot) -> View:
    """view(seed, target="chart", **options of `picture`) -> what view_of_chart says of that unit's picture."""

    def seen(device: int, target: str = "chart", **options: float) -> ChartView:
        unit = half_unit(device)
        field = FieldOfView(unit.centre_x_px, unit.centre_y_px, unit.radius_px)
        return view_of_chart(linear_dn(shoot(device, target, **options)), field, black_dn=unit.black_level_dn)

    return seen


@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_scale_and_distortion_of_simulated_devices_are_found(half_unit: Units, view: View, seed: int) -> None:
    unit = half_unit(seed)
    found = view(seed)
    assert found.um_per_px == pytest.approx(unit.um_per_px, rel=0.003)
    assert found.distortion == pytest.approx(unit.distortion, abs=0.005)
    assert found.tilt_deg < 1.5


def test_a_slight_tilt_is_measured_and_does_not_move_the_scale(half_unit: Units, view: View) -> None:
    found = view(2, tilt_deg=5.0, tilt_towards_deg=30.0, rotation_deg=4.0)
    assert found.tilt_deg == pytest.approx(5.0, abs=0.4)
    assert found.rotation_deg == pytest.approx(4.0, abs=0.2)
    assert found.um_per_px == pytest.approx(half_unit(2).um_per_px, rel=0.005)


def test_every_point_of_the_page_is_placed_within_a_third_of_a_pixel(half_unit: Units, view: View) -> None:
    unit = half_unit(5)
    page = corners_mm()[np.hypot(*corners_mm().T) < 8.0]
    due = to_pixels(unit, Pose(tilt_deg=2.0), page)
    assert np.abs(view(5, tilt_deg=2.0).to_pixels(page) - due).max() < 0.34


@pytest.mark.parametrize(
    ("error", "advice", "options"),
    [
        (PictureTooDarkError, "switch the light on", {"fill": 0.05}),
        (PictureTooBrightError, "shorten the exposure", {"fill": 2.0}),
        (BlurredChartError, "working distance", {"distance_mm": 9.0}),
        (TiltedChartError, "square to the lens", {"tilt_deg": 14.0}),
        (HiddenChartError, "most missing on the left", {"hand_share": 0.45}),
    ],
)
def test_a_bad_picture_of_the_chart_is_refused_with_what_to_do(
    view: View, error: type[CalibrationError], advice: str, options: dict[str, float]
) -> None:
    with pytest.raises(error, match=advice) as raised:
        view(2, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("target", ["flat", "texture", "usaf"])
def test_a_picture_without_the_board_is_no_chart(view: View, target: str) -> None:
    with pytest.raises(NoChartError, match="no chart in the picture"):
        view(2, target)
