"""The stepper with its end switch: homing has an end, steps are counted, and every fault takes the power away."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from device.aperture.coils import FourPhase, StepDir
from device.aperture.plan import Travel
from device.aperture.stepper import Homing, StepperAperture
from device.aperture.table import ApertureTable
from device.clock import SECOND, FakeClock
from models.errors import HardwareError, InputError

TABLE = ApertureTable((1.4, 2.0, 2.8, 4.0, 5.6), (80.0, 140.0, 190.0, 240.0, 280.0))
TRAVEL = Travel(lowest=20.0, highest=300.0, rate_per_s=400.0, backlash=10.0)
HOMING = Homing(longest_steps=400, clear_steps=20, check_every=5)
STEP, DIRECTION, ENABLE, SWITCH = 17, 27, 22, 25
PHASES = (17, 27, 22, 23)

Make = Callable[..., tuple[StepperAperture, Any]]


@pytest.fixture(params=["STEP and DIR", "four phases"])
def iris(request: pytest.FixtureRequest, mechanics: ModuleType, clock: FakeClock) -> Any:
    lines = (STEP, DIRECTION, ENABLE) if request.param == "STEP and DIR" else PHASES
    return mechanics.SteppedIris(lines, clock, switch=SWITCH)


@pytest.fixture
def build(iris: Any, clock: FakeClock) -> Callable[[], StepperAperture]:
    def made() -> StepperAperture:
        coils = (
            StepDir(iris, clock, step=STEP, direction=DIRECTION, enable=ENABLE)
            if len(iris.lines) == 3
            else FourPhase(iris, PHASES)
        )
        return StepperAperture(coils, lambda: not iris.read(SWITCH), clock, table=TABLE, travel=TRAVEL, homing=HOMING)

    return made


@pytest.mark.parametrize("position", [-8, 0, 1, 30, 299])
def test_from_wherever_it_stands_it_homes_and_goes_wide_open(
    build: Callable[[], StepperAperture], iris: Any, position: int
) -> None:
    iris.position = position
    assert build().f_number == 1.4
    assert iris.position == 80
    assert not iris.powered


def test_the_iris_is_where_the_table_says(build: Callable[[], StepperAperture], iris: Any) -> None:
    aperture = build()
    for steps in (1, 1, 2, -1, -2, 3, -4, 2, -9, 9, -2):
        f_number = aperture.move(steps)
        assert f_number == aperture.f_number
        assert iris.position == TABLE.position(f_number)
        assert not iris.powered


def test_a_move_to_where_it_stands_takes_no_step(build: Callable[[], StepperAperture], iris: Any) -> None:
    aperture = build()
    before = iris.steps
    assert aperture.move(-1) == 1.4
    assert aperture.move(0) == 1.4
    assert iris.steps == before


def test_a_move_is_no_faster_than_its_rate_and_no_longer_than_its_time(
    build: Callable[[], StepperAperture], iris: Any, clock: FakeClock
) -> None:
    aperture = build()
    before, began_ns = iris.steps, clock.now_ns()
    aperture.move(4)
    took_s = (clock.now_ns() - began_ns) / SECOND
    assert (iris.steps - before) / took_s <= TRAVEL.rate_per_s
    assert took_s <= TRAVEL.longest_s


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"jammed": True}, "end switch is not reached within 400 steps"),
        ({"backwards": True}, "end switch is not reached within 400 steps"),
        ({"stuck": False}, "end switch is not reached within 400 steps"),
        ({"stuck": True}, "end switch stays closed"),
        ({"jammed": True, "position": 0}, "end switch stays closed"),
        ({"backwards": True, "position": 0}, "end switch stays closed"),
    ],
)
def test_homing_that_cannot_succeed_comes_to_an_end_without_power(
    build: Callable[[], StepperAperture], iris: Any, fault: dict[str, Any], words: str
) -> None:
    for name, value in fault.items():
        setattr(iris, name, value)
    with pytest.raises(HardwareError, match=words) as caught:
        build()
    assert "\n" not in str(caught.value)
    assert iris.steps <= HOMING.longest_steps + 2 * HOMING.clear_steps
    assert not iris.powered


def test_lost_steps_are_found_out_within_a_few_moves(build: Callable[[], StepperAperture], iris: Any) -> None:
    aperture = build()
    iris.loses = 9

    def examine() -> None:
        for steps in (4, -4) * HOMING.check_every:
            aperture.move(steps)

    with pytest.raises(HardwareError, match=r"lost \d+ steps|steps were lost"):
        examine()
    assert not iris.powered
    assert aperture.f_number is None
    iris.loses = 0
    assert aperture.move(1) == 2.0  # homes first
    assert iris.position == 140


def test_a_jam_while_running_is_found_out_at_the_next_look_at_the_switch(
    build: Callable[[], StepperAperture], iris: Any
) -> None:
    aperture = build()
    iris.jammed = True

    def examine() -> None:
        for steps in (1, -1) * HOMING.check_every:
            aperture.move(steps)

    with pytest.raises(HardwareError, match="end switch is not reached"):
        examine()
    assert not iris.powered


def test_a_switch_that_closes_on_the_way_stops_the_motor_at_once(
    build: Callable[[], StepperAperture], iris: Any
) -> None:
    aperture = build()
    aperture.move(2)
    iris.position = 60  # somebody turned it by hand
    with pytest.raises(HardwareError, match="end switch closed 130 steps too early"):
        aperture.move(-2)
    assert iris.position == 0
    assert not iris.powered


def test_a_gpio_chip_that_vanishes_is_an_error_and_no_belief(build: Callable[[], StepperAperture], iris: Any) -> None:
    aperture = build()
    iris.broken = HardwareError("aperture.step (GPIO17): No such device")
    with pytest.raises(HardwareError, match="No such device"):
        aperture.move(1)
    assert aperture.f_number is None
    aperture.close()
    aperture.close()


def test_closing_takes_the_power_away(build: Callable[[], StepperAperture], iris: Any) -> None:
    aperture = build()
    aperture.close()
    assert not iris.powered
    assert aperture.f_number is None
    assert aperture.f_numbers == TABLE.f_numbers


def test_the_lines_rest_where_the_motor_has_no_power(build: Callable[[], StepperAperture], iris: Any) -> None:
    build()
    assert {name for name, high in iris.claimed.items() if high} == (
        {"aperture.enable"} if len(iris.lines) == 3 else set()
    )


@pytest.mark.parametrize(
    ("travel", "homing", "words"),
    [
        (TRAVEL, Homing(longest_steps=400, clear_steps=70), "from 80 are not possible; allowed: above 80 steps"),
        (TRAVEL, Homing(longest_steps=299, clear_steps=20), "longest_steps = 299 is not possible; .* at least .* 300"),
        (Travel(75.0, 300.0, 400.0, 10.0), HOMING, "are not possible"),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused_before_anything_moves(
    iris: Any, clock: FakeClock, travel: Travel, homing: Homing, words: str
) -> None:
    coils = FourPhase(iris, PHASES)
    with pytest.raises(InputError, match=words):
        StepperAperture(coils, lambda: False, clock, table=TABLE, travel=travel, homing=homing)
    assert iris.steps == 0
