"""The slow loop around aperture advice: what was judged last goes in, a move of the aperture comes out."""

from __future__ import annotations

from device.aperture.fixed import FixedAperture
from device.aperture.protocol import Aperture
from device.aperture.supervised import SupervisedAperture
from device.assist import AssistSettings, AssistState, Phase, advise, observation_of
from device.frame import Frame
from device.status import Status


class Assisting:
    """Called by the supervising thread. `paused` is the clinician's: while it is set nothing moves by itself."""

    def __init__(self, settings: AssistSettings, aperture: Aperture, percent: int) -> None:
        self.paused = False
        self._settings = settings
        self._aperture = aperture
        self._percent = percent
        self._state = AssistState()

    @property
    def phase(self) -> Phase:
        return self._state.phase

    def tick(self, status: Status, now_ns: int) -> int:
        """By how many positions to close the aperture now (negative: open); 0 for nothing, or nothing judged yet."""
        if status.focus_map is None or status.exposure is None:
            return 0
        seen = observation_of(
            status.focus_map,
            status.exposure,
            self._aperture.f_number,
            self._aperture.f_numbers,
            percent=self._percent,
            busy=status.gate.press is not None or status.gate.armed_until_ns is not None,
            paused=self.paused,
        )
        self._state, steps = advise(self._state, seen, now_ns, self._settings)
        return steps


def watch_effect(aperture: Aperture, frame: Frame | None) -> None:
    """Let a supervised actuator see whether the picture responds to it. `frame` is held by the caller."""
    if isinstance(aperture, SupervisedAperture) and frame is not None:
        aperture.observe(frame)


def fault_of(aperture: Aperture) -> str | None:
    """Why the actuator is off for good; None if it works, or there is none to work."""
    return aperture.fault if isinstance(aperture, SupervisedAperture | FixedAperture) else None
