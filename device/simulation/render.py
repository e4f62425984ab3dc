"""From tissue to the picture on the sensor: blur that varies over the frame, vignetting, smear, exposure and noise.

The tissue is blurred beforehand by discs of rising radius, in linear light with its glare, so that highlights spread
before they saturate. Each frame blends, pixel by pixel, the two layers around the radius due there. Layers hold
display values of half the radiance, so that glare still saturates behind vignetting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from device.simulation.fields import BLOCK_PX, Canvas, Plane, ramp
from device.simulation.kernels import disc_kernel, line_kernel
from device.simulation.settings import WorldSettings
from device.simulation.tissue import Tissue
from device.simulation.tone import to_displayed, to_linear
from models.focusmap import Luma

RADII_PX = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0)
"""Radii of the layers. A blend of two neighbours stands for the disc in between. Measured on rendered pictures: within
6 % of the radius due, or 0.1 px below 1.25 px; 8-bit rounding favours the nearer layer. Beyond the last radius the
picture is as sharp as at the last."""

HALF_FROM_PX, QUARTER_FROM_PX = 4.5, 9.0
"""Discs this wide are laid over a picture of a half or a quarter of the size."""

HEADROOM = 2.0
STRIP_PX = 216
LEAST_SMEAR_PX = 0.2
OUTSIDE_LIGHT = 0.006
"""Stray light in the dark corners, relative to the middle of the field."""

RIM_WIDTH = 0.015
WHITE_BELOW = 48.0
"""Colour fades to white over so many levels below saturation, as all channels clip there."""

NOISE_SIDE_PX = 1024
TABLE = np.arange(256, dtype=np.float32) / 255


@dataclass(frozen=True, slots=True)
class Shot:
    """What one frame depends on, besides the tissue.

    radius_px         blur radius of every block of the canvas, float32 (rows, columns)
    left_px, top_px   corner of the frame on the canvas
    smear_x_px, smear_y_px   how far the picture moved during the exposure
    level             exposure relative to the right one
    gain              amplification after the sensor
    noise_seed        same seed, same noise
    """

    radius_px: Plane
    left_px: int
    top_px: int
    smear_x_px: float
    smear_y_px: float
    level: float
    gain: float
    noise_seed: int


class Renderer:
    """Holds the blurred layers of one tissue and renders frames from them, on two threads."""

    def __init__(self, settings: WorldSettings, canvas: Canvas, tissue: Tissue) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(2)
        self._layers = list(self._pool.map(lambda radius: _layer(tissue.radiance, radius), RADII_PX))
        self._light = _field_light(settings, canvas)
        self._noise = _noise_bank(settings.seed, settings.width)

    def luma(self, shot: Shot) -> Luma:
        """One frame, uint8 (height, width)."""
        settings = self._settings
        out = np.empty((settings.height, settings.width), np.uint8)
        index = np.interp(shot.radius_px, RADII_PX, np.arange(len(RADII_PX))).astype(np.float32)
        develop = _tone(shot.level)
        deviation = noise_deviation(settings, shot.gain)
        rng = np.random.default_rng([settings.seed, shot.noise_seed])
        starts = rng.integers(0, NOISE_SIDE_PX, (len(self._strips()), 2))

        def strip(number: int) -> None:
            top = number * STRIP_PX
            bottom = min(top + STRIP_PX, settings.height)
            picture: cv2.typing.MatLike = self._blend(index, shot, top, bottom)
            picture = cv2.multiply(picture, self._light[top:bottom], scale=1 / 255)
            if np.hypot(shot.smear_x_px, shot.smear_y_px) >= LEAST_SMEAR_PX:
                kernel = line_kernel(shot.smear_x_px, shot.smear_y_px)
                picture = cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT)
            picture = cv2.LUT(picture, develop)
            noise = self._noise_for(picture.shape, starts[number])
            amplitude = cv2.LUT(picture, deviation)
            cv2.add(picture, cv2.multiply(amplitude, noise), dst=out[top:bottom], dtype=cv2.CV_8U)

        for _ in self._pool.map(strip, self._strips()):
            pass
        return out

    def close(self) -> None:
        self._pool.shutdown()

    def _strips(self) -> range:
        return range(-(-self._settings.height // STRIP_PX))

    def _blend(self, index: Plane, shot: Shot, top: int, bottom: int) -> NDArray[np.uint8]:
        """Rows `top` to `bottom` of the frame: layer floor(i) and layer floor(i) + 1, mixed by the fraction of i."""
        width = self._settings.width
        picture = np.empty((bottom - top, width), np.uint8)
        for left in range(0, width, STRIP_PX):
            right = min(left + STRIP_PX, width)
            rows = slice(shot.top_px + top, shot.top_px + bottom)
            columns = slice(shot.left_px + left, shot.left_px + right)
            picture[:, left:right] = self._mixed(_enlarged(index, rows, columns), rows, columns)
        return picture

    def _mixed(self, index: Plane, rows: slice, columns: slice) -> NDArray[np.uint8]:
        lowest, highest = int(index.min()), int(np.ceil(index.max()))
        mixed: cv2.typing.MatLike = self._layers[lowest][rows, columns]
        for number in range(lowest, highest):
            share = np.clip(index - number, 0.0, 1.0)
            mixed = cv2.blendLinear(mixed, self._layers[number + 1][rows, columns], 1 - share, share)
        return np.asarray(mixed, np.uint8)

    def _noise_for(self, shape: tuple[int, ...], start: NDArray[np.int64]) -> Plane:
        """A window into the bank: no noise comes twice within a strip, and every strip of every frame begins elsewhere.

        Strips may share noise, displaced by hundreds of pixels; their correlation at any one displacement is below 0.1.
        """
        y, x = int(start[0]), int(start[1])
        return self._noise[y : y + shape[0], x : x + shape[1]]


def _layer(radiance: Plane, radius_px: float) -> NDArray[np.uint8]:
    """The tissue through a disc of this radius, as display values of radiance / HEADROOM."""
    if radius_px >= HALF_FROM_PX:
        reduce = 4 if radius_px >= QUARTER_FROM_PX else 2
        size = (radiance.shape[1] // reduce, radiance.shape[0] // reduce)
        small = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
        # reducing and enlarging blur too: about a box of `reduce` px, twice, with a variance of reduce²/12 each
        radius = np.sqrt(radius_px**2 - 4 * 2 * reduce**2 / 12) / reduce
        blurred = cv2.filter2D(small, -1, disc_kernel(float(radius)), borderType=cv2.BORDER_REFLECT)
        blurred = cv2.resize(blurred, radiance.shape[::-1], interpolation=cv2.INTER_LINEAR)
    else:
        blurred = cv2.filter2D(radiance, -1, disc_kernel(radius_px), borderType=cv2.BORDER_REFLECT)
    steps = to_displayed(np.arange(4096, dtype=np.float32) / 4095)
    table = np.rint(255 * steps).astype(np.uint8)
    levels = np.minimum(blurred * np.float32(4095 / HEADROOM) + 0.5, 4095).astype(np.uint16)
    return np.asarray(table[levels], np.uint8)


def _enlarged(index: Plane, rows: slice, columns: slice) -> Plane:
    """The layer index of every pixel of a window, bilinear between the middles of blocks."""
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) / BLOCK_PX - 0.5
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5) / BLOCK_PX - 0.5
    matrix = np.array([[1 / BLOCK_PX, 0, x[0]], [0, 1 / BLOCK_PX, y[0]]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(index, matrix, (len(x), len(y)), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _field_light(settings: WorldSettings, canvas: Canvas) -> NDArray[np.uint8]:
    """What the round field and vignetting leave of each display value, as a share of 255, uint8 (height, width).

    Display values go with about the 2.4th root of light, and a product under the root is a product of roots.
    """
    x = (np.arange(settings.width) + 0.5 - settings.field_x * settings.width) / canvas.radius_px
    y = (np.arange(settings.height) + 0.5 - settings.field_y * settings.height) / canvas.radius_px
    radius = np.hypot(x[None, :], y[:, None]).astype(np.float32)
    inside = 1 - settings.vignetting * np.minimum(radius, 1.0) ** 2
    rim = ramp(radius, 1.0 + RIM_WIDTH, 1.0 - RIM_WIDTH)
    light = OUTSIDE_LIGHT + (inside - OUTSIDE_LIGHT) * rim
    share: NDArray[np.uint8] = np.rint(255 * light ** (1 / 2.4)).astype(np.uint8)
    return share


@lru_cache(maxsize=64)
def _tone(level: float) -> NDArray[np.uint8]:
    """Layer values to display values at this exposure."""
    light = np.minimum(to_linear(TABLE) * np.float32(HEADROOM * level), 1.0)
    return np.rint(255 * to_displayed(light)).astype(np.uint8)


@lru_cache(maxsize=64)
def noise_deviation(settings: WorldSettings, gain: float) -> Plane:
    """Standard deviation of the noise for every display value, in levels; float32 (256,).

    Photon noise is Poisson: variance = signal, in electrons; read noise adds its square, the converter a step²/12. A
    gain g uses 1/g of the full well. In levels, by the slope of the tone curve.
    """
    well_e = settings.full_well_e / gain
    signal = to_linear(TABLE)
    step = 1 / 2**settings.adc_bits
    variance = signal / well_e + (settings.read_noise_e / well_e) ** 2 + step**2 / 12
    slope = np.gradient(to_displayed(signal), signal)
    deviation = 255 * np.sqrt(variance) * slope
    deviation[-1] = 0.0  # full wells do not fluctuate
    return np.asarray(deviation, np.float32)


def _noise_bank(seed: int, width: int) -> Plane:
    """Standard normal noise, large enough for a strip at any start within NOISE_SIDE_PX."""
    rng = np.random.default_rng([seed, 77])
    return rng.standard_normal((NOISE_SIDE_PX + STRIP_PX, NOISE_SIDE_PX + width), dtype=np.float32)


def still_rgb(luma: Luma, chroma: Plane, left_px: int, top_px: int, radius_px: float) -> NDArray[np.uint8]:
    """Colour with exactly this luma (BT.601) wherever no channel clips: R' = Y'(1 + c_r), B' = Y'(1 + c_b).

    The colour is blurred by one disc of `radius_px` all over: without it, vessels out of focus would stay crisp in red.
    """
    height, width = luma.shape
    window: Plane = chroma[top_px // 2 : (top_px + height) // 2 + 1, left_px // 2 : (left_px + width) // 2 + 1]
    kernel = disc_kernel(min(radius_px, RADII_PX[-1]) / 2)  # colour comes at half the size
    window = np.asarray(cv2.filter2D(window, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)
    full = cv2.resize(window, (2 * window.shape[1], 2 * window.shape[0]), interpolation=cv2.INTER_LINEAR)
    full = full[top_px % 2 :, left_px % 2 :][:height, :width]
    y = luma.astype(np.float32)
    full = full * np.clip((255 - y) / WHITE_BELOW, 0.0, 1.0)[..., None]
    red, blue = y * (1 + full[..., 0]), y * (1 + full[..., 1])
    red, blue = np.minimum(red, 255.0), np.minimum(blue, 255.0)
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    colour = np.rint(np.stack([red, green, blue], axis=-1))
    return np.asarray(np.clip(colour, 0, 255), np.uint8)
