"""The seam to RPi.GPIO: lines are reserved, failures are one line, and every way out leaves a defined level."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from device.pins import rpi
from device.pins.rpi import RpiGpio, load_rpi_gpio
from models.errors import HardwareError


def test_the_module_is_taken_from_where_it_is_installed(chip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "RPi.GPIO", chip)
    RpiGpio().claim_output("a lamp", 13)
    assert chip.mode == chip.BCM
    assert chip.level(13) is False


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("No module named 'RPi'"), "install python3-rpi-lgpio"),
        (RuntimeError("This module can only be run on a Raspberry Pi!"), "use pins.kind = 'simulated'"),
        (FileNotFoundError(2, "No such file or directory", ".lgd-nfy-3"), "set LG_WD"),
    ],
)
def test_a_module_that_does_not_load_is_told_in_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: str) -> ModuleType:
        raise error

    monkeypatch.setattr(rpi.importlib, "import_module", failing)
    with pytest.raises(HardwareError, match=words) as caught:
        load_rpi_gpio()
    assert "\n" not in str(caught.value)


class LgpioError(Exception):
    """lgpio's own error is no RuntimeError."""


@pytest.mark.parametrize("error", [RuntimeError("can not open gpiochip"), LgpioError("can not open gpiochip")])
def test_a_chip_that_is_absent_is_told_in_one_line(
    chip: Any, error: Exception, monkeypatch: pytest.MonkeyPatch, nodes: Callable[..., None]
) -> None:
    lgpio = ModuleType("lgpio")
    lgpio.error = LgpioError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lgpio", lgpio)
    nodes()
    chip.broken = error
    with pytest.raises(HardwareError, match="the GPIO chip: can not open gpiochip; there is no /dev/gpiochip"):
        RpiGpio(lambda: chip)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What is in /dev, and whether it may be opened."""

    def arrange(*names: str, allowed: bool = True) -> None:
        monkeypatch.setattr(Path, "glob", lambda *_: iter(Path("/dev", name) for name in names))
        monkeypatch.setattr(rpi.os, "access", lambda *_: allowed)

    return arrange


def test_a_missing_permission_says_which_group(chip: Any, nodes: Callable[..., None]) -> None:
    nodes("gpiochip0", allowed=False)
    chip.broken = RuntimeError("can not open gpiochip")
    with pytest.raises(HardwareError, match="no permission for /dev/gpiochip0: add this user to the group gpio"):
        RpiGpio(lambda: chip)


def test_a_chip_that_vanishes_is_told_with_the_line_that_failed(
    gpio: RpiGpio, chip: Any, nodes: Callable[..., None]
) -> None:
    nodes("gpiochip0")
    gpio.claim_input("pins.capture", 5)
    chip.broken = OSError(19, "No such device")
    with pytest.raises(HardwareError, match=r"pins.capture \(GPIO5\): .*No such device; check the wiring"):
        gpio.read(5)


def test_a_line_of_another_program_is_refused_by_name(gpio: RpiGpio, chip: Any) -> None:
    chip.busy.add(24)
    with pytest.raises(HardwareError, match=r"the shutter-enable line \(GPIO24\): GPIO busy; end the program"):
        gpio.claim_output("the shutter-enable line", 24)
    chip.busy.clear()
    gpio.claim_output("the shutter-enable line", 24)


def test_a_line_is_claimed_once(gpio: RpiGpio) -> None:
    gpio.claim_output("pins.buzzer", 12)
    with pytest.raises(HardwareError, match=r"aperture.step and pins.buzzer both use GPIO12; give one of them"):
        gpio.claim_output("aperture.step", 12)


@pytest.mark.parametrize("high", [False, True])
def test_an_output_has_its_level_from_the_first_moment_on(gpio: RpiGpio, chip: Any, high: bool) -> None:
    gpio.claim_output("aperture.enable", 22, high=high)
    assert chip.history == [(22, high)]
    assert gpio.read(22) is high


def test_inputs_are_pulled_to_the_level_of_a_button_let_go(gpio: RpiGpio) -> None:
    gpio.claim_input("pins.capture", 5)
    gpio.claim_input("aperture.end_switch", 25, pull_up=False)
    assert gpio.read(5)
    assert not gpio.read(25)


def test_a_tone_changes_pitch_and_stops(gpio: RpiGpio, chip: Any) -> None:
    gpio.claim_output("pins.buzzer", 12)
    for pitch_hz in (0, 440, 880, 0, 0, 440):
        gpio.tone(12, pitch_hz)
    assert chip.pitches == [440, 880, 0, 440]
    gpio.close()
    assert chip.sounding == {}


def test_closing_brings_every_output_to_its_first_level_and_leaves_it_pulled_there(gpio: RpiGpio, chip: Any) -> None:
    gpio.claim_output("pins.lamp_red", 13)
    gpio.claim_output("aperture.enable", 22, high=True)  # low gives the motor power
    gpio.claim_input("pins.capture", 5)
    gpio.write(13, True)
    gpio.write(22, False)
    gpio.close()
    gpio.close()
    assert chip.history[-2:] == [(13, False), (22, True)]
    assert {bcm: (line.direction, line.pull) for bcm, line in chip.lines.items()} == {
        13: (chip.IN, chip.PUD_DOWN),
        22: (chip.IN, chip.PUD_UP),
    }


def test_a_line_that_was_given_back_is_neither_read_nor_written(gpio: RpiGpio, chip: Any) -> None:
    gpio.claim_output("aperture.enable", 22, high=True)
    gpio.close()
    for use in (lambda: gpio.read(22), lambda: gpio.write(22, False), lambda: gpio.tone(22, 440)):
        with pytest.raises(HardwareError, match="GPIO22 was given back, or never claimed"):
            use()
    assert chip.level(22)


def test_one_line_that_fails_keeps_no_other_from_its_safe_level(gpio: RpiGpio, chip: Any) -> None:
    gpio.claim_output("pins.lamp_red", 13)
    gpio.claim_output("pins.lamp_green", 19)
    gpio.write(19, True)
    chip.busy.add(13)
    del chip.lines[13]
    gpio.close()
    assert not chip.level(19)


def test_closing_without_a_chip_is_quiet(gpio: RpiGpio, chip: Any) -> None:
    gpio.claim_output("pins.buzzer", 12)
    gpio.tone(12, 440)
    gpio.claim_input("pins.capture", 5)
    chip.broken = OSError(19, "No such device")
    gpio.close()


def test_a_tone_that_sounds_while_the_chip_vanishes_ends_without_a_word(
    gpio: RpiGpio, chip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    gpio.claim_output("pins.buzzer", 12)
    gpio.tone(12, 440)
    chip.broken = RuntimeError("unexpected error")
    gpio.close()
    gc.collect()
    assert told == []
