"""What is asked of a Raspberry Pi camera, in our own words and in libcamera's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BUFFERS_FOR_SENSOR = 3
"""Buffers never held by frames: one being filled, one queued, one on its way; fewer and the sensor waits for us."""

AF_MANUAL = 0
"""libcamera's AfModeManual: the lens stays where LensPosition puts it."""


@dataclass(frozen=True, slots=True)
class PiCameraSettings:
    """What is asked of the camera.

    name            part of the camera's model or path; None: the only one there is
    width, height      px; None: the sensor's full size
    fps                frames a second; also bounds the exposure
    buffers            how many frames of memory; all but BUFFERS_FOR_SENSOR may be held at once
    layout             one of `yuv.LAYOUTS`
    exposure_us, analogue_gain         fixed; None: automatic
    white_balance                      gains of red and blue; None: automatic
    lens_position_dioptre              for a lens with a motor; None: where it is
    """

    name: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float = 15.0
    buffers: int = 6
    layout: str = "YUV420"
    exposure_us: int | None = None
    analogue_gain: float | None = None
    white_balance: tuple[float, float] | None = None
    lens_position_dioptre: float | None = None

    @property
    def held_at_most(self) -> int:
        """How many frames may hold a buffer of the camera's at once."""
        return self.buffers - BUFFERS_FOR_SENSOR

    def controls(self) -> dict[str, Any]:
        """libcamera's names and units (frame durations in µs)."""
        period_us = round(1e6 / self.fps)
        wanted: dict[str, Any] = {"FrameDurationLimits": (period_us, period_us)}
        if self.exposure_us is not None:
            wanted["ExposureTime"] = self.exposure_us
        if self.analogue_gain is not None:
            wanted["AnalogueGain"] = self.analogue_gain
        if self.white_balance is not None:
            wanted["ColourGains"] = self.white_balance
        if self.lens_position_dioptre is not None:
            wanted |= {"AfMode": AF_MANUAL, "LensPosition": self.lens_position_dioptre}
        return wanted
