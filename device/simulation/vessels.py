"""Blood vessels: winding, branching lines from trunks of several pixels down to single-pixel capillaries, and dots."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device.simulation.fields import Canvas, Plane

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with: a sixteenth of a pixel."""

REFERENCE_AREA_PX = 2592 * 1944
"""Counts below are for a frame of this size."""

STEP_PX = 7.0


@dataclass(frozen=True, slots=True)
class Generation:
    """One size of vessel: how many for a full frame, px of width and length, how much it winds (rad a step)."""

    count: int
    width_px: int
    length_px: float
    winding: float
    shade: int


TRUNKS = Generation(26, 4, 700.0, 0.10, 150)
BRANCHES = Generation(150, 3, 320.0, 0.16, 140)
TWIGS = Generation(900, 2, 150.0, 0.24, 130)
CAPILLARIES = Generation(9000, 1, 60.0, 0.35, 190)


@dataclass(frozen=True, slots=True)
class Vessels:
    """How much blood covers each pixel, uint8: the deep vessels lie under the surface, the fine ones in it."""

    deep: Mask
    fine: Mask


def draw_vessels(rng: np.random.Generator, canvas: Canvas) -> Vessels:
    """The whole network on a canvas."""
    share = canvas.width * canvas.height / REFERENCE_AREA_PX
    deep = np.zeros(canvas.shape(), np.uint8)
    fine = np.zeros(canvas.shape(), np.uint8)
    centre = np.array([canvas.centre_x, canvas.centre_y])
    count = max(round(TRUNKS.count * share), 4)
    angle = rng.uniform(0, 2 * np.pi, count)
    start = centre + canvas.radius_px * rng.uniform(0.75, 1.2, (count, 1)) * _unit(angle)
    parents = _walk(rng, start, angle + np.pi + rng.normal(0, 0.3, count), TRUNKS)
    _draw(deep, parents, TRUNKS, rng)
    for generation, plane in ((BRANCHES, deep), (TWIGS, deep), (CAPILLARIES, fine)):
        count = max(round(generation.count * share), 8)
        # Most branch off a larger vessel; the others surface from below anywhere.
        free = count // 2 if generation is CAPILLARIES else count // 4
        start, heading = _forks(rng, parents, count - free)
        anywhere = rng.uniform(0, 1, (free, 2)) * (canvas.width, canvas.height)
        start = np.concatenate([start, anywhere])
        heading = np.concatenate([heading, rng.uniform(0, 2 * np.pi, free)])
        walks = _walk(rng, start, heading, generation)
        _draw(plane, walks, generation, rng)
        parents = np.concatenate([parents, _resampled(walks, parents.shape[1])])
    return Vessels(deep, fine)


def _unit(angle: NDArray[np.float64]) -> Points:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _walk(rng: np.random.Generator, start: Points, heading: NDArray[np.float64], size: Generation) -> Points:
    """Winding walks from `start` (n, 2), shape (n, steps, 2): the curvature itself wanders, as a vessel's does."""
    steps = max(int(size.length_px / STEP_PX), 3)
    bend = rng.normal(0, size.winding, (len(start), steps))
    curvature = 0.75 * np.roll(bend, 1, axis=1) + bend - 0.2 * np.cumsum(bend, axis=1)
    angle = heading[:, None] + np.cumsum(curvature, axis=1)
    return start[:, None, :] + np.cumsum(STEP_PX * _unit(angle), axis=1)


def _forks(rng: np.random.Generator, parents: Points, count: int) -> tuple[Points, NDArray[np.float64]]:
    """Points on the parents and headings that leave them at 25 to 70 degrees to either side."""
    vessel = rng.integers(0, len(parents), count)
    step = rng.integers(0, parents.shape[1] - 1, count)
    start = parents[vessel, step]
    along = parents[vessel, step + 1] - start
    side = rng.choice([-1.0, 1.0], count)
    return start, np.arctan2(along[:, 1], along[:, 0]) + side * rng.uniform(0.45, 1.2, count)


def _resampled(walks: Points, steps: int) -> Points:
    """The walks with as many points as those of the trunks, so that both can be parents of the next generation."""
    return walks[:, np.linspace(0, walks.shape[1] - 1, steps).astype(int)]


def _draw(plane: Mask, walks: Points, size: Generation, rng: np.random.Generator) -> None:
    """Each walk as a line that grows thinner and paler to its end."""
    fixed = np.round(walks * (1 << SHIFT)).astype(np.int32)
    shades = np.clip(rng.normal(size.shade, 35, len(walks)), 40, 255)
    half = fixed.shape[1] // 2
    thin = max(size.width_px - 1, 1)
    for line, shade in zip(fixed, shades, strict=True):
        cv2.polylines(plane, [line[half:]], False, float(shade) * 0.8, thin, cv2.LINE_AA, SHIFT)
        cv2.polylines(plane, [line[: half + 1]], False, float(shade), size.width_px, cv2.LINE_AA, SHIFT)


def draw_punctation(rng: np.random.Generator, canvas: Canvas, patch: Plane, spacing_px: float = 15.0) -> Mask:
    """Ends of capillaries seen head on, as fine dots in the patch (float32 0 to 1, any sampling of the canvas)."""
    plane = np.zeros(canvas.shape(), np.uint8)
    grid_y, grid_x = np.mgrid[0 : canvas.height : spacing_px, 0 : canvas.width : spacing_px]
    points = np.stack([grid_x, grid_y], axis=-1).reshape(-1, 2)
    points = points + rng.normal(0, 0.25 * spacing_px, points.shape)
    column = np.clip(points[:, 0] * patch.shape[1] / canvas.width, 0, patch.shape[1] - 1).astype(int)
    row = np.clip(points[:, 1] * patch.shape[0] / canvas.height, 0, patch.shape[0] - 1).astype(int)
    for x, y in points[patch[row, column] > rng.uniform(0.4, 1.0, len(points))]:
        centre = (round(x * (1 << SHIFT)), round(y * (1 << SHIFT)))
        radius = round(float(rng.uniform(0.7, 2.0)) * (1 << SHIFT))
        cv2.circle(plane, centre, radius, float(rng.uniform(120, 230)), -1, cv2.LINE_AA, SHIFT)
    return plane
