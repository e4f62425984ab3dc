"""A widefield microscope: its three-dimensional point spread by scalar diffraction, as a table of transfer functions.

The amplitude in the image of a point at radius r (µm), with the stage z µm from focus, is

    h(r, z) = 2π ∫₀^{NA/λ} P(f) J₀(2π f r) f df,     P(f) = exp(i 2π [z √(1/λ² − f²) + a Z(f λ / NA)])

(Debye's integral for an aberration-free aperture: Born & Wolf, Principles of Optics, 7th ed., sections 8.8 and 9.1),
with Z(ρ) = 6ρ⁴ − 6ρ² + 1, primary spherical aberration of a wavelengths, balanced by defocus. Fluorescence is
incoherent: intensities add, the point spread is |h|², and its Hankel transform is the optical transfer function

    OTF(f, z) = ∫ |h|² J₀(2π f r) r dr / ∫ |h|² r dr.

Without aberration z and −z give the same picture; with it they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import j0

Float32 = NDArray[np.float32]

RADII_UM = 90.0
"""How far the point spread is followed: the geometric blur at 36 µm of defocus has a radius of 21 µm."""
STEP_UM = 0.1
"""Sampling of the point spread, below the Nyquist distance λ/(4 NA) = 0.23 µm of its intensity."""
PUPIL_SAMPLES = 400
FREQUENCIES = 1200
"""Of the table: 0.004 /µm apart, where the finest ripple (of a blur 21 µm in radius) is 0.024 /µm wide."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The optics of one stain.

    aperture    numerical aperture; 0.5 is that of 20× dry objectives of such instruments
    wavelength_um   of the fluorescence
    pixel_um    of the sensor in the plane of the specimen, before binning
    binning     sensor pixels added along each side
    spherical_waves   primary spherical aberration (Zernike coefficient, not normalised), in wavelengths
    """

    wavelength_um: float
    aperture: float = 0.5
    pixel_um: float = 6.45 / 20.0
    binning: int = 2
    spherical_waves: float = 0.2

    @property
    def binned_um(self) -> float:
        """Size of a pixel of the picture: 0.645 µm, as published for BBBC006 (6.45 µm, 20×, 2×2 binning)."""
        return self.pixel_um * self.binning


HOECHST = Objective(0.461)
PHALLOIDIN = Objective(0.603)
"""Peaks of emission, µm, of Hoechst 33342 and of a red phalloidin conjugate."""
OBJECTIVES = {"w1": HOECHST, "w2": PHALLOIDIN}


@lru_cache(maxsize=400)
def transfer(objective: Objective, defocus_um: float) -> tuple[Float32, Float32]:
    """Frequencies (1/µm) from 0 to the cut-off 2 NA/λ, and the OTF at each, real, 1 at 0; float32 of one shape."""
    radii, to_frequency, frequencies = _hankel_to_frequency(_cutoff(objective))
    light = _intensity(objective, defocus_um) * radii
    return frequencies.astype(np.float32), (to_frequency @ (light / light.sum())).astype(np.float32)


def _cutoff(objective: Objective) -> float:
    """Of the pupil, 1/µm; that of the intensity is twice this."""
    return objective.aperture / objective.wavelength_um


def _intensity(objective: Objective, defocus_um: float) -> NDArray[np.float64]:
    """|h|² at `_radii`, of no particular scale."""
    cutoff = _cutoff(objective)
    pupil = (np.arange(PUPIL_SAMPLES) + 0.5) * (cutoff / PUPIL_SAMPLES)
    relative = pupil / cutoff
    waves = defocus_um * np.sqrt(objective.wavelength_um**-2 - pupil**2)
    waves += objective.spherical_waves * (6 * relative**4 - 6 * relative**2 + 1)
    amplitude = _hankel_from_pupil(cutoff) @ (np.exp(2j * np.pi * waves) * pupil)
    intensity: NDArray[np.float64] = np.abs(amplitude) ** 2
    return intensity


def radial_spread(objective: Objective, defocus_um: float) -> tuple[Float32, Float32]:
    """Radii (µm) and the point spread |h|² there, of unit sum over the plane; float32 of one shape."""
    radii, spread = _radii(), _intensity(objective, defocus_um)
    return radii.astype(np.float32), (spread / (2 * np.pi * STEP_UM * (spread * radii).sum())).astype(np.float32)


@lru_cache(maxsize=400)
def transfer_plane(objective: Objective, defocus_um: float, shape: tuple[int, int]) -> Float32:
    """The OTF with the sensor pixel's own, at the frequencies of `numpy.fft.rfft2` of sensor pixels of `shape`."""
    down = np.fft.fftfreq(shape[0], objective.pixel_um)[:, None]
    across = np.fft.rfftfreq(shape[1], objective.pixel_um)[None]
    frequencies, table = transfer(objective, defocus_um)
    optical = np.interp(np.hypot(down, across), frequencies, table, right=0.0)
    pixel = np.sinc(down * objective.pixel_um) * np.sinc(across * objective.pixel_um)
    return (optical * pixel).astype(np.float32)


def geometric_blur_px(objective: Objective, defocus_um: float) -> float:
    """Radius of the blur disc of geometric optics, in pixels of the picture: |z| tan(asin(NA)) / pixel."""
    return abs(defocus_um) * float(np.tan(np.arcsin(objective.aperture))) / objective.binned_um


def _radii() -> NDArray[np.float64]:
    return (np.arange(round(RADII_UM / STEP_UM), dtype=np.float64) + 0.5) * STEP_UM


@lru_cache(maxsize=4)
def _hankel_from_pupil(cutoff: float) -> NDArray[np.float64]:
    pupil = (np.arange(PUPIL_SAMPLES) + 0.5) * (cutoff / PUPIL_SAMPLES)
    kernel: NDArray[np.float64] = j0(2 * np.pi * np.outer(_radii(), pupil))
    return kernel


@lru_cache(maxsize=4)
def _hankel_to_frequency(cutoff: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    frequencies = np.linspace(0.0, 2 * cutoff, FREQUENCIES)
    radii = _radii()
    return radii, j0(2 * np.pi * np.outer(frequencies, radii)), frequencies
