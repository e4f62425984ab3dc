"""Lens, light and exposure of the simulated colposcope: pure formulas, every length with its unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", float, NDArray[np.float64])

UM_PER_MM = 1000.0
NM_PER_UM = 1000.0

DISC_AT_HALF_CONTRAST = 2.2150894
"""x where the disc's transfer function 2·J1(x)/x falls to one half; x = 2π·radius·frequency."""

PUPIL_AT_HALF_CONTRAST = 0.4039728
"""v where the transfer function of a round pupil, 2/π·(acos v - v·sqrt(1 - v²)), falls to one half (Born & Wolf,
Principles of Optics, 7th ed., section 9.5); v = frequency·wavelength·f-number."""

AIRY_DISC_RADIUS = DISC_AT_HALF_CONTRAST / (2 * math.pi * PUPIL_AT_HALF_CONTRAST)
"""Radius, in wavelength·f-number, of the uniform disc that halves contrast at the same frequency as the Airy pattern.

The Airy pattern (Born & Wolf, section 8.5.2) has no second moment, so the two are matched where sharpness is usually
measured, at half contrast (MTF50). About 0.87; the first dark ring lies at 1.22."""

LINE_TO_DISC = 1 / math.sqrt(6.0)
"""Radius of the disc with the second moment of a straight smear of unit length: 2·r²/4 = l²/12."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A thin lens in front of a sensor, focused once and for all.

    wavelength_nm   where the luma of pink tissue has its weight, for diffraction
    """

    focal_length_mm: float
    focus_distance_mm: float
    pixel_pitch_um: float
    wavelength_nm: float

    @property
    def magnification(self) -> float:
        """Image size over object size at the focus distance: f/(s - f)."""
        return self.focal_length_mm / (self.focus_distance_mm - self.focal_length_mm)

    @property
    def px_per_mm(self) -> float:
        """Pixels of the image to one mm of an object at the focus distance."""
        return self.magnification * UM_PER_MM / self.pixel_pitch_um


@overload
def defocus_radius_px(lens: Lens, f_number: float, distance_mm: float) -> float: ...
@overload
def defocus_radius_px(lens: Lens, f_number: float, distance_mm: NDArray[np.float64]) -> NDArray[np.float64]: ...
def defocus_radius_px(lens: Lens, f_number: float, distance_mm: Float) -> Float:
    """Radius of the circle of confusion of a point at `distance_mm` before the lens, px.

    Thin lens (Hecht, Optics, 5th ed., section 5.2): diameter = f/N · m · |d - s|/d, with focal length f, f-number N,
    magnification m = f/(s - f), focus distance s and object distance d. Any shape; distances must be positive.
    """
    diameter_um = (lens.focal_length_mm / f_number) * lens.magnification * UM_PER_MM
    return diameter_um / (2 * lens.pixel_pitch_um) * abs(distance_mm - lens.focus_distance_mm) / distance_mm


def diffraction_radius_px(lens: Lens, f_number: float) -> float:
    """Radius of the disc that stands for the Airy pattern at the working f-number N·(1 + m), px."""
    airy_um = (lens.wavelength_nm / NM_PER_UM) * f_number * (1 + lens.magnification)
    return AIRY_DISC_RADIUS * airy_um / lens.pixel_pitch_um


@overload
def blur_radius_px(lens: Lens, f_number: float, distance_mm: float) -> float: ...
@overload
def blur_radius_px(lens: Lens, f_number: float, distance_mm: NDArray[np.float64]) -> NDArray[np.float64]: ...
def blur_radius_px(lens: Lens, f_number: float, distance_mm: Float) -> Float:
    """Radius of the disc that stands for defocus and diffraction together, px.

    Variances of point spreads add, and a disc's is r²/4 a side, so radii add in quadrature.
    """
    spread_px = defocus_radius_px(lens, f_number, distance_mm)
    airy_px = diffraction_radius_px(lens, f_number)
    combined: Float = (spread_px**2 + airy_px**2) ** 0.5
    return combined


def smear_px(lens: Lens, speed_mm_s: float, exposure_us: float) -> float:
    """Length of the straight smear that a sideways speed leaves during the exposure, px."""
    return speed_mm_s * exposure_us * 1e-6 * lens.px_per_mm


@dataclass(frozen=True, slots=True)
class ExposureLimits:
    """What the exposure control may do. It lengthens the exposure first, and turns to gain only at the longest.

    reference_us   exposure that fills the sensor rightly at gain 1, `reference_f_number` and light 1
    """

    reference_us: float
    reference_f_number: float
    longest_us: float
    largest_gain: float


SHORTEST_EXPOSURE_US = 20.0
"""About one line of the OV5647 at full size; no rolling shutter is shorter."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the exposure control chose.

    level   sensor signal for a radiance of 1, as a share of the right one: below 1 where both limits are reached
    """

    exposure_us: float
    gain: float
    level: float


def auto_exposure(limits: ExposureLimits, f_number: float, light: float) -> Exposure:
    """The exposure for `light` (relative illuminance of the tissue, above 0); light on the sensor goes as 1/N²."""
    stops = (f_number / limits.reference_f_number) ** 2 / light
    exposure_us = min(max(limits.reference_us * stops, SHORTEST_EXPOSURE_US), limits.longest_us)
    gain = min(max(limits.reference_us * stops / exposure_us, 1.0), limits.largest_gain)
    return Exposure(exposure_us, gain, exposure_us * gain / (limits.reference_us * stops))
