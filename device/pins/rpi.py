"""The board's own lines, through `RPi.GPIO` (rpi-lgpio on current boards); the only importer of it.

`RpiGpio` is the seam: it reserves lines, turns every failure into one line of HardwareError, and leaves a defined level
behind. `RpiPins` makes buttons, lamp, buzzer and shutter of it. The shutter line itself belongs to the guard process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from device.clock import MS, Clock
from device.guard_client import GuardClient
from device.pins.patterns import pattern_level, tone_level
from device.pins.protocol import Buttons, Lamp, Tone
from device.pins.reserve import PinMap
from models.errors import HardwareError, one_line

TONES_WAITING = 3
"""Tones that may wait for the one that sounds; more would come too late to mean anything."""

GUARD_SILENCE_NS = 200 * MS
"""While the gate is closed the guard still hears from us this often: one that is gone is a fault, not a surprise.

Longer than a lease, so that a decision that comes late does not close a line that it is about to renew."""

DUTY_PERCENT = 50.0  # a square wave: the loudest that a piezo gets


def load_rpi_gpio() -> Any:
    """The module `RPi.GPIO`. Raises HardwareError where it is missing or refuses this machine."""
    try:
        return importlib.import_module("RPi.GPIO")
    except ImportError:
        raise HardwareError(
            "pins: RPi.GPIO is missing; install python3-rpi-lgpio or the extra focusgate[pi] (not the package RPi.GPIO)"
        ) from None
    except RuntimeError as error:
        raise HardwareError(f"pins: {one_line(error, 120)}; use pins.kind = 'simulated' on other machines") from error
    except OSError as error:  # lgpio makes a pipe when it is imported
        raise HardwareError(
            f"pins: RPi.GPIO cannot start ({one_line(error, 120)}); set LG_WD to a folder that it may write"
        ) from error


class RpiGpio:
    """All lines of this process; there is one of these in it, for RPi.GPIO keeps its state in the module.

    Raises HardwareError if there is no GPIO chip or no permission, if a line is held by another program or claimed
    twice here, and from every call after the chip is gone.
    """

    def __init__(self, load: Callable[[], Any] = load_rpi_gpio) -> None:
        self._gpio = load()
        self._names: dict[int, str] = {}
        self._rests_high: dict[int, bool] = {}  # of the outputs
        self._tone: Any = None
        lgpio = sys.modules.get("lgpio")  # its own error is no RuntimeError
        own = (lgpio.error,) if lgpio is not None else ()
        self._failures: tuple[type[Exception], ...] = (RuntimeError, OSError, ValueError, *own)
        self._pwm = _quiet(self._gpio.PWM, self._failures)
        with self._telling("the GPIO chip"):
            self._gpio.setwarnings(False)
            self._gpio.setmode(self._gpio.BCM)

    def claim_input(self, name: str, bcm: int, *, pull_up: bool = True) -> None:
        """Reserve line `bcm` for reading, pulled up (or down)."""
        self._reserve(name, bcm)
        pull = self._gpio.PUD_UP if pull_up else self._gpio.PUD_DOWN
        with self._telling(name, bcm):
            self._gpio.setup(bcm, self._gpio.IN, pull_up_down=pull)
        self._names[bcm] = name

    def claim_output(self, name: str, bcm: int, *, high: bool = False) -> None:
        """Reserve line `bcm` for writing; it has its first level from the first moment on, and again at the end."""
        self._reserve(name, bcm)
        with self._telling(name, bcm):
            self._gpio.setup(bcm, self._gpio.OUT, initial=self._gpio.HIGH if high else self._gpio.LOW)
        self._names[bcm] = name
        self._rests_high[bcm] = high

    def read(self, bcm: int) -> bool:
        """The level on the line now; of an output too."""
        with self._telling(self._name(bcm), bcm):
            return bool(self._gpio.input(bcm))

    def write(self, bcm: int, high: bool) -> None:
        with self._telling(self._name(bcm), bcm):
            self._gpio.output(bcm, self._gpio.HIGH if high else self._gpio.LOW)

    def tone(self, bcm: int, pitch_hz: int) -> None:
        """A square wave of `pitch_hz` on output `bcm` from now on; 0: silence. One line at a time can sound."""
        with self._telling(self._name(bcm), bcm):
            if pitch_hz == 0:
                if self._tone is not None:
                    self._tone.stop()
                self._tone = None
            elif self._tone is None:
                self._tone = self._pwm(bcm, pitch_hz)
                self._tone.start(DUTY_PERCENT)
            else:
                self._tone.ChangeFrequency(pitch_hz)

    def close(self) -> None:
        """Every output back at its first level, then an input that is pulled there; the buttons' lines are given back.

        Pulled rather than cleaned up, because cleaning up would leave the lines floating. A line that fails keeps none
        of the others from its safe level. May be called twice.
        """
        tone, self._tone = self._tone, None
        with contextlib.suppress(*self._failures):
            if tone is not None:
                tone.stop()
        del tone  # its own destructor writes to the chip, which must still be there
        outputs, self._rests_high = self._rests_high, {}
        for bcm, high in outputs.items():
            with contextlib.suppress(*self._failures):
                self._gpio.output(bcm, self._gpio.HIGH if high else self._gpio.LOW)
            with contextlib.suppress(*self._failures):
                pull = self._gpio.PUD_UP if high else self._gpio.PUD_DOWN
                self._gpio.setup(bcm, self._gpio.IN, pull_up_down=pull)
        inputs = [bcm for bcm in self._names if bcm not in outputs]
        self._names = {}
        with contextlib.suppress(*self._failures):
            if inputs:
                self._gpio.cleanup(inputs)

    def _name(self, bcm: int) -> str:
        name = self._names.get(bcm)
        if name is None:
            raise HardwareError(f"GPIO{bcm} was given back, or never claimed; nothing is done with it")
        return name

    def _reserve(self, name: str, bcm: int) -> None:
        if bcm in self._names:
            raise HardwareError(
                f"{name} and {self._names[bcm]} both use GPIO{bcm}; give one of them another BCM number"
            )

    @contextlib.contextmanager
    def _telling(self, name: str, bcm: int | None = None) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            where = name if bcm is None else f"{name} (GPIO{bcm})"
            raise HardwareError(f"{where}: {one_line(error, 120)}; {_advice(str(error))}") from error


def _quiet(pwm: type[Any], failures: tuple[type[Exception], ...]) -> type[Any]:
    """RPi.GPIO's PWM, whose destructor stops it once more; over a chip that is gone Python would tell of that with a
    traceback."""

    def end(self: Any) -> None:
        with contextlib.suppress(*failures):
            pwm.__del__(self)

    return type(pwm.__name__, (pwm,), {"__slots__": (), "__del__": end})


def _advice(message: str) -> str:
    """What to do about a failure, from what RPi.GPIO says and what is in /dev."""
    chips = sorted(Path("/dev").glob("gpiochip*"))
    if "busy" in message.lower():
        return "end the program that holds the line ('gpioinfo' names it)"
    if not chips:
        return "there is no /dev/gpiochip*: enable the board's GPIO driver, or use pins.kind = 'simulated'"
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        return f"no permission for {chips[0]}: add this user to the group gpio"
    return "check the wiring; 'focusgate doctor' looks at the chip"


class RpiPins:
    """Implements `device.pins.protocol.Pins` on the board. Has no thread: `tick` plays lamp and tones.

    Buttons pull their line to ground; the lamp is one LED each for red, green and blue, lit by a high line; the buzzer
    is a passive piezo. `close` takes `gpio` and `guard` with it. Raises HardwareError from the constructor if a line
    cannot be had.
    """

    def __init__(self, clock: Clock, gpio: RpiGpio, guard: GuardClient, pins: PinMap | None = None) -> None:
        pins = pins or PinMap()
        self._clock = clock
        self._gpio = gpio
        self._guard = guard
        self._lamp_lines = (pins.lamp_red, pins.lamp_green, pins.lamp_blue)
        self._buzzer = pins.buzzer
        fitted = {name: getattr(pins, name) for name in Buttons.__slots__}
        self._button_lines = {name: bcm for name, bcm in fitted.items() if bcm is not None}
        self._lamp = Lamp.OFF
        self._lamp_since_ns = 0
        self._lit = (False, False, False)
        self._tones: list[Tone] = []
        self._tone_since_ns: int | None = None
        self._pitch_hz = 0
        self._told_guard_ns: int | None = None
        self._guard_fault: str | None = None
        self._closed = False
        self._lock = threading.Lock()  # `sound` and `close` may come from another thread than `tick`
        try:
            for name, bcm in self._button_lines.items():
                gpio.claim_input(f"pins.{name}", bcm)
            for name in ("lamp_red", "lamp_green", "lamp_blue", "buzzer"):
                gpio.claim_output(f"pins.{name}", getattr(pins, name))
        except HardwareError:
            self.close()
            raise

    def buttons(self) -> Buttons:
        """A pressed button pulls its line low; one that is not fitted is never pressed."""
        return Buttons(**{name: not self._gpio.read(bcm) for name, bcm in self._button_lines.items()})

    def renew_shutter(self, lease_until_ns: int) -> None:
        """Raises HardwareError while the guard is not there."""
        self._tell_guard(lambda: self._guard.renew(lease_until_ns), self._clock.now_ns())
        if self._guard_fault is not None:
            raise HardwareError(self._guard_fault)

    def close_shutter(self) -> None:
        """Never raises: without a guard the line is low already, and `tick` tells of its absence."""
        self._tell_guard(self._guard.close, self._clock.now_ns())

    def _tell_guard(self, say: Callable[[], None], now_ns: int) -> None:
        self._told_guard_ns = now_ns
        try:
            say()
        except HardwareError as error:
            self._guard_fault = str(error)
        else:
            self._guard_fault = None

    def show(self, lamp: Lamp) -> None:
        """Takes effect at the next `tick`."""
        if lamp is not self._lamp:
            self._lamp = lamp
            self._lamp_since_ns = self._clock.now_ns()

    def sound(self, tone: Tone) -> None:
        """Sounds from the next `tick` on, after those that wait."""
        with self._lock:
            if len(self._tones) <= TONES_WAITING:
                self._tones.append(tone)

    def tick(self, now_ns: int) -> None:
        """Bring lamp and buzzer to where they should be now, and make sure that the guard is there.

        Raises HardwareError while it is not; the lamp is driven all the same.
        """
        with self._lock:
            if self._closed:
                return
            self._play_lamp(now_ns)
            self._play_tone(now_ns)
        if self._told_guard_ns is None or now_ns - self._told_guard_ns >= GUARD_SILENCE_NS:
            self._tell_guard(self._guard.close, now_ns)
        if self._guard_fault is not None:
            raise HardwareError(self._guard_fault)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self.close_shutter()
        self._gpio.close()
        self._guard.disconnect()

    def _play_lamp(self, now_ns: int) -> None:
        wanted = pattern_level(self._lamp, now_ns - self._lamp_since_ns)
        for bcm, was, lit in zip(self._lamp_lines, self._lit, wanted, strict=True):
            if lit != was:
                self._gpio.write(bcm, lit)
        self._lit = wanted

    def _play_tone(self, now_ns: int) -> None:
        pitch_hz: int | None = None
        while self._tones and pitch_hz is None:
            if self._tone_since_ns is None:
                self._tone_since_ns = now_ns
            pitch_hz = tone_level(self._tones[0], now_ns - self._tone_since_ns)
            if pitch_hz is None:
                self._tones.pop(0)
                self._tone_since_ns = None
        if (pitch_hz or 0) != self._pitch_hz:
            self._pitch_hz = pitch_hz or 0
            self._gpio.tone(self._buzzer, self._pitch_hz)
