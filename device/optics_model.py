"""What the aperture costs and gives, as far as a device knows its own optics: diffraction, motion, light. Pure.

The same physics as in the simulation, from the few numbers that a profile holds; a test keeps the two equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UM_PER_MM = 1000.0
NM_PER_UM = 1000.0

AIRY_DISC_RADIUS = 2.2150894 / (2 * math.pi * 0.4039728)
"""Radius, in wavelength · f-number, of the uniform disc that halves contrast at the same frequency as the Airy pattern.

2·J1(x)/x = ½ at x = 2.2150894 = 2π · radius · frequency, and the round pupil's transfer function is ½ at frequency ·
wavelength · f-number = 0.4039728 (Born & Wolf, Principles of Optics, 7th ed., sections 8.5.2 and 9.5)."""

LINE_TO_DISC = 1 / math.sqrt(6.0)
"""Radius of the disc with the second moment of a straight smear of unit length: 2·r²/4 = l²/12."""


@dataclass(frozen=True, slots=True)
class Optics:
    """magnification = image size over object size; the defaults are the Pocket Colposcope's order of size.

    hand_mm_s   sideways speed of a hand that holds still: 1 mm of sway at 0.3 Hz
    """

    pixel_pitch_um: float = 1.4
    wavelength_nm: float = 550.0
    magnification: float = 0.075
    hand_mm_s: float = 2.0

    def diffraction_px(self, f_number: float) -> float:
        """Radius of the disc that stands for the Airy pattern, px; the working f-number is N · (1 + magnification)."""
        airy_um = self.wavelength_nm / NM_PER_UM * f_number * (1 + self.magnification)
        return AIRY_DISC_RADIUS * airy_um / self.pixel_pitch_um

    def motion_px(self, exposure_us: float) -> float:
        """Radius of the disc that stands for the hand's smear during the exposure, px."""
        smear_mm = self.hand_mm_s * exposure_us * 1e-6
        return LINE_TO_DISC * smear_mm * self.magnification * UM_PER_MM / self.pixel_pitch_um


@dataclass(frozen=True, slots=True)
class Light:
    """Exposure (µs) and gain that together fill the sensor rightly."""

    exposure_us: float
    gain: float

    def at(self, f_number: float, other: float, longest_us: float) -> Light:
        """What exposure control will choose at f-number `other`: light goes with 1/N²; exposure first, then gain."""
        product = self.exposure_us * self.gain * (other / f_number) ** 2
        exposure_us = min(product, longest_us)
        return Light(exposure_us, product / exposure_us)


def blur_at(
    blur_px: float, optics: Optics, *, f_number: float, light: Light, other: float, other_light: Light
) -> float:
    """The blur radius (px) at f-number `other` of what has `blur_px` at `f_number`.

    Variances of point spreads add, so radii add in quadrature. What diffraction and motion do not explain is defocus,
    whose disc goes with 1/N (thin lens; Hecht, Optics, 5th ed., section 5.2).
    """
    known = optics.diffraction_px(f_number) ** 2 + optics.motion_px(light.exposure_us) ** 2
    defocus = math.sqrt(max(blur_px**2 - known, 0.0)) * f_number / other
    return math.hypot(defocus, optics.diffraction_px(other), optics.motion_px(other_light.exposure_us))
