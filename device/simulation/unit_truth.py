"""A device of unknown parameters: drawn at random, photographed by `picture`, never shown to what calibrates it.

The optics are a thin lens focused on one distance (`optics.py`), with a curved and tilted plane of best focus, a lens
that is never quite sharp (a Gaussian), barrel or pincushion distortion and a round field that may lie off the middle,
be vignetted and be partly dark. The iris is a table of f-numbers that are reached with play. `sensing.py` turns light
into numbers. What is left out: colour (the sensor is bare of a Bayer mask), demosaicing, sharpening, JPEG.

LINEARITY. With `tone="linear"` (default) luma is black_level + electrons / gain, rounded and clipped: what MTF and
photon transfer need. With `tone="srgb"` the same signal passes the curve of IEC 61966-2-1 before it is rounded, as the
Y plane of the real camera does with its own curve. A calibration must be told which (`tone` in the profile) and undo
the curve by `calibration.linear.linear_dn` before it measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device.simulation.optics import (
    DISC_AT_HALF_CONTRAST,
    UM_PER_MM,
    Lens,
    defocus_radius_px,
    diffraction_radius_px,
)

Tone = Literal["linear", "srgb"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FULL_WIDTH_PX, FULL_HEIGHT_PX = 2592, 1944
WORKING_DISTANCE_MM = 40.0
PIXEL_PITCH_UM = 1.4
WAVELENGTH_NM = 550.0
TILE_PX = 72
"""Side of a tile of the classifier at full size."""

FINEST_UM, COARSEST_UM = 8.0, 25.0
LEAST_WIDTH_MM = 20.0
"""Scale: a field of two to six centimetres at full size."""

WIDEST_F_NUMBERS = (2.0, 2.8)
NARROWEST_F_NUMBERS = (11.0, 22.0)
APERTURE_KNOTS = 9
_DRAWN = 90210
"""Keeps these draws apart from all others that begin with the same seed."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The true parameters of one device.

    seed, serial            of the draw, and a name made of it
    width, height           picture, px: a smaller picture is a smaller sensor of the same pixels
    um_per_px               object size of a pixel on the distortion's centre at the working distance
    working_distance_mm     from lens to object, where `distance_mm = 0`
    focus_offset_mm         best focus in the middle of the field minus working distance
    sag_mm                  how much nearer best focus lies at the rim of the field than in its middle (curvature)
    focal_tilt_mm, focal_tilt_deg   how much farther best focus lies at the rim towards that direction
    base_blur_px            standard deviation of the Gaussian that the lens adds everywhere
    distortion              k of r' = r·(1 + k·r²), r in units of half the picture's diagonal, about its middle
    centre_x_px, centre_y_px, radius_px   the round field
    vignetting              loss of light at the rim, 0 to 1
    dark_share, dark_deg    light lost on one side of the field, and which side
    gain_e_per_dn           electrons per level of 8-bit luma at 0 dB
    read_noise_e            read noise (standard deviation) at the output of the pixel, electrons
    prnu                    spread of the pixels' sensitivity (standard deviation)
    black_level_dn          luma without light
    hot_pixels              (x, y, electrons per second) of every hot pixel
    white_us                exposure at which white paper at f/2.8 and 0 dB fills the scale in the field's middle
    positions, f_numbers    the aperture's table: actuator positions, rising within 0 to 1, and f-numbers, rising
    lower_stop, upper_stop  positions beyond which the mechanism does not move
    backlash                play: how far the actuator turns after a reversal before the iris follows, in position
    repeatability           standard deviation of where the iris ends, in position
    travel_per_s            speed of the actuator, positions (whole range = 1) a second
    settle_s                time a move costs beside its travel
    tone                    "linear", or "srgb" (see the module's text)
    """

    seed: int
    serial: str
    width: int
    height: int
    um_per_px: float
    working_distance_mm: float
    focus_offset_mm: float
    sag_mm: float
    focal_tilt_mm: float
    focal_tilt_deg: float
    base_blur_px: float
    distortion: float
    centre_x_px: float
    centre_y_px: float
    radius_px: float
    vignetting: float
    dark_share: float
    dark_deg: float
    gain_e_per_dn: float
    read_noise_e: float
    prnu: float
    black_level_dn: float
    hot_pixels: tuple[tuple[int, int, float], ...]
    white_us: float
    positions: tuple[float, ...]
    f_numbers: tuple[float, ...]
    lower_stop: float
    upper_stop: float
    backlash: float
    repeatability: float
    travel_per_s: float
    settle_s: float
    tone: Tone

    @property
    def lens(self) -> Lens:
        """The thin lens with this scale at the working distance s: m = pitch / scale, f = s·m/(1 + m)."""
        magnification = PIXEL_PITCH_UM / self.um_per_px
        focal_mm = self.working_distance_mm * magnification / (1 + magnification)
        return Lens(focal_mm, self.working_distance_mm, PIXEL_PITCH_UM, WAVELENGTH_NM)


def drawn_unit(seed: int, *, width: int = FULL_WIDTH_PX, height: int = FULL_HEIGHT_PX, tone: Tone = "linear") -> Unit:
    """The device with this seed: same seed and size, same device.

    Of a smaller picture only the field (centre, radius) is smaller, and the scale at least such that LEAST_WIDTH_MM
    are seen, as no device would see less; blur and noise are those of the full sensor.
    """
    rng = np.random.default_rng([seed, _DRAWN])
    finest = min(max(FINEST_UM, LEAST_WIDTH_MM * UM_PER_MM / width), COARSEST_UM - 5.0)
    um_per_px = float(np.exp(rng.uniform(math.log(finest), math.log(COARSEST_UM))))
    positions, f_numbers = _drawn_aperture(rng)
    partly_dark = rng.random() < 1 / 3
    return Unit(
        seed=seed,
        serial=f"SIM-{seed:05d}",
        width=width,
        height=height,
        um_per_px=um_per_px,
        working_distance_mm=WORKING_DISTANCE_MM,
        focus_offset_mm=float(rng.uniform(-0.6, 0.6)),
        sag_mm=float(rng.uniform(0.2, 2.0)),
        focal_tilt_mm=float(rng.uniform(0.0, 0.6)),
        focal_tilt_deg=float(rng.uniform(0.0, 360.0)),
        base_blur_px=float(rng.uniform(0.5, 1.4)),
        distortion=float(rng.uniform(-0.06, 0.03)),
        centre_x_px=width * float(rng.uniform(0.46, 0.54)),
        centre_y_px=height * float(rng.uniform(0.46, 0.54)),
        radius_px=width * float(rng.uniform(0.34, 0.49)),
        vignetting=float(rng.uniform(0.1, 0.6)),
        dark_share=float(rng.uniform(0.4, 0.85)) if partly_dark else 0.0,
        dark_deg=float(rng.uniform(0.0, 360.0)),
        gain_e_per_dn=float(np.exp(rng.uniform(math.log(8.0), math.log(20.0)))),
        read_noise_e=float(rng.uniform(2.0, 6.0)),
        prnu=float(rng.uniform(0.002, 0.008)),
        black_level_dn=float(rng.uniform(6.0, 20.0)),
        hot_pixels=_drawn_hot_pixels(rng, width, height),
        white_us=float(np.exp(rng.uniform(math.log(1500.0), math.log(4000.0)))),
        positions=positions,
        f_numbers=f_numbers,
        lower_stop=float(rng.uniform(0.0, 0.04)),
        upper_stop=float(rng.uniform(0.96, 1.0)),
        backlash=float(rng.uniform(0.005, 0.04)),
        repeatability=float(rng.uniform(0.0005, 0.003)),
        travel_per_s=float(rng.uniform(0.8, 3.0)),
        settle_s=float(rng.uniform(0.03, 0.1)),
        tone=tone,
    )


def _drawn_aperture(rng: np.random.Generator) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """A rising table: even positions, and f-numbers whose steps in stops vary by a factor of up to three."""
    widest, narrowest = rng.uniform(*WIDEST_F_NUMBERS), rng.uniform(*NARROWEST_F_NUMBERS)
    steps = rng.uniform(0.5, 1.5, APERTURE_KNOTS - 1)
    share = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    f_numbers = widest * (narrowest / widest) ** share
    positions = np.linspace(0.0, 1.0, APERTURE_KNOTS)
    return tuple(map(float, positions)), tuple(map(float, f_numbers))


def _drawn_hot_pixels(rng: np.random.Generator, width: int, height: int) -> tuple[tuple[int, int, float], ...]:
    """About four in a million, bright enough to stand out of a dark picture of a tenth of a second."""
    count = int(rng.poisson(4e-6 * width * height)) + 2
    x, y = rng.integers(0, width, count), rng.integers(0, height, count)
    electrons_per_s = np.exp(rng.uniform(math.log(5e3), math.log(5e4), count))
    return tuple((int(column), int(row), float(rate)) for column, row, rate in zip(x, y, electrons_per_s, strict=True))


def f_number_at(unit: Unit, position: float) -> float:
    """The f-number where the *iris* stands at `position`; between the table's knots its logarithm is straight."""
    held = min(max(position, unit.lower_stop), unit.upper_stop)
    return float(np.exp(np.interp(held, unit.positions, np.log(unit.f_numbers))))


def best_focus_mm(unit: Unit, x_px: Float64, y_px: Float64) -> Float64:
    """Distance of best focus at pixels (x, y), as an offset from the working distance, mm; any shape."""
    x, y = (x_px - unit.centre_x_px) / unit.radius_px, (y_px - unit.centre_y_px) / unit.radius_px
    direction = math.radians(unit.focal_tilt_deg)
    tilt = unit.focal_tilt_mm * (x * math.cos(direction) + y * math.sin(direction))
    return np.asarray(unit.focus_offset_mm - unit.sag_mm * (x**2 + y**2) + tilt, np.float64)


def disc_radius_px(unit: Unit, x_px: Float64, y_px: Float64, distance_mm: Float64 | float, position: float) -> Float64:
    """Radius of the disc of defocus and diffraction at pixels (x, y), px; the base blur comes on top.

    Thin lens, see `optics.defocus_radius_px`: an object at `distance_mm` from the working distance where the best
    focus lies at `best_focus_mm` is blurred like one as far from the lens's own focus.
    """
    lens = unit.lens
    f_number = f_number_at(unit, position)
    away_mm = np.asarray(distance_mm - best_focus_mm(unit, x_px, y_px), np.float64)
    defocus_px = defocus_radius_px(lens, f_number, unit.working_distance_mm + away_mm)
    return np.asarray(np.hypot(defocus_px, diffraction_radius_px(lens, f_number)), np.float64)


def mtf_of_optics(disc_px: Float64 | float, base_blur_px: float, cycles_per_px: Float64) -> Float64:
    """Modulation of lens and defocus (without the pixel's own aperture): jinc of the disc times the Gaussian.

    |2·J1(x)/x| with x = 2π·r·f (Goodman, Introduction to Fourier Optics, 3rd ed., 6.4) and exp(-2π²·s²·f²). Shapes
    broadcast.
    """
    x = 2 * np.pi * np.asarray(disc_px, np.float64) * cycles_per_px
    gauss = np.exp(-2 * (np.pi * base_blur_px * cycles_per_px) ** 2)
    return np.asarray(np.abs(_jinc(x)) * gauss, np.float64)


def true_mtf50(disc_px: float, base_blur_px: float) -> float:
    """Cycles per px at which optics and square pixel (sinc) together halve contrast: what a slanted edge shows."""
    frequency = np.linspace(1e-6, 0.8, 801)
    modulation = mtf_of_optics(disc_px, base_blur_px, frequency) * np.sinc(frequency)
    after = int(np.argmax(modulation < 0.5))
    return float(np.interp(0.5, modulation[[after, after - 1]], frequency[[after, after - 1]]))


def _jinc(x: Float64) -> Float64:
    """2·J1(x)/x by Bessel's integral J1(x) = 1/π ∫ cos(t - x·sin t) dt, 64 points (exact to 1e-9 for x below 30)."""
    t = (np.arange(64) + 0.5) * np.pi / 64
    j1 = np.cos(t - np.multiply.outer(x, np.sin(t))).mean(axis=-1)
    return np.asarray(np.where(np.abs(x) < 1e-6, 1.0, 2 * j1 / np.where(x == 0, 1.0, x)), np.float64)


def equivalent_disc_px(disc_px: Float64, base_blur_px: float) -> Float64:
    """Radius of the uniform disc that halves contrast where disc and Gaussian together do, px; any shape.

    The unit of the classifier's `blur_px`. Matched at half contrast like `optics.AIRY_DISC_RADIUS`, by bisection.
    """
    low, high = np.zeros_like(disc_px, dtype=np.float64), np.full_like(disc_px, 2.0, dtype=np.float64)
    for _ in range(40):
        middle = (low + high) / 2
        above = mtf_of_optics(disc_px, base_blur_px, middle) > 0.5
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(DISC_AT_HALF_CONTRAST / (2 * np.pi * high), np.float64)


def true_blur_px(
    unit: Unit,
    distance_mm: float,
    position: float,
    *,
    tilt_deg: float = 0.0,
    tilt_towards_deg: float = 0.0,
    tile_px: int = TILE_PX,
) -> Float32:
    """The truth for every tile's centre: radius of the disc equivalent to all blur (px), float32 (rows, columns).

    Tiles as in `models.focusmap.TileGrid.of(width, height, tile_px)`. `position` is where the iris stands.
    """
    rows, columns = unit.height // tile_px, unit.width // tile_px
    x, y = np.meshgrid((np.arange(columns) + 0.5) * tile_px, (np.arange(rows) + 0.5) * tile_px)
    away_mm = distance_mm + plane_mm(unit, x, y, tilt_deg, tilt_towards_deg)
    disc = disc_radius_px(unit, x, y, away_mm, position)
    return equivalent_disc_px(disc, unit.base_blur_px).astype(np.float32)


def plane_mm(unit: Unit, x_px: Float64, y_px: Float64, tilt_deg: float, towards_deg: float) -> Float64:
    """How much farther than its middle a plane target lies at pixels (x, y) when it is tilted, mm; small tilts.

    The target's middle stands in the middle of the field. `towards_deg`: which way it recedes, 0 = right, 90 = down.
    """
    direction = math.radians(towards_deg)
    along_px = (x_px - unit.centre_x_px) * math.cos(direction) + (y_px - unit.centre_y_px) * math.sin(direction)
    slope = math.tan(math.radians(tilt_deg))
    flat_mm = along_px * unit.um_per_px / UM_PER_MM
    # where the ray through this pixel meets the plane: x = flat·(1 + z/s), z = slope·x
    z_mm = slope * flat_mm / (1 - slope * flat_mm / unit.working_distance_mm)
    return np.asarray(z_mm, np.float64)
