"""Reading a USAF-1951 target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.charts.usaf import usaf_layout
from calibration.faults import NoChartError
from calibration.usaf import divmod_element, read_usaf
from device.simulation.targets import Pose, drawn_layout
from device.simulation.unit import Unit, drawn_unit

UM_PER_PX = 20.0


@pytest.fixture(scope="module")
def target() -> Callable[[float], NDArray[np.float32]]:
    """target(turn) -> an ideal picture of the target, 20 µm a pixel, less its dark level."""
    unit: Unit = replace(drawn_unit(1, width=800, height=800), um_per_px=UM_PER_PX, distortion=0.0)
    unit = replace(unit, centre_x_px=400.0, centre_y_px=400.0)

    def shown(turn_deg: float) -> NDArray[np.float32]:
        fine = drawn_layout(unit, Pose(rotation_deg=turn_deg), usaf_layout())
        return fine.reshape(800, 2, 800, 2).mean(axis=(1, 3)).astype(np.float32) * np.float32(200)

    return shown


@pytest.mark.parametrize("turn_deg", [0.0, 7.0, 93.0])
def test_scale_and_finest_element_are_read_however_the_target_lies(
    target: Callable[[float], NDArray[np.float32]], turn_deg: float
) -> None:
    found = read_usaf(target(turn_deg), um_per_px=UM_PER_PX * 1.04)
    assert found.um_per_px == pytest.approx(UM_PER_PX, rel=0.01)
    assert (found.group, found.element) >= (2, 4)  # bars of 4.4 px
    assert found.elements[0][:2] == (0, 1)


def test_the_name_of_the_coarsest_element_serves_instead_of_a_scale(
    target: Callable[[float], NDArray[np.float32]],
) -> None:
    found = read_usaf(target(0.0), coarsest=(0, 1))
    assert found.um_per_px == pytest.approx(UM_PER_PX, rel=0.01)


def test_clear_bars_on_dark_are_read_as_well(target: Callable[[float], NDArray[np.float32]]) -> None:
    found = read_usaf(np.float32(190) - target(0.0), um_per_px=UM_PER_PX)
    assert found.um_per_px == pytest.approx(UM_PER_PX, rel=0.01)


def test_without_scale_or_name_nothing_can_be_said(target: Callable[[float], NDArray[np.float32]]) -> None:
    with pytest.raises(NoChartError, match="name of its coarsest element"):
        read_usaf(target(0.0))


def test_white_paper_is_no_target() -> None:
    with pytest.raises(NoChartError, match="at least 3"):
        read_usaf(np.full((300, 300), 150.0, np.float32), um_per_px=UM_PER_PX)


def test_running_numbers_name_group_and_element() -> None:
    assert divmod_element(0) == (0, 1)
    assert divmod_element(17) == (2, 6)
    assert divmod_element(-1) == (-1, 6)
