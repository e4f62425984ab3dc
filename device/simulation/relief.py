"""The shape of the tissue: how far each point lies behind the plane that the hand tries to keep in focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.simulation.fields import BLOCK_PX, Canvas, Plane, fractal_noise, ramp
from device.simulation.settings import WorldSettings

CERVIX_RADIUS = 0.70
"""Radius of the cervix in field radii: it fills about half of the field."""

FORNIX_MM = 0.35
"""How far the groove around the cervix lies behind its rim."""

FORNIX_WIDTH = 0.06
WALL_RISE_MM = 0.9
"""How far the vaginal wall comes forward again from the groove to the rim of the field."""

OS_LENGTH, OS_HEIGHT = 0.115, 0.036
"""Half axes of the external os in field radii: a slit across, as after a birth."""

MIDDLE_PERCENT = (2.0, 98.0)
"""The hand's best distance is the middle between these percentiles of depth in the field."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Where the parts of the cervix lie; each plane has one sample to `step` px.

    cervix   distance from the cervix' middle, 1 at its (uneven) rim
    os       the same for the os
    """

    cervix: Plane
    os: Plane


def outline(settings: WorldSettings, canvas: Canvas, step: int) -> Outline:
    """Shapes of the cervix and its os; the same at any `step`, since their unevenness is made of sines."""
    x, y = canvas.coordinates(step)
    rng = np.random.default_rng([settings.seed, 1])
    middle_x, middle_y = rng.uniform(-0.06, 0.06, 2)
    angle = np.arctan2(y - middle_y, x - middle_x)
    cervix = np.hypot((x - middle_x) * 0.97, (y - middle_y) * 1.05) / CERVIX_RADIUS
    cervix = cervix / _uneven(rng, angle, 0.035)
    turn = rng.uniform(-0.25, 0.25)
    along = (x - middle_x) * np.cos(turn) + (y - middle_y) * np.sin(turn)
    across = (y - middle_y) * np.cos(turn) - (x - middle_x) * np.sin(turn)
    across = across + 0.012 * np.sin(along * 28 + rng.uniform(0, 6.3)) + 0.25 * along**2
    os = np.hypot(along / OS_LENGTH, across / OS_HEIGHT)
    return Outline(cervix.astype(np.float32), os.astype(np.float32))


def _uneven(rng: np.random.Generator, angle: Plane, amount: float) -> Plane:
    """A rim that is nearly round."""
    rim = np.ones_like(angle)
    for waves in range(2, 7):
        rim += amount * 2 / waves * np.sin(waves * angle + rng.uniform(0, 2 * np.pi))
    return rim


def relief_mm(settings: WorldSettings, canvas: Canvas) -> Plane:
    """Depth behind the plane of best focus, mm, one float32 sample to a block of `BLOCK_PX`; above 0 is farther.

    A dome with the os in its middle, a groove around it, the vaginal wall rising beyond, folds, and a tilt.
    """
    shapes = outline(settings, canvas, BLOCK_PX)
    x, y = canvas.coordinates(BLOCK_PX)
    inside = np.minimum(shapes.cervix, 1.0)
    depth = settings.dome_mm * inside**2
    beyond = np.maximum(shapes.cervix - 1.0, 0.0) * CERVIX_RADIUS
    depth += FORNIX_MM * np.exp(-((shapes.cervix - 1.0) ** 2) / (2 * (FORNIX_WIDTH / CERVIX_RADIUS) ** 2))
    depth -= WALL_RISE_MM * ramp(beyond, 0.0, 1.0 - CERVIX_RADIUS)
    depth += settings.os_depth_mm * np.exp(-(shapes.os**2) / 1.2)
    rng = np.random.default_rng([settings.seed, 2])
    depth += settings.folds_mm * fractal_noise(rng, canvas.shape(BLOCK_PX), 0.35 * canvas.radius_px / BLOCK_PX, 3)
    turn = np.deg2rad(settings.tilt_direction_deg)
    depth = depth + settings.tilt_mm * (x * np.cos(turn) + y * np.sin(turn))
    near, far = np.percentile(depth[x**2 + y**2 <= 1.0], MIDDLE_PERCENT)
    return np.asarray(depth - (near + far) / 2, np.float32)
