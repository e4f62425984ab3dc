"""Smooth random fields and the canvas they are painted on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device.simulation.settings import WorldSettings

Plane = NDArray[np.float32]

BLOCK_PX = 8
"""Side of the square blocks within which depth, and with it blur, is constant."""

LEAST_MARGIN_PX = 96
"""Tissue beyond every side of the frame: 1.8 mm of sway with the default lens."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The piece of tissue that is painted: the frame and a margin on every side, in whole blocks.

    width, height      px
    margin_px          from the canvas' corner to the frame's, while the hand is in the middle
    centre_x, centre_y, radius_px   the field of view, px of the canvas
    """

    width: int
    height: int
    margin_px: int
    centre_x: float
    centre_y: float
    radius_px: float

    @classmethod
    def of(cls, settings: WorldSettings) -> Canvas:
        margin = LEAST_MARGIN_PX
        return cls(
            width=-(-(settings.width + 2 * margin) // BLOCK_PX) * BLOCK_PX,
            height=-(-(settings.height + 2 * margin) // BLOCK_PX) * BLOCK_PX,
            margin_px=margin,
            centre_x=margin + settings.field_x * settings.width,
            centre_y=margin + settings.field_y * settings.height,
            radius_px=settings.field_radius * settings.width,
        )

    def shape(self, step: int = 1) -> tuple[int, int]:
        """Rows and columns of a plane with one sample to `step` pixels."""
        return self.height // step, self.width // step

    def coordinates(self, step: int = 1) -> tuple[Plane, Plane]:
        """x and y of every sample's middle from the field's centre in its radii, float32; shapes (1, C) and (R, 1)."""
        rows, columns = self.shape(step)
        x = ((np.arange(columns) + 0.5) * step - self.centre_x) / self.radius_px
        y = ((np.arange(rows) + 0.5) * step - self.centre_y) / self.radius_px
        return x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> Plane:
    """Noise of mean 0 and standard deviation 1 without detail finer than about `scale_px` samples, float32."""
    if scale_px <= 1:
        return rng.standard_normal(shape, dtype=np.float32)
    coarse = tuple(max(int(np.ceil(side / scale_px)), 2) for side in shape)
    noise = rng.standard_normal(coarse, dtype=np.float32)
    resized = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized / max(float(resized.std()), 1e-6), np.float32)


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], coarsest_px: float, octaves: int, fall: float = 0.5
) -> Plane:
    """Octaves of `smooth_noise`, each finer by half and weaker by `fall`; standard deviation about 1, float32."""
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        weight = fall**octave
        total += weight * smooth_noise(rng, shape, coarsest_px / 2**octave)
        power += weight**2
    return np.asarray(total / np.sqrt(power), np.float32)


def ramp(value: Plane, start: float, end: float) -> Plane:
    """0 at `start`, 1 at `end`, smooth and level at both ends (start may exceed end)."""
    share = np.clip((value - start) / (end - start), 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
