"""What all pins promise, tried on every back end alike. New pins are one more bench in BENCHES."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

import pytest

from device.clock import MS, SECOND, FakeClock
from device.guard import open_socket
from device.guard_client import GuardClient
from device.guard_state import GuardState, step
from device.pins.protocol import Buttons, Lamp, Pins, Tone
from device.pins.reserve import PinMap
from device.pins.rpi import RpiGpio, RpiPins
from device.pins.simulated import SimulatedPins


class Bench(Protocol):
    """Pins with somebody's fingers on the buttons and a meter on the outputs."""

    pins: Pins

    def press(self, *names: str) -> None:
        """These buttons are down from now on, the others are not."""

    def shutter_is_high(self) -> bool: ...

    def is_quiet(self) -> bool:
        """True if the lamp is dark and nothing sounds."""


class SimulatedBench:
    def __init__(self, clock: FakeClock, chip: Any, path: Path) -> None:
        self.pins = SimulatedPins(clock)

    def press(self, *names: str) -> None:
        for name in Buttons.__slots__:
            self.pins.press(name, 3600 * SECOND if name in names else 0)

    def shutter_is_high(self) -> bool:
        return self.pins.shutter_is_high()

    def is_quiet(self) -> bool:
        lamps = [item.value for item in self.pins.history if item.output == "lamp"]
        return not lamps or lamps[-1] == Lamp.OFF.value


class BoardBench:
    """RPi.GPIO on a chip that is not there, and the guard's own decision and socket in this process."""

    def __init__(self, clock: FakeClock, chip: Any, path: Path) -> None:
        self.clock, self.chip = clock, chip
        self.map = PinMap(aperture_open=16, aperture_close=20)
        self.server = open_socket(path)
        self.server.setblocking(False)
        self.guard = GuardState()
        self.pins = RpiPins(clock, RpiGpio(), GuardClient(path), self.map)

    def press(self, *names: str) -> None:
        self.chip.outside = {getattr(self.map, name): False for name in names}

    def shutter_is_high(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.guard, _ = step(self.guard, self.server.recv(100), self.clock.now_ns())
        self.guard, level = step(self.guard, None, self.clock.now_ns())
        return level

    def is_quiet(self) -> bool:
        lines = (self.map.lamp_red, self.map.lamp_green, self.map.lamp_blue, self.map.buzzer)
        return not self.chip.sounding and not any(self.chip.level(bcm) for bcm in lines)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000 * MS)


BENCHES: dict[str, Callable[[FakeClock, Any, Path], Bench]] = {
    "simulated": SimulatedBench,
    "rpi": BoardBench,
}


@pytest.fixture(params=BENCHES)
def bench(
    request: pytest.FixtureRequest, clock: FakeClock, chip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    monkeypatch.setitem(sys.modules, "RPi.GPIO", chip)
    made = BENCHES[request.param](clock, chip, tmp_path / "guard.sock")
    yield made
    made.pins.close()
    if isinstance(made, BoardBench):
        made.server.close()


def test_no_button_is_pressed_until_somebody_presses_it(bench: Bench) -> None:
    assert bench.pins.buttons() == Buttons()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_buttons_read_as_they_are_held_alone_and_together(bench: Bench, count: int) -> None:
    for names in combinations(Buttons.__slots__, count):
        bench.press(*names)
        assert bench.pins.buttons() == replace(Buttons(), **dict.fromkeys(names, True))
    bench.press()
    assert bench.pins.buttons() == Buttons()


def test_the_shutter_line_is_low_at_first(bench: Bench) -> None:
    assert not bench.shutter_is_high()


def test_a_lease_holds_the_shutter_line_until_it_runs_out(bench: Bench, clock: FakeClock) -> None:
    bench.pins.renew_shutter(clock.now_ns() + 100 * MS)
    assert bench.shutter_is_high()
    clock.advance_ns(100 * MS - 1)
    assert bench.shutter_is_high()
    clock.advance_ns(1)
    assert not bench.shutter_is_high()


def test_renewals_hold_the_line_and_each_is_good_for_150_ms_at_most(bench: Bench, clock: FakeClock) -> None:
    for _ in range(20):
        bench.pins.renew_shutter(clock.now_ns() + 10 * SECOND)
        assert bench.shutter_is_high()
        clock.advance_ns(140 * MS)
        assert bench.shutter_is_high()
    clock.advance_ns(10 * MS)
    assert not bench.shutter_is_high()


def test_a_lease_in_the_past_opens_nothing(bench: Bench, clock: FakeClock) -> None:
    bench.pins.renew_shutter(clock.now_ns())
    bench.pins.renew_shutter(clock.now_ns() - 5 * MS)
    assert not bench.shutter_is_high()


def test_closing_the_shutter_works_at_once_and_as_often_as_one_likes(bench: Bench, clock: FakeClock) -> None:
    bench.pins.renew_shutter(clock.now_ns() + 100 * MS)
    assert bench.shutter_is_high()
    bench.pins.close_shutter()
    assert not bench.shutter_is_high()
    bench.pins.close_shutter()
    assert not bench.shutter_is_high()
    bench.pins.renew_shutter(clock.now_ns() + 100 * MS)
    assert bench.shutter_is_high()


def test_every_lamp_and_every_tone_can_be_played_and_comes_to_rest(bench: Bench, clock: FakeClock) -> None:
    for lamp in Lamp:
        for tone in Tone:
            bench.pins.show(lamp)
            bench.pins.sound(tone)
            for _ in range(100):
                bench.shutter_is_high()
                bench.pins.tick(clock.now_ns())
                clock.advance_ns(10 * MS)
    bench.pins.show(Lamp.OFF)
    bench.pins.tick(clock.now_ns())
    assert bench.is_quiet()


def test_closing_leaves_everything_safe_and_may_be_done_twice(bench: Bench, clock: FakeClock) -> None:
    bench.pins.show(Lamp.OPEN)
    bench.pins.sound(Tone.SAVED)
    bench.pins.renew_shutter(clock.now_ns() + 100 * MS)
    bench.pins.tick(clock.now_ns())
    assert bench.shutter_is_high()
    bench.pins.close()
    bench.pins.close()
    assert not bench.shutter_is_high()
    assert bench.is_quiet()
    bench.pins.close_shutter()
