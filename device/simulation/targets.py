"""Flat targets before the lens of a drawn unit: shapes or an array, laid on a plane, projected, as reflectance.

Shapes are projected corner by corner and filled on a grid of SUPER · SUB points a pixel and direction, so no blur
enters but that of the grid itself, whose squares add up exactly to the square pixels of the sensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.layout import Layout
from device.simulation.optics import UM_PER_MM
from device.simulation.unit_truth import Unit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SUPER = 2
"""Fine cells a pixel and direction in which the target is blurred."""

SUB = 4
"""Points a fine cell and direction at which a shape either is or is not."""

PAPER, INK = 0.9, 0.05
"""Reflectance of white paper and of toner."""

LONGEST_STEP_MM = 0.25
"""Straight sides are divided this finely, since distortion bends them."""

FARTHEST_BENT = 1.5
"""Distortion grows no more beyond so many half diagonals, lest what lies far outside fold back into the picture."""

FIXED_POINT_ROUNDS = 12
_FRACTION_BITS = 8
_STRIP_CELLS = 216
_COARSE_CELLS = 16


@dataclass(frozen=True, slots=True)
class Pose:
    """How the target lies: offset from the working distance, tilt and where it recedes to, turn, shift of its middle
    from the middle of the field (mm; right and down)."""

    distance_mm: float = 0.0
    tilt_deg: float = 0.0
    tilt_towards_deg: float = 0.0
    rotation_deg: float = 0.0
    shift_mm: tuple[float, float] = (0.0, 0.0)


def to_pixels(unit: Unit, pose: Pose, points_mm: Float64) -> Float64:
    """Pixel coordinates (0 = left or top border) of points of the target, both float64 (N, 2)."""
    towards, turn = math.radians(pose.tilt_towards_deg), math.radians(pose.rotation_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    x = points_mm[:, 0] * cos - points_mm[:, 1] * sin + pose.shift_mm[0]
    y = points_mm[:, 0] * sin + points_mm[:, 1] * cos + pose.shift_mm[1]
    along = x * math.cos(towards) + y * math.sin(towards)
    tilt = math.radians(pose.tilt_deg)
    short = along * (math.cos(tilt) - 1)
    x, y, z = x + short * math.cos(towards), y + short * math.sin(towards), along * math.sin(tilt)
    px_per_mm = UM_PER_MM / unit.um_per_px
    axis_x, axis_y = unit.width / 2, unit.height / 2
    distance = unit.working_distance_mm
    nearer = distance / (distance + pose.distance_mm + z)
    u = (x * px_per_mm + unit.centre_x_px - axis_x) * nearer
    v = (y * px_per_mm + unit.centre_y_px - axis_y) * nearer
    away2 = np.minimum((u**2 + v**2) / (axis_x**2 + axis_y**2), FARTHEST_BENT**2)
    stretch = 1 + unit.distortion * away2
    return np.stack([u * stretch + axis_x, v * stretch + axis_y], axis=1)


def to_target(unit: Unit, pose: Pose, pixels: Float64) -> Float64:
    """The point of the target (mm) seen at each pixel coordinate, both float64 (N, 2). Undoes `to_pixels`."""
    axis = np.array([unit.width / 2, unit.height / 2])
    half_diagonal2 = float((axis**2).sum())
    bent = pixels - axis
    straight = bent
    for _ in range(FIXED_POINT_ROUNDS):
        straight = bent / (1 + unit.distortion * (straight**2).sum(axis=1, keepdims=True) / half_diagonal2)
    px_per_mm = UM_PER_MM / unit.um_per_px
    distance = unit.working_distance_mm
    towards, tilt, turn = map(math.radians, (pose.tilt_towards_deg, pose.tilt_deg, pose.rotation_deg))
    direction = np.array([math.cos(towards), math.sin(towards)])
    middle = (np.array([unit.centre_x_px, unit.centre_y_px]) - axis) / px_per_mm
    # a ray: (x, y) = flat · (distance + offset + z) / distance - middle, with z = slope · (x, y)·direction
    flat = straight / px_per_mm
    slope = math.tan(tilt)
    start = flat * (distance + pose.distance_mm) / distance - middle
    z = slope * (start @ direction) / (1 - slope * (flat @ direction) / distance)
    xy = start + flat * (z / distance)[:, None]
    xy = xy + np.outer((xy @ direction) * (1 / math.cos(tilt) - 1), direction)
    xy = xy - np.array(pose.shift_mm)
    cos, sin = math.cos(turn), math.sin(turn)
    return np.stack([xy[:, 0] * cos + xy[:, 1] * sin, -xy[:, 0] * sin + xy[:, 1] * cos], axis=1)


def drawn_layout(unit: Unit, pose: Pose, layout: Layout) -> Float32:
    """Reflectance of every fine cell, float32 (SUPER · height, SUPER · width)."""
    scale = SUPER * SUB * 2**_FRACTION_BITS
    corners, starts, shades = _divided_shapes(layout)
    points = to_pixels(unit, pose, corners)
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    visible = (high >= 0).all(axis=1) & (low <= [unit.width, unit.height]).all(axis=1)
    fixed = np.rint(points * scale - 2 ** (_FRACTION_BITS - 1)).astype(np.int64)
    parts = np.split(fixed, starts[1:])
    values = np.rint(255 * (INK + (PAPER - INK) * shades)).astype(int)
    polygons = [(parts[number], int(values[number])) for number in np.flatnonzero(visible)]
    height, width = unit.height * SUPER, unit.width * SUPER
    fine = np.empty((height, width), np.float32)
    for top in range(0, height, _STRIP_CELLS):
        bottom = min(top + _STRIP_CELLS, height)
        fine[top:bottom] = _filled(polygons, width, top, bottom)
    return fine / np.float32(255)


def _filled(polygons: Iterable[tuple[NDArray[np.int64], int]], width: int, top: int, bottom: int) -> Float32:
    """Rows `top` to `bottom` of fine cells, 0 to 255."""
    canvas = np.full(((bottom - top) * SUB, width * SUB), round(255 * PAPER), np.uint8)
    low, high = top * SUB * 2**_FRACTION_BITS, bottom * SUB * 2**_FRACTION_BITS
    for points, value in polygons:
        if points[:, 1].max() < low or points[:, 1].min() > high:
            continue
        moved = (points - (0, low)).astype(np.int32)
        cv2.fillPoly(canvas, [moved], value, lineType=cv2.LINE_8, shift=_FRACTION_BITS)
    small = cv2.resize(canvas, (width, bottom - top), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


@lru_cache(maxsize=8)
def _divided_shapes(layout: Layout) -> tuple[Float64, NDArray[np.int64], Float64]:
    """Corners of all shapes with points at most LONGEST_STEP_MM apart, where each shape begins, and the shades."""
    parts = [_divided(shape.corners_mm) for shape in layout.shapes]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])[:-1]]).astype(np.int64)
    return np.concatenate(parts), starts, np.array([shape.shade for shape in layout.shapes])


def _divided(corners: Float64) -> Float64:
    """The polygon with points at most LONGEST_STEP_MM apart."""
    following = np.roll(corners, -1, axis=0)
    parts = []
    for start, end in zip(corners, following, strict=True):
        count = max(math.ceil(float(np.abs(end - start).max()) / LONGEST_STEP_MM), 1)
        parts.append(start + (end - start) * (np.arange(count)[:, None] / count))
    return np.concatenate(parts)


def laid_array(unit: Unit, pose: Pose, array: NDArray[np.uint8] | Float32) -> Float32:
    """An array as the target: its cells are SUPER to a pixel at the working distance, mirrored where it ends.

    uint8 counts from 0 to 255, floats from 0 to 1, as reflectance. float32 (SUPER · height, SUPER · width).
    """
    reflectance = array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array.astype(np.float32)
    rows = np.arange(-_COARSE_CELLS, unit.height * SUPER + 2 * _COARSE_CELLS, _COARSE_CELLS, dtype=np.float64)
    columns = np.arange(-_COARSE_CELLS, unit.width * SUPER + 2 * _COARSE_CELLS, _COARSE_CELLS, dtype=np.float64)
    x, y = np.meshgrid(columns + 0.5, rows + 0.5)
    points = to_target(unit, pose, np.stack([x.ravel(), y.ravel()], axis=1) / SUPER)
    cells = points * (UM_PER_MM / unit.um_per_px * SUPER)
    map_x = _enlarged((cells[:, 0] + array.shape[1] / 2 - 0.5).reshape(x.shape), unit)
    map_y = _enlarged((cells[:, 1] + array.shape[0] / 2 - 0.5).reshape(x.shape), unit)
    laid = cv2.remap(reflectance, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(laid, np.float32)


def _enlarged(coarse: Float64, unit: Unit) -> Float32:
    """From one value every _COARSE_CELLS fine cells (the first at -_COARSE_CELLS) to one for each cell."""
    step = 1 / _COARSE_CELLS
    matrix = np.array([[step, 0.0, 1.0], [0.0, step, 1.0]])
    size = (unit.width * SUPER, unit.height * SUPER)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(coarse.astype(np.float32), matrix, size, flags=flags), np.float32)
