"""Point spread functions and what they do to a scene in linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.patterns import Plane

EDGES_PX = (0.75, 1.0, 1.5, 2.0, 2.5, 3.5, 5.0, 7.0)
"""Radii of the ordinal answer, px: P(radius <= edge) for each."""

SUPERSAMPLING = 7
NO_BLUR_PX = 0.15


@lru_cache(maxsize=2048)
def _disc(radius_20th: int, ring_half: int) -> NDArray[np.float32]:
    radius = max(radius_20th / 20, 0.05)
    reach = int(np.ceil(radius)) + 1
    side = 2 * reach + 1
    axis = (np.arange(side * SUPERSAMPLING) - (side * SUPERSAMPLING - 1) / 2) / SUPERSAMPLING
    distance = np.hypot(axis[:, None], axis[None])
    weight = (distance <= radius) * (1.0 + ring_half / 2 * (distance / radius) ** 2)
    kernel = weight.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).sum((1, 3))
    if kernel.sum() == 0.0:
        kernel[reach, reach] = 1.0
    return (kernel / kernel.sum()).astype(np.float32)


def disc_psf(radius_px: float, ring: float = 0.0) -> NDArray[np.float32]:
    """The blur disc of geometrical optics, area-sampled, sum 1, odd side. `ring` > 0 brightens its edge, as spherical
    aberration does on one side of focus. Radius in steps of 0.05 px, ring in steps of 0.5."""
    return _disc(round(radius_px * 20), round(ring * 2))


PUPIL_GRID = 256  # samples of the Fourier plane, a side
PUPIL_LIMIT_WAVES = 5.0  # defocus at the pupil's rim beyond which the grid no longer follows the phase
AIRY_RADIUS = 0.84  # an Airy disc's core as a Gaussian has σ = 0.42 λN (Zhang, Zerubia, Olivo-Marin 2007): 2σ


@lru_cache(maxsize=1024)
def _pupil(radius_20th: int, cutoff_100th: int, spherical_10th: int) -> NDArray[np.float32]:
    radius_px, cutoff = radius_20th / 20, cutoff_100th / 100
    finer = 2 * int(np.ceil(1.1 * cutoff)) + 1  # samples a pixel: odd, and enough that intensities are not aliased
    rim = cutoff * PUPIL_GRID / (2 * finer)
    axis = (np.arange(PUPIL_GRID) - PUPIL_GRID // 2) / rim
    squared = axis[:, None] ** 2 + axis[None] ** 2
    waves = radius_px * cutoff / 4 * squared + spherical_10th / 10 * (squared**2 - squared)
    field = np.fft.fft2(np.fft.ifftshift(np.where(squared <= 1.0, np.exp(2j * np.pi * waves), 0.0)))
    intensity = np.fft.fftshift(np.abs(field) ** 2)
    reach = min(int(np.ceil(abs(radius_px) + 5.0 / cutoff + 2)), (PUPIL_GRID // finer - 1) // 2)
    middle, half = PUPIL_GRID // 2, reach * finer + finer // 2
    cut = intensity[middle - half : middle + half + 1, middle - half : middle + half + 1]
    kernel = cut.reshape(2 * reach + 1, finer, 2 * reach + 1, finer).sum((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def pupil_psf(radius_px: float, cutoff_per_px: float, spherical_waves: float = 0.0) -> NDArray[np.float32]:
    """Scalar diffraction at a round pupil: |FFT(pupil · exp(2πi W))|², area-sampled, sum 1, odd side.

    W(ρ) = w20 ρ² + w40 (ρ⁴ - ρ²) in waves, spherical aberration balanced by defocus (Goodman, Fourier Optics, 6.4).
    A ray from the rim misses by 4 N λ w20, hence w20 = radius_px · cutoff / 4 with the incoherent cutoff
    pitch / (λ N) in cycles per px. A negative radius is the other side of focus; they differ when there is spherical
    aberration. Steps: 0.05 px, 0.01 cycles per px, 0.1 waves.
    """
    return _pupil(round(radius_px * 20), round(cutoff_per_px * 100), round(spherical_waves * 10))


@dataclass(frozen=True, slots=True)
class Psf:
    """The shape of the blur: "disc" with a `ring`, "gaussian", or "pupil" with cutoff and spherical aberration."""

    kind: str
    ring: float = 0.0
    cutoff_per_px: float = 1.0
    spherical_waves: float = 0.0

    @property
    def least_px(self) -> float:
        """Radius of the disc as wide as the blur that is left in focus: diffraction's."""
        return AIRY_RADIUS / self.cutoff_per_px if self.kind == "pupil" else 0.0


def defocus(scene: Plane, radius_px: float, psf: Psf) -> Plane:
    """`scene` (H, W) through a blur of this radius; a Gaussian has the disc's second moment (σ = radius / 2).

    Beyond PUPIL_LIMIT_WAVES geometry is right and diffraction is not needed: a disc.
    """
    pupil = psf.kind == "pupil" and abs(radius_px) * psf.cutoff_per_px / 4 <= PUPIL_LIMIT_WAVES
    if abs(radius_px) < NO_BLUR_PX and not pupil:
        return scene
    if psf.kind == "gaussian":
        return cv2.GaussianBlur(scene, (0, 0), abs(radius_px) / 2).astype(np.float32)
    if pupil:
        kernel = pupil_psf(radius_px, psf.cutoff_per_px, psf.spherical_waves)
    else:
        kernel = disc_psf(abs(radius_px), psf.ring)
    return cv2.filter2D(scene, -1, kernel, borderType=cv2.BORDER_REFLECT).astype(np.float32)


def motion_psf(length_px: float, angle_rad: float) -> NDArray[np.float32]:
    """A straight smear, area-sampled, sum 1, odd side."""
    scale = 16
    reach = int(np.ceil(length_px)) + 2
    side = 2 * reach + 1
    canvas = np.zeros((side * scale, side * scale), np.float32)
    half = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * length_px / 2 * scale
    middle = np.full(2, reach * scale + scale / 2)
    ends = [tuple(int(value) for value in middle + sign * half) for sign in (-1, 1)]
    cv2.line(canvas, ends[0], ends[1], 1.0, scale)
    kernel = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return (kernel / kernel.sum()).astype(np.float32)


def smear(scene: Plane, length_px: float, angle_rad: float) -> Plane:
    """`scene` moved along a line during the exposure."""
    return cv2.filter2D(scene, -1, motion_psf(length_px, angle_rad), borderType=cv2.BORDER_REFLECT).astype(np.float32)


def equivalent_radius_px(defocus_px: Plane, base_px: float, motion_px: float) -> Plane:
    """Radius of the disc with the same second moment as all blurs together.

    Per axis a disc of radius r has variance r²/4, a Gaussian of σ = b/2 has b²/4, and a smear of length L has L²/12
    along one axis, L²/24 on average; variances of convolved kernels add, so r_eq² = r² + b² + L²/6.
    """
    return np.sqrt(defocus_px**2 + base_px**2 + motion_px**2 / 6).astype(np.float32)
