"""Simulated pins behave like pins: levels last as long as they are held, and leases lapse by themselves."""

from __future__ import annotations

import pytest

from device.clock import MS, FakeClock
from device.pins.protocol import Lamp, Tone
from device.pins.simulated import Happened, SimulatedPins


def test_a_button_is_down_for_as_long_as_it_is_held() -> None:
    clock = FakeClock()
    pins = SimulatedPins(clock)
    pins.press("capture", 100 * MS)
    assert pins.buttons().capture
    assert not pins.buttons().override
    clock.advance_ns(100 * MS)
    assert not pins.buttons().capture
    with pytest.raises(ValueError, match="no button"):
        pins.press("shutter", 1)


def test_the_shutter_line_falls_by_itself_when_its_lease_lapses() -> None:
    clock = FakeClock(1000 * MS)
    pins = SimulatedPins(clock)
    assert not pins.shutter_is_high()
    pins.renew_shutter(clock.now_ns() + 150 * MS)
    assert pins.shutter_is_high()
    clock.advance_ns(200 * MS)
    assert not pins.shutter_is_high()
    assert pins.history == [Happened(1000 * MS, "shutter", "high"), Happened(1150 * MS, "shutter", "low")]


def test_closing_drops_the_line_now() -> None:
    clock = FakeClock(1000 * MS)
    pins = SimulatedPins(clock)
    pins.renew_shutter(clock.now_ns() + 150 * MS)
    clock.advance_ns(10 * MS)
    pins.close_shutter()
    assert pins.history[-1] == Happened(1010 * MS, "shutter", "low")


def test_lamp_changes_and_tones_are_recorded_and_closing_leaves_everything_safe() -> None:
    clock = FakeClock(1)
    pins = SimulatedPins(clock)
    pins.show(Lamp.OPEN)
    pins.show(Lamp.OPEN)
    pins.sound(Tone.SAVED)
    pins.renew_shutter(150 * MS)
    pins.close()
    pins.close()
    assert [(item.output, item.value) for item in pins.history] == [
        ("lamp", "open"),
        ("tone", "saved"),
        ("shutter", "high"),
        ("shutter", "low"),
        ("lamp", "off"),
    ]
