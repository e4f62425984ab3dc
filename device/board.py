"""Real parts from their configuration: who takes which line, and what happens when a part is not there."""

from __future__ import annotations

import logging
from collections.abc import Callable

from device.aperture.coils import Coils, FourPhase, StepDir
from device.aperture.fixed import FixedAperture
from device.aperture.pca9685 import Bus, Pca9685, ServoAperture, open_bus
from device.aperture.protocol import Aperture
from device.aperture.stepper import StepperAperture
from device.aperture.supervised import SupervisedAperture
from device.clock import Clock
from device.config_board import (
    ApertureConfig,
    FixedApertureConfig,
    RpiPinsConfig,
    ServoApertureConfig,
    StepperApertureConfig,
    table_of,
    travel_of,
)
from device.guard_client import GuardClient
from device.pins.reserve import check_claims
from device.pins.rpi import RpiGpio, RpiPins
from device.supervision.faults import APERTURE_OFF, coded
from models.errors import HardwareError

log = logging.getLogger("focusgate")


def check_wiring(pins: RpiPinsConfig | None, aperture: ApertureConfig) -> None:
    """Raises InputError, in one line that names both, if two parts want one line. `pins` is None for simulated ones."""
    check_claims((*(pins.pins().claims() if pins is not None else ()), *aperture.claims()))


def open_pins(config: RpiPinsConfig, clock: Clock, gpio: RpiGpio) -> RpiPins:
    """Buttons, lamp, buzzer, and the way to the guard. Raises HardwareError if a line cannot be had."""
    return RpiPins(clock, gpio, GuardClient(config.guard_socket), config.pins())


def open_aperture(
    config: ApertureConfig,
    clock: Clock,
    gpio: Callable[[], RpiGpio],
    bus: Callable[[int], Bus] = open_bus,
) -> Aperture:
    """The actuator under supervision. `gpio` is called only if it needs lines of the board.

    One that does not answer is told and replaced by none: the gate works on without it, at whatever the aperture is.
    Raises InputError for numbers that do not fit together.
    """
    try:
        match config:
            case FixedApertureConfig():
                return FixedAperture(config.f_number)
            case ServoApertureConfig():
                return SupervisedAperture(_servo(config, clock, gpio, bus), clock)
            case StepperApertureConfig():
                return SupervisedAperture(_stepper(config, clock, gpio()), clock)
    except HardwareError as error:
        log.warning("%s; the gate works on without it", coded(APERTURE_OFF, error))
        return FixedAperture(None, str(error))


def _servo(
    config: ServoApertureConfig, clock: Clock, gpio: Callable[[], RpiGpio], bus: Callable[[int], Bus]
) -> ServoAperture:
    enable, table, travel = config.enable, table_of(config), travel_of(config)
    travel.check(table)
    chip = Pca9685(bus(config.bus), clock, channel=config.channel, address=config.address)
    if enable is None:
        return ServoAperture(chip, clock, table=table, travel=travel)
    lines = gpio()
    lines.claim_output("aperture.enable", enable, high=True)  # OE is low for output

    def power(on: bool) -> None:
        lines.write(enable, not on)

    return ServoAperture(chip, clock, table=table, travel=travel, power=power)


def _stepper(config: StepperApertureConfig, clock: Clock, gpio: RpiGpio) -> StepperAperture:
    coils: Coils
    if config.phases is not None:
        coils = FourPhase(gpio, config.phases)
    else:
        step, direction, enable = (bcm for _, bcm in config.claims()[:3])
        coils = StepDir(gpio, clock, step=step, direction=direction, enable=enable)
    gpio.claim_input("aperture.switch", config.switch)
    return StepperAperture(
        coils,
        lambda: not gpio.read(config.switch),
        clock,
        table=table_of(config),
        travel=travel_of(config),
        homing=config.homing(),
    )
