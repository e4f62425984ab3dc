"""One picture by a drawn unit: target, blur that varies over the field, light, electrons, noise, levels."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.charts.board import board_layout
from calibration.charts.edges import edges_layout
from calibration.charts.texture import texture_cells
from calibration.charts.usaf import usaf_layout
from device.simulation.fields import ramp
from device.simulation.kernels import disc_kernel
from device.simulation.targets import PAPER, SUPER, Pose, drawn_layout, laid_array
from device.simulation.tone import to_displayed
from device.simulation.unit_truth import Unit, disc_radius_px, f_number_at, plane_mm

Float32 = NDArray[np.float32]
Target = Literal["chart", "dark", "flat", "texture", "edges", "usaf"] | NDArray[np.uint8] | Float32

BLOCK_PX = 48
"""Within a block of so many pixels the disc has one radius, that of the block's middle."""

RADIUS_STEP_CELLS, RADIUS_STEP_SHARE = 0.05, 0.01
"""Radii are rounded to so many fine cells, or this share if that is more."""

LARGE_DISC_CELLS = 8.0
"""Discs this wide need no exact moments: their rim is shaded by its distance."""

REFERENCE_F_NUMBER = 2.8
STRAY_LIGHT = 0.004
"""Light outside the field, relative to its middle."""

RIM_SHARE = 0.012
"""Half width of the rim in which light falls to that, as a share of the radius."""

HAND_REFLECTANCE, HAND_BLUR_PX = 0.35, 9.0
SATURATION_DN = 255.0


def picture(
    unit: Unit,
    target: Target,
    *,
    distance_mm: float = 0.0,
    position: float = 0.0,
    exposure_us: float,
    gain_db: float = 0.0,
    seed: int = 0,
    tilt_deg: float = 0.0,
    rotation_deg: float = 0.0,
    tilt_towards_deg: float = 0.0,
    shift_mm: tuple[float, float] = (0.0, 0.0),
    hand_share: float = 0.0,
    light: float = 1.0,
) -> NDArray[np.uint8]:
    """Luma, uint8 (height, width).

    target        "chart" (the ChArUco board), "edges", "usaf", "texture" (ideal, finer than print), "flat" (white
                  paper), "dark" (lens covered), or an array: reflectance at two cells to a pixel, see `laid_array`
    distance_mm   target minus working distance (above 0 = farther)
    position      where the *iris* stands (`SimulatedStage.iris`), 0 to 1
    seed          of the noise; the target's surface and the sensor's fixed pattern stay the same
    hand_share    share of the picture's width that a hand covers, from the left
    light         illuminance relative to the one that `unit.white_us` was given for
    """
    pose = Pose(distance_mm, tilt_deg, tilt_towards_deg, rotation_deg, shift_mm)
    rng = np.random.default_rng([unit.seed, seed, 11])
    if isinstance(target, str) and target == "dark":
        reflected = np.zeros((unit.height, unit.width), np.float32)
    else:
        reflected = _seen(unit, _surface(unit, pose, target), pose, position)
        if hand_share > 0:
            reflected = _with_hand(reflected, hand_share)
    full_e = (SATURATION_DN - unit.black_level_dn) * unit.gain_e_per_dn
    stops = (REFERENCE_F_NUMBER / f_number_at(unit, position)) ** 2 * light * exposure_us / unit.white_us
    electrons = reflected * _field_light(unit) * np.float32(full_e / PAPER * stops)
    electrons *= _sensitivity(unit)
    for x, y, rate in unit.hot_pixels:
        electrons[y, x] += rate * exposure_us * 1e-6
    counted = rng.poisson(electrons).astype(np.float32)
    counted += unit.read_noise_e * rng.standard_normal(counted.shape, dtype=np.float32)
    e_per_dn = unit.gain_e_per_dn / 10 ** (gain_db / 20)
    return levels(counted / np.float32(e_per_dn) + np.float32(unit.black_level_dn), unit.tone)


def levels(signal_dn: Float32, tone: str) -> NDArray[np.uint8]:
    """8-bit luma of a linear signal whose full scale is 255, any shape."""
    if tone == "srgb":
        signal_dn = to_displayed(signal_dn / np.float32(SATURATION_DN)) * np.float32(SATURATION_DN)
    return np.clip(np.rint(signal_dn), 0, SATURATION_DN).astype(np.uint8)


def fitting_exposure_us(unit: Unit, position: float = 0.0, gain_db: float = 0.0, fill: float = 0.75) -> float:
    """The exposure at which white paper fills this share of the scale in the field's middle, µs."""
    stops = (f_number_at(unit, position) / REFERENCE_F_NUMBER) ** 2
    return unit.white_us * fill * stops / 10 ** (gain_db / 20)


def _surface(unit: Unit, pose: Pose, target: Target) -> Float32:
    """Reflectance of every fine cell."""
    if not isinstance(target, str):
        return laid_array(unit, pose, target)
    if target == "texture":
        return laid_array(unit, pose, texture_cells(unit.seed))
    if target == "flat":
        return np.full((unit.height * SUPER, unit.width * SUPER), PAPER, np.float32)
    layouts = {"chart": board_layout, "edges": edges_layout, "usaf": usaf_layout}
    return drawn_layout(unit, pose, layouts[target]())


def _seen(unit: Unit, fine: Float32, pose: Pose, position: float) -> Float32:
    """The surface through lens and pixels: Gaussian, disc by block, mean over each pixel; float32 (height, width)."""
    soft = cv2.GaussianBlur(fine, (0, 0), unit.base_blur_px * SUPER, borderType=cv2.BORDER_REFLECT)
    out = np.empty((unit.height, unit.width), np.float32)
    for top in range(0, unit.height, BLOCK_PX):
        for left in range(0, unit.width, BLOCK_PX):
            bottom, right = min(top + BLOCK_PX, unit.height), min(left + BLOCK_PX, unit.width)
            x, y = np.array([(left + right) / 2]), np.array([(top + bottom) / 2])
            away = pose.distance_mm + plane_mm(unit, x, y, pose.tilt_deg, pose.tilt_towards_deg)
            cells = SUPER * float(disc_radius_px(unit, x, y, away, position)[0])
            out[top:bottom, left:right] = _block(
                soft, _kernel(_rounded(cells)), top=top, left=left, bottom=bottom, right=right
            )
    return out


def _block(soft: cv2.typing.MatLike, kernel: Float32, *, top: int, left: int, bottom: int, right: int) -> Float32:
    reach = kernel.shape[0] // 2
    rows = slice(max(top * SUPER - reach, 0), min(bottom * SUPER + reach, soft.shape[0]))
    columns = slice(max(left * SUPER - reach, 0), min(right * SUPER + reach, soft.shape[1]))
    blurred = cv2.filter2D(soft[rows, columns], -1, kernel, borderType=cv2.BORDER_REFLECT)
    y, x = top * SUPER - rows.start, left * SUPER - columns.start
    inner = blurred[y : y + (bottom - top) * SUPER, x : x + (right - left) * SUPER]
    pixels = inner.reshape(bottom - top, SUPER, right - left, SUPER)
    return np.asarray(pixels.mean(axis=(1, 3)), np.float32)


def _rounded(radius: float) -> float:
    step = max(RADIUS_STEP_CELLS, RADIUS_STEP_SHARE * radius)
    if step == RADIUS_STEP_CELLS:
        return round(radius / step) * step
    return math.exp(round(math.log(radius) / RADIUS_STEP_SHARE) * RADIUS_STEP_SHARE)


@lru_cache(maxsize=512)
def _kernel(radius: float) -> Float32:
    if radius < LARGE_DISC_CELLS:
        return disc_kernel(radius)
    reach = math.ceil(radius + 0.5)
    offset = np.arange(-reach, reach + 1)
    covered = np.clip(radius + 0.5 - np.hypot(offset[:, None], offset[None, :]), 0.0, 1.0)
    return np.asarray(covered / covered.sum(), np.float32)


@lru_cache(maxsize=4)
def _field_light(unit: Unit) -> Float32:
    """Illuminance of every pixel relative to the field's middle without its dark side, float32 (height, width)."""
    x = (np.arange(unit.width, dtype=np.float32) + 0.5 - unit.centre_x_px) / unit.radius_px
    y = (np.arange(unit.height, dtype=np.float32) + 0.5 - unit.centre_y_px) / unit.radius_px
    radius = np.hypot(x[None, :], y[:, None]).astype(np.float32)
    light = 1 - unit.vignetting * np.minimum(radius, 1.0) ** 2
    towards = math.radians(unit.dark_deg)
    along = (x[None, :] * math.cos(towards) + y[:, None] * math.sin(towards)).astype(np.float32)
    light = light * (1 - unit.dark_share * ramp(along, 0.0, 1.0))
    rim = ramp(radius, 1.0 + RIM_SHARE, 1.0 - RIM_SHARE)
    return np.asarray(STRAY_LIGHT + (light - STRAY_LIGHT) * rim, np.float32)


@lru_cache(maxsize=4)
def _sensitivity(unit: Unit) -> Float32:
    """Fixed pattern of the pixels' sensitivity, float32 (height, width)."""
    rng = np.random.default_rng([unit.seed, 12])
    spread = rng.standard_normal((unit.height, unit.width), dtype=np.float32)
    return np.asarray(1 + np.float32(unit.prnu) * spread, np.float32)


def _with_hand(reflected: Float32, share: float) -> Float32:
    """Four fingers from the left, far out of focus."""
    height, width = reflected.shape
    mask = np.zeros_like(reflected)
    for finger in range(4):
        centre = (0, round(height * (finger + 0.5) / 4))
        axes = (round(width * share * (1.0, 1.15, 1.1, 0.9)[finger]), round(height * 0.14))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), HAND_BLUR_PX), np.float32)
    return reflected * (1 - mask) + np.float32(HAND_REFLECTANCE) * mask
