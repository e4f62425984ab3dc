"""The iris of the simulated colposcope: moving it changes blur, light and noise of what the camera sees."""

from __future__ import annotations

from device.simulation.world import SimulatedWorld


class SimulatedAperture:
    """Implements `device.aperture.protocol.Aperture`; moves at once."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world

    @property
    def f_numbers(self) -> tuple[float, ...]:
        return self._world.settings.f_numbers

    @property
    def f_number(self) -> float:
        return self._world.f_number

    def move(self, steps: int) -> float:
        """Close by `steps` (open if negative), within the limits; returns the f-number now in force."""
        return self._world.move_aperture(steps)

    def close(self) -> None:
        """The iris stays where it is."""
