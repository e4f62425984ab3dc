"""Buttons, lamp, buzzer and shutter of the board, played by `tick` on a fake clock."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.clock import MS, FakeClock
from device.guard_client import GuardClient
from device.guard_state import close_message, renew_message
from device.pins.protocol import Buttons, Lamp, Tone
from device.pins.reserve import PinMap
from device.pins.rpi import RpiGpio, RpiPins
from models.errors import HardwareError

RED, GREEN, BLUE, BUZZER = 13, 19, 26, 12


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000 * MS)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[socket.socket]:
    """The guard's end of its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "guard.sock"))
        server.setblocking(False)
        yield server


@pytest.fixture
def pins(clock: FakeClock, gpio: RpiGpio, guard: socket.socket, tmp_path: Path) -> Iterator[RpiPins]:
    fitted = RpiPins(clock, gpio, GuardClient(tmp_path / "guard.sock"), PinMap(aperture_open=16))
    yield fitted
    fitted.close()


def received(guard: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(guard.recv(100))
        except BlockingIOError:
            return found


def test_a_pressed_button_pulls_its_line_down(pins: RpiPins, chip: Any) -> None:
    assert pins.buttons() == Buttons()
    chip.outside = {5: False, 16: False}
    assert pins.buttons() == Buttons(capture=True, aperture_open=True)
    chip.outside = {6: False}
    assert pins.buttons() == Buttons(override=True)


def test_a_button_that_is_not_fitted_is_never_pressed_and_takes_no_line(pins: RpiPins, chip: Any) -> None:
    chip.outside = dict.fromkeys(range(28), False)
    assert not pins.buttons().aperture_close
    assert set(chip.lines) == {5, 6, 16, RED, GREEN, BLUE, BUZZER}


@pytest.mark.parametrize(
    ("lamp", "colour"),
    [
        (Lamp.OFF, (False, False, False)),
        (Lamp.STARTING, (True, True, True)),
        (Lamp.CLOSED, (True, False, False)),
        (Lamp.OPEN, (False, True, False)),
        (Lamp.ARMED, (True, True, False)),
        (Lamp.FAULT, (True, False, False)),
    ],
)
def test_each_lamp_has_its_colour(
    pins: RpiPins, chip: Any, clock: FakeClock, lamp: Lamp, colour: tuple[bool, bool, bool]
) -> None:
    pins.show(lamp)
    pins.tick(clock.now_ns())
    assert (chip.level(RED), chip.level(GREEN), chip.level(BLUE)) == colour


def test_a_blinking_lamp_is_written_only_when_it_changes(pins: RpiPins, chip: Any, clock: FakeClock) -> None:
    pins.show(Lamp.ARMED)
    chip.history.clear()
    for _ in range(100):  # a second
        pins.tick(clock.now_ns())
        pins.show(Lamp.ARMED)  # said again at every tick, it does not begin anew
        clock.advance_ns(10 * MS)
    assert [level for bcm, level in chip.history if bcm == RED] == [True, False, True, False, True]


def ticks(pins: RpiPins, clock: FakeClock, guard: socket.socket, count: int) -> None:
    for _ in range(count):
        pins.tick(clock.now_ns())
        received(guard)
        clock.advance_ns(10 * MS)


def test_tones_sound_one_after_the_other_and_nobody_waits(
    pins: RpiPins, chip: Any, clock: FakeClock, guard: socket.socket
) -> None:
    pins.sound(Tone.SAVED)
    pins.sound(Tone.REFUSED)
    assert chip.pitches == []
    ticks(pins, clock, guard, 120)
    assert chip.pitches == [1047, 1568, 440, 0]


def test_a_flood_of_tones_is_bounded(pins: RpiPins, chip: Any, clock: FakeClock, guard: socket.socket) -> None:
    for _ in range(1000):
        pins.sound(Tone.REFUSED)
    ticks(pins, clock, guard, 300)
    assert chip.sounding == {}


def test_the_guard_is_asked_for_the_line_and_told_to_drop_it(pins: RpiPins, guard: socket.socket) -> None:
    pins.renew_shutter(77)
    pins.close_shutter()
    assert received(guard) == [renew_message(77), close_message()]


def test_while_the_gate_is_open_nothing_but_renewals_is_sent(
    pins: RpiPins, guard: socket.socket, clock: FakeClock
) -> None:
    for _ in range(30):
        pins.renew_shutter(clock.now_ns() + 150 * MS)
        pins.tick(clock.now_ns())
        assert received(guard) == [renew_message(clock.now_ns() + 150 * MS)]
        clock.advance_ns(10 * MS)


def test_while_the_gate_is_closed_the_guard_hears_from_it_five_times_a_second(
    pins: RpiPins, guard: socket.socket, clock: FakeClock
) -> None:
    for _ in range(20):
        pins.tick(clock.now_ns())
        clock.advance_ns(50 * MS)
    assert received(guard) == [close_message()] * 5


def test_a_decision_that_comes_late_does_not_close_the_line_that_it_renews(
    pins: RpiPins, guard: socket.socket, clock: FakeClock
) -> None:
    pins.renew_shutter(clock.now_ns() + 150 * MS)
    clock.advance_ns(149 * MS)
    pins.tick(clock.now_ns())
    assert close_message() not in received(guard)


def test_a_guard_that_is_gone_is_told_at_every_tick_until_it_is_back(
    pins: RpiPins, guard: socket.socket, clock: FakeClock, chip: Any, tmp_path: Path
) -> None:
    pins.tick(clock.now_ns())
    guard.close()
    clock.advance_ns(200 * MS)
    pins.show(Lamp.FAULT)
    for _ in range(3):
        with pytest.raises(HardwareError, match="is not there"):
            pins.tick(clock.now_ns())
        clock.advance_ns(10 * MS)
    assert chip.level(RED)
    with pytest.raises(HardwareError, match="is not there"):
        pins.renew_shutter(clock.now_ns())
    pins.close_shutter()
    (tmp_path / "guard.sock").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as anew:
        anew.bind(str(tmp_path / "guard.sock"))
        clock.advance_ns(200 * MS)
        pins.tick(clock.now_ns())


def test_closing_drops_the_shutter_darkens_the_lamp_and_stops_the_buzzer(
    pins: RpiPins, guard: socket.socket, chip: Any, clock: FakeClock
) -> None:
    pins.show(Lamp.OPEN)
    pins.sound(Tone.SAVED)
    pins.tick(clock.now_ns())
    received(guard)
    pins.close()
    pins.close()
    pins.show(Lamp.FAULT)
    pins.tick(clock.now_ns())  # a decision that comes too late
    assert received(guard) == [close_message()]
    assert chip.sounding == {}
    assert not any(chip.level(bcm) for bcm in (RED, GREEN, BLUE, BUZZER))


def test_a_line_that_cannot_be_had_leaves_none_claimed(
    clock: FakeClock, gpio: RpiGpio, chip: Any, guard: socket.socket, tmp_path: Path
) -> None:
    chip.busy.add(BLUE)
    with pytest.raises(HardwareError, match=r"pins.lamp_blue \(GPIO26\): GPIO busy"):
        RpiPins(clock, gpio, GuardClient(tmp_path / "guard.sock"))
    assert {bcm for bcm, line in chip.lines.items() if line.direction == chip.OUT} == set()
