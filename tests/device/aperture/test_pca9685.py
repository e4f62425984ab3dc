"""The servo on its chip, down to the registers: where it goes, how fast, and that it has power while it moves alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from device.aperture import pca9685
from device.aperture.pca9685 import Pca9685, ServoAperture, counts_of, open_bus, prescale_of
from device.aperture.plan import Travel
from device.aperture.table import ApertureTable
from device.clock import SECOND, FakeClock
from models.errors import HardwareError, InputError

TABLE = ApertureTable((1.4, 2.0, 2.8, 4.0, 5.6), (1800.0, 1600.0, 1450.0, 1300.0, 1200.0))
TRAVEL = Travel(lowest=1100.0, highest=1900.0, rate_per_s=1500.0, backlash=40.0)
CHANNEL = 3


@pytest.fixture
def bus(mechanics: ModuleType) -> Any:
    return mechanics.Pca9685Registers()


@pytest.fixture
def servo(mechanics: ModuleType, bus: Any, clock: FakeClock) -> Any:
    return mechanics.Servo(bus, clock, channel=CHANNEL, slack=25.0)


@pytest.fixture
def aperture(bus: Any, servo: Any, clock: FakeClock) -> ServoAperture:
    return ServoAperture(Pca9685(bus, clock, channel=CHANNEL), clock, table=TABLE, travel=TRAVEL)


def test_the_divider_is_that_of_the_data_sheet() -> None:
    assert prescale_of(50) == 121
    assert prescale_of(200) == 30  # the chip's own default
    assert counts_of(1500) == 307


def test_the_chip_starts_with_the_divider_set_asleep_and_the_channel_off(bus: Any, clock: FakeClock) -> None:
    bus.registers[0x00] = 0x00  # awake, as a former process left it
    bus.registers[0x06 + 4 * CHANNEL + 3] = 0x05  # and pulsing
    Pca9685(bus, clock, channel=CHANNEL).start()
    assert bus.written[:3] == [(0x00, 0x30), (0xFE, 121), (0x01, 0x04)]
    assert bus.written[-1] == (0x00, 0x20)
    assert bus.pulse_us(CHANNEL) is None
    assert bus.registers[0xFE] == 121


def test_a_pulse_has_its_length_within_a_count(bus: Any, clock: FakeClock) -> None:
    chip = Pca9685(bus, clock, channel=CHANNEL)
    chip.start()
    for pulse_us in (500.0, 1000.0, 1234.0, 1500.0, 2500.0):
        chip.pulse(pulse_us)
        assert bus.pulse_us(CHANNEL) == pytest.approx(pulse_us, abs=2.5)
    chip.pulse(9000.0)
    assert bus.pulse_us(CHANNEL) == pytest.approx(2500.0, abs=2.5)
    assert [bus.pulse_us(other) for other in range(16) if other != CHANNEL] == [None] * 15


def test_it_begins_wide_open(aperture: ServoAperture, servo: Any) -> None:
    assert aperture.f_number == 1.4
    assert servo.iris == pytest.approx(1800.0, abs=2.5)


def test_the_iris_is_where_the_table_says_from_whichever_side_it_comes(aperture: ServoAperture, servo: Any) -> None:
    for steps in (1, 1, 2, -1, -2, 3, -4, 2):
        f_number = aperture.move(steps)
        assert f_number == aperture.f_number
        assert servo.iris == pytest.approx(TABLE.position(f_number), abs=2.5)


def test_it_stops_at_the_ends_of_the_table_without_moving(aperture: ServoAperture, servo: Any) -> None:
    before = len(servo.history)
    assert aperture.move(-3) == 1.4
    assert len(servo.history) == before
    assert aperture.move(99) == 5.6


def test_it_moves_no_faster_than_its_rate_and_no_longer_than_its_time(
    aperture: ServoAperture, servo: Any, clock: FakeClock
) -> None:
    servo.history.clear()
    began_ns = clock.now_ns()
    aperture.move(4)
    assert clock.now_ns() - began_ns <= TRAVEL.longest_s * SECOND
    for (at, horn), (later, next_horn) in pairwise(servo.history):
        assert abs(next_horn - horn) <= TRAVEL.rate_per_s * (later - at) / SECOND + 3.0
    assert all(TRAVEL.lowest - 2.5 <= horn <= TRAVEL.highest + 2.5 for _, horn in servo.history)


def test_it_has_power_while_it_moves_alone(bus: Any, servo: Any, clock: FakeClock) -> None:
    power: list[bool] = []
    chip = Pca9685(bus, clock, channel=CHANNEL)
    aperture = ServoAperture(chip, clock, table=TABLE, travel=TRAVEL, power=power.append)
    assert (power, bus.pulse_us(CHANNEL)) == ([True, False], None)
    aperture.move(1)
    assert (power, bus.pulse_us(CHANNEL)) == ([True, False] * 2, None)
    aperture.close()
    aperture.close()
    assert power[-1] is False
    assert bus.closed == 1
    with pytest.raises(HardwareError, match="was closed"):
        aperture.move(1)
    assert aperture.f_numbers == TABLE.f_numbers


def test_a_chip_that_falls_silent_leaves_no_power_and_no_belief(aperture: ServoAperture, bus: Any, servo: Any) -> None:
    bus.broken = OSError(121, "Remote I/O error")
    with pytest.raises(HardwareError, match=r"0x40 does not answer .Remote I/O error.; check its power") as caught:
        aperture.move(1)
    assert "\n" not in str(caught.value)
    assert aperture.f_number is None
    bus.broken = None
    assert aperture.move(1) == 2.0  # from the open end again
    assert servo.iris == pytest.approx(1600.0, abs=2.5)


@pytest.mark.parametrize("answers", range(0, 60, 7))
def test_wherever_the_chip_falls_silent_power_is_switched_off(
    bus: Any, clock: FakeClock, servo: Any, answers: int
) -> None:
    power: list[bool] = []
    chip = Pca9685(bus, clock, channel=CHANNEL)
    aperture = ServoAperture(chip, clock, table=TABLE, travel=TRAVEL, power=power.append)
    bus.answers_left = answers
    with pytest.raises(HardwareError, match="does not answer"):
        aperture.move(3)
    assert not power[-1]


def test_a_chip_that_lost_its_power_is_found_out_and_set_up_again(
    aperture: ServoAperture, bus: Any, servo: Any
) -> None:
    bus.power_cycle()
    with pytest.raises(HardwareError, match="lost its settings or is another chip"):
        aperture.move(1)
    assert aperture.move(2) == 2.8
    assert servo.iris == pytest.approx(1450.0, abs=2.5)


def test_a_chip_that_is_absent_is_told_at_the_start(bus: Any, clock: FakeClock) -> None:
    with pytest.raises(HardwareError, match="0x41 does not answer"):
        ServoAperture(Pca9685(bus, clock, channel=0, address=0x41), clock, table=TABLE, travel=TRAVEL)
    assert bus.closed == 1


def test_a_table_that_does_not_fit_is_refused_before_anything_moves(bus: Any, clock: FakeClock) -> None:
    with pytest.raises(InputError, match="are not possible"):
        ServoAperture(Pca9685(bus, clock, channel=0), clock, table=TABLE, travel=Travel(1190.0, 1900.0, 1500.0, 40.0))
    assert bus.written == []


def test_the_bus_is_that_of_smbus2(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("smbus2")
    library.SMBus = lambda number: ("bus", number)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "smbus2", library)
    assert open_bus(1) == ("bus", 1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("No module named 'smbus2'"), "smbus2 is missing; install the extra"),
        (FileNotFoundError(2, "No such file or directory"), "/dev/i2c-1 does not open .No such file.*enable I²C"),
        (PermissionError(13, "Permission denied"), "add this user to the group i2c"),
    ],
)
def test_a_bus_that_does_not_open_is_told_in_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: str) -> Callable[..., Any]:
        raise error

    monkeypatch.setattr(pca9685.importlib, "import_module", failing)
    with pytest.raises(HardwareError, match=words) as caught:
        open_bus(1)
    assert "\n" not in str(caught.value)
