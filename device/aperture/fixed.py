"""No actuator: an aperture that stays."""

from __future__ import annotations


class FixedAperture:
    """Implements `device.aperture.protocol.Aperture` with one position, or with none that is known.

    fault   why it stands in for an actuator; None if none was asked for
    """

    def __init__(self, f_number: float | None, fault: str | None = None) -> None:
        self._f_number = f_number
        self.fault = fault

    @property
    def f_numbers(self) -> tuple[float, ...]:
        return () if self._f_number is None else (self._f_number,)

    @property
    def f_number(self) -> float | None:
        return self._f_number

    def move(self, steps: int) -> float | None:
        """Asked to move, it stays where it is."""
        del steps
        return self._f_number

    def close(self) -> None:
        """Nothing to let go of."""
