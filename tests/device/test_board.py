"""Real parts from their configuration: numbers are checked, no line does two things, no part is missed in silence."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from device.aperture.fixed import FixedAperture
from device.aperture.supervised import SupervisedAperture
from device.assist import AssistSettings
from device.board import check_wiring, open_aperture, open_pins
from device.camera.picamera2_settings import PiCameraSettings
from device.clock import MS, FakeClock
from device.config import parse_config
from device.config_board import (
    ApertureConfig,
    AssistConfig,
    FixedApertureConfig,
    PiCameraConfig,
    RpiPinsConfig,
    ServoApertureConfig,
    StepperApertureConfig,
)
from device.pins.reserve import PinMap
from device.pins.rpi import RpiGpio
from models.errors import HardwareError, InputError

SERVO = {"kind": "servo", "f_numbers": [1.4, 2, 2.8], "positions": [1800, 1500, 1300]}
STEPPER = {
    "kind": "stepper",
    "f_numbers": [1.4, 2.0, 2.8],
    "positions": [100.0, 160.0, 200.0],
    "highest": 220.0,
    "longest_steps": 300,
}
CHIP = {"step": 17, "direction": 27, "enable": 22}
PHASES = {"phases": [17, 27, 22, 23]}


def aperture_config(**values: object) -> Any:
    return TypeAdapter(ApertureConfig).validate_python(values)


def load_fake(name: str) -> ModuleType:
    path = Path(__file__).parents[1] / "fakes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fake_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"fake_{name}"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000 * MS)


def no_gpio() -> RpiGpio:
    raise AssertionError("this aperture needs no lines")


def test_the_defaults_are_those_of_the_drivers() -> None:
    assert RpiPinsConfig().pins() == PinMap()
    assert PiCameraConfig().settings() == PiCameraSettings()
    assert AssistConfig().settings(2.0) == AssistSettings(criterion_px=2.0)


def test_a_camera_is_asked_for_what_was_written() -> None:
    config = PiCameraConfig(
        name="ov5647", width=1296, height=972, fps=10.0, exposure_us=8000, red_gain=1.5, blue_gain=1.75
    )
    assert config.settings() == PiCameraSettings(
        name="ov5647", width=1296, height=972, fps=10.0, exposure_us=8000, white_balance=(1.5, 1.75)
    )
    with pytest.raises(InputError, match="go together"):
        PiCameraConfig(red_gain=1.5).settings()


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (PiCameraConfig, {"width": 1297}),
        (PiCameraConfig, {"buffers": 3}),
        (PiCameraConfig, {"layout": "RGB888"}),
        (RpiPinsConfig, {"capture": 28}),
        (RpiPinsConfig, {"capture": 5.0}),
        (RpiPinsConfig, {"capture": None}),
        (ServoApertureConfig, {"f_numbers": [1.4], "positions": [1500.0]}),
        (ServoApertureConfig, {**SERVO, "f_numbers": [2.0, 1.4, 2.8]}),
        (ServoApertureConfig, {**SERVO, "f_numbers": [1.4, 1.4, 2.8]}),
        (ServoApertureConfig, {**SERVO, "f_numbers": [0.0, 1.4, 2.8]}),
        (ServoApertureConfig, {**SERVO, "f_numbers": [1.4, 2.0, float("nan")]}),
        (ServoApertureConfig, {**SERVO, "positions": [1500, 1800, 1300]}),
        (ServoApertureConfig, {**SERVO, "positions": [1500, 1500, 1300]}),
        (ServoApertureConfig, {**SERVO, "positions": [499, 1500, 2000]}),
        (ServoApertureConfig, {**SERVO, "address": 0x78}),
        (ServoApertureConfig, {**SERVO, "longest_s": 2.0}),
        (StepperApertureConfig, {**STEPPER, "phases": [17, 27, 22]}),
        (AssistConfig, {"largest_gain": 0.5}),
    ],
)
def test_what_is_out_of_range_is_refused(section: Any, values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        section(**values)


def test_a_table_that_is_none_is_refused_with_its_key_and_the_reason() -> None:
    with pytest.raises(InputError) as caught:
        parse_config({"aperture": {**SERVO, "f_numbers": [2.0, 1.4, 2.8]}}, "focusgate.toml")
    assert str(caught.value) == (
        "focusgate.toml: aperture.f_numbers = [2.0, 1.4, 2.8] is not possible; "
        "allowed: values that rise from one to the next"
    )


def test_parts_that_want_one_line_are_refused_by_name() -> None:
    check_wiring(RpiPinsConfig(), aperture_config(**STEPPER, **CHIP))
    check_wiring(None, aperture_config(**SERVO, enable=5))
    with pytest.raises(InputError, match=r"aperture.enable and pins.capture both use GPIO5"):
        check_wiring(RpiPinsConfig(), aperture_config(**SERVO, enable=5))
    with pytest.raises(InputError, match=r"I²C data line and pins.buzzer both use GPIO2"):
        check_wiring(RpiPinsConfig(buzzer=2), aperture_config(**SERVO))
    check_wiring(RpiPinsConfig(buzzer=2), aperture_config(**SERVO, bus=3))
    with pytest.raises(InputError, match=r"aperture.switch and aperture.phases\[3\] both use GPIO23"):
        check_wiring(RpiPinsConfig(), aperture_config(**STEPPER, **PHASES, switch=23))


@pytest.mark.parametrize("lines", [{}, {"step": 17}, {**CHIP, **PHASES}, {"step": 17, **PHASES}])
def test_a_stepper_is_driven_in_one_way(lines: dict[str, object]) -> None:
    with pytest.raises(InputError, match="set either step, direction and enable, or phases"):
        check_wiring(None, aperture_config(**STEPPER, **lines))


def test_pins_open_on_the_lines_that_were_named(clock: FakeClock, tmp_path: Path) -> None:
    chip = load_fake("rpi_gpio").FakeRpiGpio()
    config = RpiPinsConfig(capture=20, guard_socket=str(tmp_path / "guard.sock"))
    pins = open_pins(config, clock, RpiGpio(lambda: chip))
    chip.outside = {20: False}
    assert pins.buttons().capture
    pins.close()


def test_a_fixed_aperture_says_what_it_is(clock: FakeClock) -> None:
    found = open_aperture(FixedApertureConfig(f_number=4.0), clock, no_gpio)
    assert found.f_number == 4.0
    assert FixedApertureConfig().claims() == ()


@pytest.mark.parametrize("enable", [None, 16])
def test_a_servo_opens_and_has_its_output_enabled_while_it_moves_alone(clock: FakeClock, enable: int | None) -> None:
    bus = load_fake("mechanics").Pca9685Registers()
    chip = load_fake("rpi_gpio").FakeRpiGpio()
    config = aperture_config(**SERVO, enable=enable)
    found = open_aperture(config, clock, lambda: RpiGpio(lambda: chip), lambda _: bus)
    assert isinstance(found, SupervisedAperture)
    assert found.move(1) == 2.0
    levels = [level for bcm, level in chip.history if bcm == enable]
    assert levels == ([] if enable is None else [True, False, True, False, True])


@pytest.mark.parametrize("lines", [CHIP, PHASES], ids=["STEP and DIR", "four phases"])
def test_a_stepper_opens_on_its_lines_and_homes(clock: FakeClock, lines: dict[str, Any]) -> None:
    order = tuple(lines.get("phases", lines.values()))
    iris = load_fake("mechanics").SteppedIris(order, clock)
    found = open_aperture(aperture_config(**STEPPER, **lines), clock, lambda: iris)
    assert found.move(2) == 2.8
    assert iris.position == 200


def test_an_actuator_that_is_silent_is_told_and_the_gate_goes_on_without(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    bus = load_fake("mechanics").Pca9685Registers(broken=OSError(121, "Remote I/O error"))
    found = open_aperture(aperture_config(**SERVO), clock, no_gpio, lambda _: bus)
    assert isinstance(found, FixedAperture)
    assert found.f_numbers == ()
    assert "0x40 does not answer" in caplog.text
    assert "the gate works on without it" in caplog.text


def test_a_bus_that_is_not_there_is_told_too(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    def absent(number: int) -> Any:
        raise HardwareError(f"aperture: /dev/i2c-{number} does not open")

    assert open_aperture(aperture_config(**SERVO), clock, no_gpio, absent).f_number is None
    assert "/dev/i2c-1 does not open" in caplog.text


def test_numbers_that_do_not_fit_together_are_an_error_and_no_missing_part(clock: FakeClock) -> None:
    with pytest.raises(InputError, match="3 f-numbers and 2 positions"):
        open_aperture(aperture_config(**{**SERVO, "positions": [1500, 1800]}), clock, no_gpio)
    with pytest.raises(InputError, match="are not possible"):
        open_aperture(aperture_config(**SERVO, lowest=1290.0), clock, no_gpio, lambda _: no_gpio())
