"""The two ways to turn a stepper motor: through a driver chip (STEP, DIR, ENABLE), or phase by phase."""

from __future__ import annotations

from typing import Protocol

from device.clock import Clock

PULSE_NS = 5_000
"""STEP stays high this long; A4988 and DRV8825 need 1 µs and 1.9 µs (their data sheets)."""

HALF_STEPS = (
    (True, False, False, False),
    (True, True, False, False),
    (False, True, False, False),
    (False, True, True, False),
    (False, False, True, False),
    (False, False, True, True),
    (False, False, False, True),
    (True, False, False, True),
)
"""Which of the four phases have current, half step by half step."""


class Gpio(Protocol):
    """What is used of `device.pins.rpi.RpiGpio`."""

    def claim_input(self, name: str, bcm: int, *, pull_up: bool = True) -> None: ...

    def claim_output(self, name: str, bcm: int, *, high: bool = False) -> None: ...

    def read(self, bcm: int) -> bool: ...

    def write(self, bcm: int, high: bool) -> None: ...


class Coils(Protocol):
    """A motor that turns by one step at a time. Raises HardwareError when its lines do not answer."""

    def power(self, on: bool) -> None: ...

    def step(self, up: bool) -> None:
        """One step towards higher positions, or lower."""
        ...


class StepDir:
    """A driver chip; ENABLE is low for power, and pulled up by a resistor so that a dead process has none."""

    def __init__(self, gpio: Gpio, clock: Clock, *, step: int, direction: int, enable: int) -> None:
        self._gpio, self._clock = gpio, clock
        self._step, self._direction, self._enable = step, direction, enable
        gpio.claim_output("aperture.enable", enable, high=True)
        gpio.claim_output("aperture.step", step)
        gpio.claim_output("aperture.direction", direction)

    def power(self, on: bool) -> None:
        self._gpio.write(self._enable, not on)

    def step(self, up: bool) -> None:
        self._gpio.write(self._direction, up)
        self._gpio.write(self._step, True)
        self._clock.sleep_until_ns(self._clock.now_ns() + PULSE_NS)
        self._gpio.write(self._step, False)


class FourPhase:
    """Four transistors (ULN2003), driven in half steps; without power all are off."""

    def __init__(self, gpio: Gpio, phases: tuple[int, int, int, int]) -> None:
        self._gpio = gpio
        self._phases = phases
        self._index = 0
        for number, bcm in enumerate(phases):
            gpio.claim_output(f"aperture.phases[{number}]", bcm)

    def power(self, on: bool) -> None:
        self._show(HALF_STEPS[self._index] if on else (False,) * 4)

    def step(self, up: bool) -> None:
        self._index = (self._index + (1 if up else -1)) % len(HALF_STEPS)
        self._show(HALF_STEPS[self._index])

    def _show(self, levels: tuple[bool, ...]) -> None:
        for bcm, level in sorted(zip(self._phases, levels, strict=True), key=lambda item: item[1]):
            self._gpio.write(bcm, level)  # those that end first: never more current than two phases take
