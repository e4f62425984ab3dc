"""A stepper motor with an end switch: it homes, counts its steps, and watches for steps that were lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device.aperture.coils import Coils
from device.aperture.plan import Travel, approach
from device.aperture.table import ApertureTable
from device.clock import SECOND, Clock
from models.errors import HardwareError, InputError

LIGHTEN = "lighten the motor's load, or lower aperture.rate_per_s"


@dataclass(frozen=True, slots=True)
class Homing:
    """How the end switch is found, in steps.

    longest_steps    way to the switch after which the motor is taken for jammed, or the switch for broken
    clear_steps      way up after which the switch must be free again
    slack_steps      difference between count and switch that is no slip
    check_every      moves between two looks at the switch
    """

    longest_steps: int
    clear_steps: int = 40
    slack_steps: int = 4
    check_every: int = 50


class StepperAperture:
    """Implements `device.aperture.protocol.Aperture`. Positions are steps above the end switch.

    The motor has power during a move alone. A move takes at most `travel.longest_s`; homing, at the start and every
    `homing.check_every` moves, is bounded in steps. A jam, a motor that turns the wrong way, a broken switch and lost
    steps each end in HardwareError with the power off; the next move homes first.

    Raises InputError if table, travel and homing do not fit.
    """

    def __init__(
        self,
        coils: Coils,
        switch_closed: Callable[[], bool],
        clock: Clock,
        *,
        table: ApertureTable,
        travel: Travel,
        homing: Homing,
    ) -> None:
        travel.check(table)
        if table.lowest - travel.backlash <= homing.clear_steps:
            raise InputError(
                f"aperture.positions from {table.lowest:g} are not possible; allowed: above "
                f"{homing.clear_steps + travel.backlash:g} steps, clear of the end switch"
            )
        if homing.longest_steps < travel.highest:
            raise InputError(
                f"aperture.longest_steps = {homing.longest_steps} is not possible; allowed: at least the travel, "
                f"{travel.highest:g}"
            )
        self._coils = coils
        self._switch_closed = switch_closed
        self._table = table
        self._travel = travel
        self._homing = homing
        self._clock = clock
        self._period_ns = round(SECOND / travel.rate_per_s)
        self._position = 0
        self._f_number: float | None = None
        self._moves = 0
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
        before = self._begin() if self._f_number is None else self._f_number
        target = self._table.after(before, steps)
        if target == before:
            return before
        self._f_number = None  # until it has arrived
        self._moves += 1
        with self._powered():
            if self._moves % self._homing.check_every == 0:
                self._find_switch(self._position)
                self._leave_switch()
            for waypoint in approach(self._position, self._table.position(target), self._travel):
                self._go(round(waypoint))
        self._f_number = target
        return target

    def close(self) -> None:
        """Without power. May be called twice."""
        self._f_number = None
        with contextlib.suppress(HardwareError):
            self._coils.power(False)

    def _begin(self) -> float:
        """Find the switch, prove that the motor leaves it, and go to the open end."""
        with self._powered():
            if self._switch_closed():
                self._leave_switch()
            self._find_switch(None)
            self._leave_switch()
            self._go(round(self._table.position(self._table.f_numbers[0])))
        self._f_number = self._table.f_numbers[0]
        return self._f_number

    def _find_switch(self, counted: int | None) -> None:
        """Down to the switch, which is position 0. `counted`: how far it should be; more or less is a slip."""
        way = 0
        while not self._switch_closed():
            if way == self._homing.longest_steps:
                raise HardwareError(
                    f"aperture: the end switch is not reached within {way} steps; look for a jam, a motor that turns "
                    "the wrong way, or a broken switch"
                )
            self._step(up=False)
            way += 1
        slipped = 0 if counted is None else abs(counted - way)
        self._position = 0
        if slipped > self._homing.slack_steps:
            raise HardwareError(
                f"aperture: the motor lost {slipped} steps; lighten its load or lower aperture.rate_per_s"
            )

    def _leave_switch(self) -> None:
        """Up by `clear_steps`: if the switch is then not free, the motor does not turn, or the switch is stuck."""
        for _ in range(self._homing.clear_steps):
            self._step(up=True)
        if self._switch_closed():
            raise HardwareError(
                "aperture: the end switch stays closed; look for a jam, or a switch that is stuck or shorted"
            )

    def _go(self, target: int) -> None:
        """Step by step. The switch must not close on the way: it lies below every position."""
        while self._position != target:
            self._step(up=target > self._position)
            if self._switch_closed():
                raise HardwareError(
                    f"aperture: the end switch closed {self._position} steps too early: steps were lost; {LIGHTEN}"
                )

    def _step(self, *, up: bool) -> None:
        self._coils.step(up)
        self._position += 1 if up else -1
        self._clock.sleep_until_ns(self._clock.now_ns() + self._period_ns)

    @contextlib.contextmanager
    def _powered(self) -> Iterator[None]:
        try:
            self._coils.power(True)
            self._clock.sleep_until_ns(self._clock.now_ns() + self._period_ns)
            yield
            self._clock.sleep_until_ns(self._clock.now_ns() + round(self._travel.settle_s * SECOND))
        finally:
            self._coils.power(False)
