"""Which line of the board does what (BCM numbers), and that no line does two things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from models.errors import InputError

Claim = tuple[str, int]
"""Who wants a line (the key of the configuration, "pins.capture"), and its BCM number."""

FIRST_BCM, LAST_BCM = 2, 27
"""GPIO2 to GPIO27 are on the 40-pin header; 0 and 1 there belong to the identification EEPROM of add-on boards."""

I2C_CLAIMS: tuple[Claim, ...] = (("the I²C data line", 2), ("the I²C clock line", 3))
"""Bus 1, which a servo board on I²C needs for itself."""


@dataclass(frozen=True, slots=True)
class PinMap:
    """BCM numbers; None: not fitted.

    The defaults keep clear of I²C (2, 3), 1-Wire (4), SPI (7 to 11) and the serial console (14, 15). The buttons are
    on lines that the board pulls up before any program runs (GPIO0 to 8), so that a cut wire reads "not pressed"; lamp,
    buzzer and shutter are on lines that it pulls down (GPIO9 to 27), so that they are dark, silent and closed until a
    program says otherwise (BCM2835 ARM Peripherals, table 6-31).

    shutter   of the guard process; reserved here so that nothing else takes it
    """

    capture: int = 5
    override: int = 6
    aperture_open: int | None = None
    aperture_close: int | None = None
    lamp_red: int = 13
    lamp_green: int = 19
    lamp_blue: int = 26
    buzzer: int = 12
    shutter: int = 24

    def claims(self) -> tuple[Claim, ...]:
        """The lines that are fitted."""
        named = ((f"pins.{item.name}", getattr(self, item.name)) for item in fields(self))
        return tuple((name, bcm) for name, bcm in named if bcm is not None)


def check_claims(claims: Iterable[Claim]) -> None:
    """Raises InputError, in one line that names both, if a line is wanted twice; also if it is not on the header."""
    taken: dict[int, str] = {}
    for name, bcm in claims:
        if not FIRST_BCM <= bcm <= LAST_BCM:
            raise InputError(f"{name} = {bcm} is not possible; allowed: BCM numbers from {FIRST_BCM} to {LAST_BCM}")
        if bcm in taken:
            raise InputError(
                f"{name} and {taken[bcm]} both use GPIO{bcm}; give one of them another BCM number "
                f"from {FIRST_BCM} to {LAST_BCM}"
            )
        taken[bcm] = name
