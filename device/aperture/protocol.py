"""What every aperture does: it has a set of f-numbers and moves between them."""

from __future__ import annotations

from typing import Protocol


class Aperture(Protocol):
    """An iris. Raises HardwareError when it does not answer."""

    @property
    def f_numbers(self) -> tuple[float, ...]:
        """The positions that can be chosen, rising (a larger f-number: a smaller opening, more depth of field)."""
        ...

    @property
    def f_number(self) -> float | None:
        """The position in force; None if it is not known."""
        ...

    def move(self, steps: int) -> float | None:
        """Close by `steps` positions (open if negative), within the limits; returns the f-number now in force."""
        ...

    def close(self) -> None: ...
