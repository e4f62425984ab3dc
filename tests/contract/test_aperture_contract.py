"""What every aperture keeps, whatever drives it. A new driver is one line in APERTURES."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from device.aperture.coils import Coils, FourPhase, StepDir
from device.aperture.fixed import FixedAperture
from device.aperture.pca9685 import Pca9685, ServoAperture
from device.aperture.plan import Travel
from device.aperture.protocol import Aperture
from device.aperture.simulated import SimulatedAperture
from device.aperture.stepper import Homing, StepperAperture
from device.aperture.supervised import SupervisedAperture
from device.aperture.table import ApertureTable
from device.clock import MS, FakeClock
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld


@cache
def small_world() -> SimulatedWorld:
    return SimulatedWorld(WorldSettings(width=128, height=128))


TABLE = ApertureTable((1.4, 2.0, 2.8, 4.0), (100.0, 160.0, 210.0, 250.0))


def load_mechanics() -> ModuleType:
    """Chips, servos and motors, from tests/fakes."""
    path = Path(__file__).parents[1] / "fakes" / "mechanics.py"
    spec = importlib.util.spec_from_file_location("fake_mechanics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_mechanics"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def servo() -> Aperture:
    clock = FakeClock(MS)
    pulses = ApertureTable(TABLE.f_numbers, (1800.0, 1600.0, 1500.0, 1400.0))
    chip = Pca9685(load_mechanics().Pca9685Registers(), clock, channel=0)
    return ServoAperture(chip, clock, table=pulses, travel=Travel(1300.0, 1900.0, 1500.0, backlash=30.0))


def stepper(*lines: int) -> Aperture:
    clock = FakeClock(MS)
    iris = load_mechanics().SteppedIris(lines, clock)
    if len(lines) == 4:
        coils: Coils = FourPhase(iris, (lines[0], lines[1], lines[2], lines[3]))
    else:
        coils = StepDir(iris, clock, step=lines[0], direction=lines[1], enable=lines[2])
    return StepperAperture(
        coils, lambda: bool(iris.closed), clock, table=TABLE, travel=Travel(20.0, 300.0, 400.0), homing=Homing(400)
    )


APERTURES: dict[str, Callable[[], Aperture]] = {
    "simulated": lambda: SimulatedAperture(small_world()),
    "fixed": lambda: FixedAperture(4.0),
    "unknown": lambda: FixedAperture(None),
    "servo": servo,
    "stepper with STEP and DIR": lambda: stepper(17, 27, 22),
    "stepper with four phases": lambda: stepper(17, 27, 22, 23),
    "supervised": lambda: SupervisedAperture(servo(), FakeClock()),
}


@pytest.fixture(params=list(APERTURES))
def aperture(request: pytest.FixtureRequest) -> Iterator[Aperture]:
    made = APERTURES[request.param]()
    yield made
    made.close()


def test_f_numbers_rise(aperture: Aperture) -> None:
    assert list(aperture.f_numbers) == sorted(set(aperture.f_numbers))


def test_the_position_is_one_of_the_f_numbers_or_unknown(aperture: Aperture) -> None:
    assert aperture.f_number in (*aperture.f_numbers, None)


@pytest.mark.parametrize("steps", [0, 1, -1, 1000, -1000])
def test_a_move_ends_within_the_limits_and_says_where(aperture: Aperture, steps: int) -> None:
    found = aperture.move(steps)
    assert found == aperture.f_number
    assert found in (*aperture.f_numbers, None)


def test_closing_raises_the_f_number_and_opening_lowers_it_where_there_is_room(aperture: Aperture) -> None:
    if len(aperture.f_numbers) < 2:
        assert aperture.move(1) == aperture.move(-1)
        return
    aperture.move(-1000)
    wide = aperture.f_number
    assert wide is not None
    closed = aperture.move(1)
    assert closed is not None
    assert closed > wide
    assert aperture.move(-1) == wide


def test_it_can_be_closed_twice(aperture: Aperture) -> None:
    aperture.close()
    aperture.close()
