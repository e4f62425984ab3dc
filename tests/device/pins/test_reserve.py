"""No line does two things, and none is taken that belongs to a bus."""

from __future__ import annotations

import pytest

from device.pins.reserve import I2C_CLAIMS, PinMap, check_claims
from models.errors import InputError

BUSES = {0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15}
"""EEPROM, I²C, 1-Wire, SPI and serial lines of the 40-pin header."""


def test_the_defaults_clash_with_nothing() -> None:
    check_claims((*PinMap().claims(), *I2C_CLAIMS))
    assert not {bcm for _, bcm in PinMap().claims()} & BUSES


def test_the_defaults_are_on_lines_that_rest_at_the_safe_level() -> None:
    pins = PinMap()
    assert max(pins.capture, pins.override) <= 8
    assert min(pins.lamp_red, pins.lamp_green, pins.lamp_blue, pins.buzzer, pins.shutter) >= 9


def test_what_is_not_fitted_claims_nothing() -> None:
    names = [name for name, _ in PinMap(aperture_open=16).claims()]
    assert "pins.aperture_open" in names
    assert "pins.aperture_close" not in names


def test_double_use_is_refused_in_one_line_that_names_both() -> None:
    with pytest.raises(InputError) as caught:
        check_claims((*PinMap(capture=24).claims(),))
    assert str(caught.value) == (
        "pins.shutter and pins.capture both use GPIO24; give one of them another BCM number from 2 to 27"
    )


def test_a_servo_on_i2c_keeps_its_bus() -> None:
    with pytest.raises(InputError, match=r"I²C data line and pins.override both use GPIO2"):
        check_claims((*PinMap(override=2).claims(), *I2C_CLAIMS))


@pytest.mark.parametrize("bcm", [-1, 0, 1, 28, 400])
def test_a_number_that_is_not_on_the_header_is_refused(bcm: int) -> None:
    with pytest.raises(InputError, match=f"pins.buzzer = {bcm} is not possible; allowed: BCM numbers from 2 to 27"):
        check_claims(PinMap(buzzer=bcm).claims())
