"""Advice reaches the aperture, and the clinician stops it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.aperture.fixed import FixedAperture
from device.assist import AssistSettings
from device.assisting import Assisting
from device.clock import MS, SECOND
from device.frame import ExposureInfo
from device.gate import GateState, Press
from device.status import Status
from models.focusmap import FocusMap, TileGrid

PERIOD_NS = 100 * MS


class Iris:
    """An aperture of four positions that moves at once."""

    f_numbers = (1.4, 2.0, 2.8, 4.0)

    def __init__(self) -> None:
        self.f_number = 1.4

    def move(self, steps: int) -> float:
        self.f_number = self.f_numbers[self.f_numbers.index(self.f_number) + steps]
        return self.f_number

    def close(self) -> None: ...


def status(number: int, state: GateState | None = None) -> Status:
    """A frame of which two thirds are in focus and the rest is blurred by 5 px, in good light."""
    score = (np.arange(9) < 6).astype(np.float32).reshape(3, 3)
    focus_map = FocusMap(
        grid=TileGrid(64, 64, 3, 3),
        blur_px=np.where(score > 0, 1.5, 5.0).astype(np.float32),
        p_in_focus=score,
        cause=np.zeros((3, 3), np.uint8),
        criterion_px=2.5,
        threshold=0.5,
        model_name="m",
        model_sha256="0" * 64,
        frame_id=number,
        exposed_ns=SECOND + number * PERIOD_NS,
    )
    exposure = ExposureInfo(exposure_us=1000.0, analogue_gain=1.0)
    return Status(gate=state or GateState(), focus_map=focus_map, exposure=exposure)


def moves(assisting: Assisting, iris: Iris, state: GateState | None = None) -> list[int]:
    """The moves asked for in five seconds, each carried out."""
    asked = []
    for number in range(1, 51):
        steps = assisting.tick(status(number, state), SECOND + number * PERIOD_NS + 20 * MS)
        if steps:
            asked.append(steps)
            iris.move(steps)
    return asked


def test_a_scene_that_falls_short_closes_the_aperture_and_comes_back_if_nothing_gets_better() -> None:
    iris = Iris()
    asked = moves(Assisting(AssistSettings(criterion_px=2.5), iris, 90), iris)
    assert asked[0] == 1
    assert sum(asked) == 0


def test_nothing_moves_while_the_clinician_paused_it() -> None:
    iris = Iris()
    assisting = Assisting(AssistSettings(criterion_px=2.5), iris, 90)
    assisting.paused = True
    assert moves(assisting, iris) == []


@pytest.mark.parametrize("state", [GateState(press=Press(1, override=False)), GateState(armed_until_ns=10**12)])
def test_nothing_moves_while_a_press_waits_or_an_override_is_armed(state: GateState) -> None:
    iris = Iris()
    assert moves(Assisting(AssistSettings(criterion_px=2.5), iris, 90), iris, state) == []


def test_before_the_first_judged_frame_and_without_an_actuator_there_is_no_advice() -> None:
    assert Assisting(AssistSettings(), Iris(), 90).tick(Status(), SECOND) == 0
    fixed = Assisting(AssistSettings(), FixedAperture(None), 90)
    assert [fixed.tick(status(number), SECOND + number * PERIOD_NS) for number in range(1, 20)] == [0] * 19


def test_without_the_exposure_nobody_knows_whether_the_light_allows_it() -> None:
    blind = Assisting(AssistSettings(criterion_px=2.5), Iris(), 90)
    unknown = [replace(status(number), exposure=ExposureInfo()) for number in range(1, 20)]
    assert [blind.tick(each, SECOND + number * PERIOD_NS) for number, each in enumerate(unknown, 1)] == [0] * 19
