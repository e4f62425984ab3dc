"""A hobby servo on a PCA9685 (16 channels of PWM on I²C), through smbus2.

Registers and formulas: NXP, PCA9685 data sheet, rev. 4 (2015), tables 4 to 8 and section 7.3.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Protocol

from device.aperture.plan import Travel, approach, ramp
from device.aperture.table import ApertureTable
from device.clock import MS, SECOND, Clock
from models.errors import HardwareError, one_line

MODE1, MODE2 = 0x00, 0x01
LED0_ON_L = 0x06  # four registers a channel: ON_L, ON_H, OFF_L, OFF_H
PRE_SCALE = 0xFE

MODE1_AUTO_INCREMENT, MODE1_SLEEP = 0x20, 0x10
MODE1_RESTART = 0x80  # reads as 1 while a restart is possible
MODE2_TOTEM_POLE = 0x04
FULL_OFF = 0x10  # in OFF_H: the output is low, whatever the counters say

OSCILLATOR_HZ = 25_000_000
COUNTS = 4096
FRAME_HZ = 50  # a hobby servo takes a pulse every 20 ms
FRAME_NS = SECOND // FRAME_HZ
WAKE_NS = MS  # the oscillator needs 500 µs (section 7.3.1)

SHORTEST_PULSE_US, LONGEST_PULSE_US = 500.0, 2500.0
"""Beyond these a hobby servo runs into its own stops."""


class Bus(Protocol):
    """What is used of `smbus2.SMBus`."""

    def read_byte_data(self, i2c_addr: int, register: int) -> int: ...

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None: ...

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: list[int]) -> None: ...

    def close(self) -> None: ...


def open_bus(number: int) -> Bus:
    """/dev/i2c-`number`. Raises HardwareError if it, or smbus2, is not there or not allowed."""
    try:
        bus: Bus = importlib.import_module("smbus2").SMBus(number)
    except ImportError:
        raise HardwareError("aperture: smbus2 is missing; install the extra focusgate[pi]") from None
    except PermissionError:
        raise HardwareError(f"aperture: no permission for /dev/i2c-{number}; add this user to the group i2c") from None
    except OSError as error:
        raise HardwareError(
            f"aperture: /dev/i2c-{number} does not open ({one_line(error.strerror or error, 60)}); enable I²C "
            "('raspi-config nonint do_i2c 0')"
        ) from error
    return bus


def prescale_of(frame_hz: float) -> int:
    """The divider for a frame rate: round(oscillator / (4096 · rate)) - 1 (section 7.3.5, equation 1)."""
    return round(OSCILLATOR_HZ / (COUNTS * frame_hz)) - 1


def counts_of(pulse_us: float) -> int:
    """The pulse in counts of the divided oscillator."""
    return round(pulse_us * OSCILLATOR_HZ / (prescale_of(FRAME_HZ) + 1) / 1e6)


class Pca9685:
    """One channel of the chip. Raises HardwareError when it does not answer, or is another chip."""

    def __init__(self, bus: Bus, clock: Clock, *, channel: int, address: int = 0x40) -> None:
        self._bus = bus
        self._clock = clock
        self._address = address
        self._register = LED0_ON_L + 4 * channel
        self._where = f"aperture: the PCA9685 at 0x{address:02x}"

    def start(self) -> None:
        """From whatever state to 50 pulses a second, with this channel off."""
        with self._telling():
            self._write(MODE1, MODE1_SLEEP | MODE1_AUTO_INCREMENT)  # the divider changes asleep only
            self._write(PRE_SCALE, prescale_of(FRAME_HZ))
            self._write(MODE2, MODE2_TOTEM_POLE)
        self.off()
        with self._telling():
            self._write(MODE1, MODE1_AUTO_INCREMENT)
        self._clock.sleep_until_ns(self._clock.now_ns() + WAKE_NS)
        self.check()

    def check(self) -> None:
        """The chip is as `start` left it. One that lost its power meanwhile is asleep, and would ignore every pulse."""
        with self._telling():
            mode = self._bus.read_byte_data(self._address, MODE1) & ~MODE1_RESTART
            divider = self._bus.read_byte_data(self._address, PRE_SCALE)
        if (mode, divider) != (MODE1_AUTO_INCREMENT, prescale_of(FRAME_HZ)):
            raise HardwareError(
                f"{self._where} lost its settings or is another chip (MODE1 {mode:#04x}, PRE_SCALE {divider:#04x}); "
                "check its power, and aperture.address"
            )

    def pulse(self, pulse_us: float) -> None:
        """Pulses of this length from now on; all four registers change at once."""
        counts = counts_of(min(max(pulse_us, SHORTEST_PULSE_US), LONGEST_PULSE_US))
        with self._telling():
            self._bus.write_i2c_block_data(self._address, self._register, [0, 0, counts & 0xFF, counts >> 8])

    def off(self) -> None:
        """No pulses: the servo lets go. One register, so that it works on a chip in any state."""
        with self._telling():
            self._write(self._register + 3, FULL_OFF)

    def close(self) -> None:
        """Off, as far as the chip still answers."""
        try:
            self.off()
        finally:
            self._bus.close()

    def _write(self, register: int, value: int) -> None:
        self._bus.write_byte_data(self._address, register, value)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HardwareError(
                f"{self._where} does not answer ({one_line(error.strerror or error, 60)}); check its power and wiring "
                "('i2cdetect -y 1')"
            ) from error


class ServoAperture:
    """Implements `device.aperture.protocol.Aperture`. Positions are µs of pulse.

    A move takes at most `travel.longest_s`, and the servo has power during a move alone: `power` switches the chip's
    output-enable line where it is wired, so that a dead process leaves the servo without pulses. After any fault the
    position is unknown, and the next move begins at the open end again.

    Raises InputError if table and travel do not fit, HardwareError if the chip does not answer.
    """

    def __init__(
        self,
        chip: Pca9685,
        clock: Clock,
        *,
        table: ApertureTable,
        travel: Travel,
        power: Callable[[bool], None] = lambda _: None,
    ) -> None:
        travel.check(table)
        self._table = table
        self._travel = travel
        self._clock = clock
        self._power = power
        self._f_number: float | None = None
        self._position = 0.0
        self._chip = chip
        self._closed = False
        try:
            self._begin()
        except HardwareError:
            self.close()
            raise

    @property
    def f_numbers(self) -> tuple[float, ...]:
        return self._table.f_numbers

    @property
    def f_number(self) -> float | None:
        return self._f_number

    def move(self, steps: int) -> float:
        """Close by `steps` points of the table (open if negative); returns the f-number now in force."""
        if self._closed:
            raise HardwareError("aperture: was closed; start the device anew")
        before = self._begin() if self._f_number is None else self._f_number
        target = self._table.after(before, steps)
        if target != before:
            self._f_number = None  # until it has arrived
            self._go(approach(self._position, self._table.position(target), self._travel))
            self._f_number = target
        return target

    def close(self) -> None:
        """Without power, for good. May be called twice."""
        self._f_number = None
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(HardwareError):
            self._power(False)
        with contextlib.suppress(HardwareError, OSError):
            self._chip.close()

    def _begin(self) -> float:
        """To the open end, reached from below. A servo does not tell where it stands, so the first way is at its own
        speed, and gets the time of the longest one."""
        self._chip.start()
        target = self._table.position(self._table.f_numbers[0])
        self._position = max(target - self._travel.backlash, self._travel.lowest)
        self._go((self._position, target), first_s=self._travel.longest_move_s(self._table))
        self._f_number = self._table.f_numbers[0]
        return self._f_number

    def _go(self, waypoints: tuple[float, ...], first_s: float = 0.0) -> None:
        """Pulse by pulse along the way, then rest, then no power; no power either if anything fails."""
        largest_step = self._travel.rate_per_s / FRAME_HZ
        try:
            self._chip.check()
            self._power(True)
            for index, waypoint in enumerate(waypoints):
                for position in ramp(self._position, waypoint, largest_step):
                    self._chip.pulse(position)
                    self._clock.sleep_until_ns(self._clock.now_ns() + FRAME_NS)
                if index == 0:
                    self._clock.sleep_until_ns(self._clock.now_ns() + round(first_s * SECOND))
                self._position = waypoint
            self._clock.sleep_until_ns(self._clock.now_ns() + round(self._travel.settle_s * SECOND))
        finally:
            try:
                self._chip.off()
            finally:
                self._power(False)
