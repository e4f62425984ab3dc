"""What a picture can be refused for during calibration: each says what was seen and what to do."""

from __future__ import annotations

from models.errors import InputError


class CalibrationError(InputError):
    """A measurement that cannot be made from these pictures."""


class PictureTooDarkError(CalibrationError):
    """Too little light on the target, or a covered lens."""


class PictureTooBrightError(CalibrationError):
    """Parts of the target are saturated, so that nothing linear is left to measure."""


class NoChartError(CalibrationError):
    """Nothing in the picture is the chart."""


class BlurredChartError(CalibrationError):
    """The chart is there, but too far out of focus to be measured."""


class TiltedChartError(CalibrationError):
    """The chart is not square to the lens."""


class UprightChartError(CalibrationError):
    """The chart's edges run along the picture's rows, so that they cannot be sampled between pixels."""


class HiddenChartError(CalibrationError):
    """Something, such as a hand, covers part of the chart, or the chart does not fill the field."""


class NotPlainError(CalibrationError):
    """What should be plain white paper has something on it or before it."""


class NoFieldError(CalibrationError):
    """No round field of view can be told apart from its surroundings."""


class NoEdgeError(CalibrationError):
    """A patch holds no single straight edge at a usable slant."""


class SweepError(CalibrationError):
    """A sweep does not reach to both sides of what it looks for."""
