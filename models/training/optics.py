"""Point spread functions and what they do to a scene in linear light."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.textures import Plane

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


def defocus(scene: Plane, radius_px: float, *, gaussian: bool = False, ring: float = 0.0) -> Plane:
    """`scene` through a disc of this radius, or through a Gaussian of the same second moment (σ = radius / 2)."""
    if radius_px < NO_BLUR_PX:
        return scene
    if gaussian:
        return cv2.GaussianBlur(scene, (0, 0), radius_px / 2).astype(np.float32)
    return cv2.filter2D(scene, -1, disc_psf(radius_px, ring), borderType=cv2.BORDER_REFLECT).astype(np.float32)


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
