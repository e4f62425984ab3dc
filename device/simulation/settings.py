"""Everything that makes one simulated world, in one frozen value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from device.simulation.hand import HandMotion
from device.simulation.optics import ExposureLimits, Lens, diffraction_radius_px
from models.errors import InputError

F_NUMBERS = (1.4, 1.7, 2.0, 2.4, 2.8, 3.4, 4.0, 4.8, 5.6, 6.7, 8.0)
"""Half stops. Behind f/4 the diffraction at 1.4 µm pixels outgrows what more depth of field gains."""

SMALLEST_PX = 64
LARGEST_PX = 8192


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One world. The defaults resemble a Pocket Colposcope: a 1/4 inch sensor of 5 megapixels behind a short lens.

    A smaller frame is a smaller sensor of the same pixels, looking at a smaller cervix whose relief is as deep: blur,
    noise and detail in pixels stay the same. The change of scale with distance is left out.

    seed                   same seed, same world
    width, height          frame, px; the full sensor is 2592 × 1944 (OV5647)
    focal_length_mm, focus_distance_mm, pixel_pitch_um, wavelength_nm   the lens, see `optics.Lens`
    f_number, f_numbers    iris: where it starts, and its positions
    tilt_mm, tilt_direction_deg   how much farther the tissue lies at the field's rim than in its middle, towards there
    dome_mm                how far the rim of the cervix lies behind its dome
    os_depth_mm            depth of the external os
    folds_mm               height of folds and unevenness (standard deviation)
    focus_offset_mm        held distance minus best distance: a hand that holds too far (above 0) or too near
    light                  illuminance relative to the one that `reference_us` was chosen for
    glare_percent          share of the field with specular highlights
    vignetting             loss of light at the rim of the field, 0 to 1
    field_radius           radius of the round field, as a share of the width
    field_x, field_y       its centre, as a share of width and height
    reference_us, reference_f_number, longest_us, largest_gain   exposure control, see `optics.ExposureLimits`
    full_well_e, read_noise_e, adc_bits   sensor. OV5647 data sheet: largest signal-to-noise ratio 36 dB, hence 4,000
                           electrons; dynamic range 68 dB at gain 8, hence 1.6 electrons; 10 bits
    far_mm, overshoot_mm   distance from which the hand comes, and by which it comes too near
    cycle_s                time of one approach, hold and withdrawal
    hand                   amplitude of the hand's unsteadiness, 1 = ordinary
    """

    seed: int = 0
    width: int = 2592
    height: int = 1944
    focal_length_mm: float = 2.8
    focus_distance_mm: float = 40.0
    pixel_pitch_um: float = 1.4
    wavelength_nm: float = 550.0
    f_number: float = 2.8
    f_numbers: tuple[float, ...] = F_NUMBERS
    tilt_mm: float = 0.7
    tilt_direction_deg: float = 35.0
    dome_mm: float = 2.2
    os_depth_mm: float = 3.0
    folds_mm: float = 0.15
    focus_offset_mm: float = 0.0
    light: float = 1.0
    glare_percent: float = 1.0
    vignetting: float = 0.35
    field_radius: float = 0.47
    field_x: float = 0.507
    field_y: float = 0.494
    reference_us: float = 5000.0
    reference_f_number: float = 2.8
    longest_us: float = 8000.0
    largest_gain: float = 16.0
    full_well_e: float = 4000.0
    read_noise_e: float = 1.6
    adc_bits: int = 10
    far_mm: float = 58.0
    overshoot_mm: float = 4.0
    cycle_s: float = 12.0
    hand: float = 1.0

    def __post_init__(self) -> None:
        """Raises `InputError` for a world that cannot be."""
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"simulation: {name} = {value}; allowed are {low:g} to {high:g}")
        if self.f_number not in self.f_numbers or list(self.f_numbers) != sorted(set(self.f_numbers)):
            raise InputError(f"simulation: f_number = {self.f_number}; allowed is one of f_numbers, which must rise")
        if self.f_numbers[0] < SMALLEST_F_NUMBER:
            raise InputError(f"simulation: f_numbers begin at {self.f_numbers[0]}; smallest is {SMALLEST_F_NUMBER}")
        if self.focal_length_mm > self.focus_distance_mm / 2:
            raise InputError(
                f"simulation: focal_length_mm = {self.focal_length_mm}; at most half of focus_distance_mm is allowed"
            )

    @property
    def lens(self) -> Lens:
        return Lens(self.focal_length_mm, self.focus_distance_mm, self.pixel_pitch_um, self.wavelength_nm)

    @property
    def limits(self) -> ExposureLimits:
        return ExposureLimits(self.reference_us, self.reference_f_number, self.longest_us, self.largest_gain)

    @property
    def motion(self) -> HandMotion:
        hold_mm = self.focus_distance_mm + self.focus_offset_mm
        return HandMotion(
            seed=self.seed,
            far_mm=self.far_mm,
            overshoot_mm=hold_mm - self.overshoot_mm,
            hold_mm=hold_mm,
            cycle_s=self.cycle_s,
            tremor_mm=TREMOR_MM * self.hand,
            drift_mm=DRIFT_MM * self.hand,
            sway_mm=SWAY_MM * self.hand,
        )

    @classmethod
    def varied(cls, seed: int, among: Sequence[float] = F_NUMBERS, **fixed: object) -> WorldSettings:
        """A world drawn at random: tilt, relief, light, glare, hand, focus and aperture; `fixed` goes before the draw.

        The aperture is one `among` these, which must be positions of the iris.

        Meant for judging many single frames against the truth: the draws reach beyond what a good examination shows.
        """
        rng = np.random.default_rng([seed, _VARIED])
        drawn = cls(
            seed=seed,
            f_number=float(rng.choice(among)),
            tilt_mm=float(rng.triangular(0.0, 0.0, 4.0)),
            tilt_direction_deg=float(rng.uniform(0, 360)),
            dome_mm=float(rng.uniform(0.5, 4.0)),
            os_depth_mm=float(rng.uniform(1.0, 5.0)),
            folds_mm=float(rng.uniform(0.05, 0.4)),
            focus_offset_mm=float(rng.normal(0.0, 2.0)),
            light=float(np.exp(rng.uniform(np.log(0.1), np.log(2.0)))),
            glare_percent=float(rng.triangular(0.0, 0.5, 5.0)),
            vignetting=float(rng.uniform(0.1, 0.6)),
            field_radius=float(rng.uniform(0.42, 0.5)),
            field_x=float(rng.uniform(0.47, 0.53)),
            field_y=float(rng.uniform(0.47, 0.53)),
            hand=float(np.exp(rng.uniform(np.log(0.3), np.log(3.0)))),
        )
        return replace(drawn, **fixed)  # type: ignore[arg-type]


def usable_f_numbers(criterion_px: float) -> tuple[float, ...]:
    """The positions of the ordinary world's iris that leave defocus some room: where diffraction alone is at most
    MOST_DIFFRACTION of the criterion (px). Beyond, a whole frame stands or falls with a few percent of blur."""
    lens = WorldSettings().lens
    return tuple(f for f in F_NUMBERS if diffraction_radius_px(lens, f) <= MOST_DIFFRACTION * criterion_px)


MOST_DIFFRACTION = 0.75
TREMOR_MM = 0.04
DRIFT_MM = 0.25
SWAY_MM = 0.6
"""Amplitudes of an ordinary hand that rests on the speculum."""

SMALLEST_F_NUMBER = 1.0
_VARIED = 7121
"""Keeps these draws apart from all others that begin with the same seed."""

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("seed", 0, 2**63 - 1),
    ("width", SMALLEST_PX, LARGEST_PX),
    ("height", SMALLEST_PX, LARGEST_PX),
    ("focal_length_mm", 0.5, 50.0),
    ("focus_distance_mm", 5.0, 500.0),
    ("pixel_pitch_um", 0.5, 20.0),
    ("wavelength_nm", 380.0, 750.0),
    ("tilt_mm", 0.0, 10.0),
    ("tilt_direction_deg", -360.0, 360.0),
    ("dome_mm", 0.0, 10.0),
    ("os_depth_mm", 0.0, 10.0),
    ("folds_mm", 0.0, 2.0),
    ("focus_offset_mm", -15.0, 15.0),
    ("light", 0.001, 100.0),
    ("glare_percent", 0.0, 30.0),
    ("vignetting", 0.0, 0.9),
    ("field_radius", 0.2, 0.8),
    ("field_x", 0.3, 0.7),
    ("field_y", 0.3, 0.7),
    ("reference_us", 20.0, 1e6),
    ("reference_f_number", 1.0, 64.0),
    ("longest_us", 20.0, 1e6),
    ("largest_gain", 1.0, 256.0),
    ("full_well_e", 100.0, 1e7),
    ("read_noise_e", 0.0, 100.0),
    ("adc_bits", 8, 16),
    ("far_mm", 10.0, 1000.0),
    ("overshoot_mm", 0.0, 10.0),
    ("cycle_s", 1.0, 3600.0),
    ("hand", 0.0, 10.0),
)
"""Name, smallest and largest value of every number above."""
