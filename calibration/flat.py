"""Dark level, hot pixels, and the light over the field relative to its best part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.faults import CalibrationError, NotPlainError, PictureTooBrightError, PictureTooDarkError
from models.focusmap import FieldOfView, TileGrid

Float32 = NDArray[np.float32]

HOT_SIGMAS, HOT_DN = 8.0, 3.0
"""A pixel is hot if the mean of the dark pictures exceeds the level by both."""

MOST_DARK_DN = 40.0
MOST_DARK_SPREAD_DN = 3.0
"""Differences over the picture beyond which the lens was not covered."""

SMOOTH_SHARE = 0.01
"""The flat field is smoothed over so much of the picture's width: light varies slowly, paper does not."""

SATURATED_DN = 250.0
MOST_SATURATED_SHARE = 0.01
LEAST_FLAT_DN = 25.0
EDGE_SHARE, EDGE_SIGMA_SHARE, MOST_EDGE_SHARE = 8.0, 0.004, 0.003
"""Light on plain paper changes by less than a factor e^8 over a radius, even towards a dark side; the rim of a finger
or a speck does not. Smoothed over this share of the width, at most this share of the field may change faster."""

LEAST_SHARE = 0.02
"""Where less light than this share of the best arrives nothing is divided by it."""


@dataclass(frozen=True, slots=True)
class DarkLevel:
    """level_dn   luma without light (mean of all but hot pixels)
    noise_dn      standard deviation of one pixel from picture to picture, rounding included
    hot           x, y and excess (levels) of every hot pixel, the worst first
    """

    level_dn: float
    noise_dn: float
    hot: tuple[tuple[int, int, float], ...]


def dark_level(darks: Sequence[Float32]) -> DarkLevel:
    """From at least two pictures with the lens covered, in linear light, float32 (height, width) each.

    Raises CalibrationError if there are fewer or if light came in.
    """
    if len(darks) < 2:
        raise CalibrationError(f"{len(darks)} dark pictures, at least 2 are needed; cover the lens and take more")
    mean = np.mean(np.stack(darks), axis=0)
    level = float(np.median(mean))
    coarse = cv2.resize(mean.astype(np.float32), (16, 12), interpolation=cv2.INTER_AREA)
    spread = float(np.ptp(np.asarray(coarse)))
    if level > MOST_DARK_DN or spread > MOST_DARK_SPREAD_DN:
        raise CalibrationError(
            f"the dark pictures are not dark (level {level:.0f}, differences {spread:.0f} over the picture; at most "
            f"{MOST_DARK_DN:.0f} and {MOST_DARK_SPREAD_DN:.0f}); cover the lens fully and switch the light off"
        )
    differences = [one.astype(np.float64) - other for one, other in zip(darks[1:], darks[:-1], strict=True)]
    noise = float(np.sqrt(np.mean([_trimmed_variance(difference) for difference in differences]) / 2))
    limit = max(HOT_SIGMAS * max(noise, 0.3) / np.sqrt(len(darks)), HOT_DN)
    rows, columns = np.nonzero(mean > level + limit)
    hot = sorted(
        ((int(x), int(y), float(mean[y, x] - level)) for y, x in zip(rows, columns, strict=True)), key=lambda at: -at[2]
    )
    cold = mean <= level + limit
    return DarkLevel(float(mean[cold].mean()), noise, tuple(hot))


def without_hot_pixels(picture: Float32, dark: DarkLevel) -> Float32:
    """The picture with every hot pixel replaced by the median of its neighbours; float32 of the same shape."""
    mended = picture.copy()
    height, width = picture.shape
    for x, y, _ in dark.hot:
        window = picture[max(y - 1, 0) : min(y + 2, height), max(x - 1, 0) : min(x + 2, width)]
        mended[y, x] = np.median(window)
    return mended


def flat_field(whites: Sequence[Float32], dark: DarkLevel, field: FieldOfView) -> Float32:
    """Relative light of every pixel, 1 where it is best, float32 (height, width), from pictures of white paper.

    The pixels' own differences are not in it: they are a percent, and dividing by them would need hundreds of pictures.
    Raises PictureTooBrightError or PictureTooDarkError.
    """
    if not whites:
        raise CalibrationError("no picture of white paper; take at least one")
    mean = without_hot_pixels(np.mean(np.stack(whites), axis=0).astype(np.float32), dark)
    inside = field_mask(field, mean.shape[1], mean.shape[0])
    saturated = float((mean[inside] >= SATURATED_DN).mean())
    if saturated > MOST_SATURATED_SHARE:
        raise PictureTooBrightError(
            f"{100 * saturated:.0f} % of the field is saturated, at most {100 * MOST_SATURATED_SHARE:.0f} % may be; "
            "shorten the exposure or lower the gain"
        )
    _check_plain(mean - np.float32(dark.level_dn), field)
    # smoothing within the field only: weights keep the dark outside from leaking in
    sigma = SMOOTH_SHARE * mean.shape[1]
    weight = inside.astype(np.float32)
    total = cv2.GaussianBlur((mean - np.float32(dark.level_dn)) * weight, (0, 0), sigma)
    share = cv2.GaussianBlur(weight, (0, 0), sigma)
    light = np.where(inside, np.asarray(total) / np.maximum(np.asarray(share), 1e-3), 0.0)
    best = float(np.percentile(light[inside], 99.5))
    if best < LEAST_FLAT_DN:
        raise PictureTooDarkError(
            f"white paper is only {best:.0f} levels above black, at least {LEAST_FLAT_DN:.0f} are needed; "
            "switch the light on or expose longer"
        )
    return np.asarray(np.clip(light / best, 0.0, None), np.float32)


def _check_plain(light: Float32, field: FieldOfView) -> None:
    """Refuses paper with steps in it."""
    height, width = light.shape
    sigma = max(EDGE_SIGMA_SHARE * width, 2.0)
    inner = field_mask(FieldOfView(field.centre_x_px, field.centre_y_px, 0.9 * field.radius_px), width, height)
    smooth = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
    known = inner & (smooth > LEAST_SHARE * float(np.percentile(smooth[inner], 99)) + 1.0)
    logarithm = np.log(np.maximum(smooth, 1.0))
    slope = np.hypot(*np.gradient(logarithm)) * field.radius_px
    steep = known & (slope > EDGE_SHARE)
    if steep.sum() > MOST_EDGE_SHARE * known.sum():
        y, x = np.argwhere(steep).mean(axis=0)
        raise NotPlainError(
            f"the white paper is not plain: there are edges around x = {x:.0f}, y = {y:.0f} px; take hand, shadow and "
            "print away, wipe the lens, or hold the paper out of focus"
        )


def evened(picture: Float32, dark: DarkLevel, flat: Float32) -> Float32:
    """The picture less its dark level, divided by the flat field; 0 where too little light arrives to tell."""
    lit = flat >= LEAST_SHARE
    even = np.where(lit, (picture - np.float32(dark.level_dn)) / np.where(lit, flat, 1.0), 0.0)
    return np.asarray(even, np.float32)


def field_mask(field: FieldOfView, width: int, height: int) -> NDArray[np.bool_]:
    """True for pixels inside the field, (height, width)."""
    x = np.arange(width) + 0.5 - field.centre_x_px
    y = np.arange(height) + 0.5 - field.centre_y_px
    return np.asarray(x[None, :] ** 2 + y[:, None] ** 2 <= field.radius_px**2, np.bool_)


def tile_light(flat: Float32, grid: TileGrid) -> Float32:
    """Mean relative light of every tile, float32 (rows, columns)."""
    covered = flat[: grid.rows * grid.height, : grid.columns * grid.width]
    return np.asarray(
        covered.reshape(grid.rows, grid.height, grid.columns, grid.width).mean(axis=(1, 3)), dtype=np.float32
    )


def _trimmed_variance(difference: NDArray[np.float64]) -> float:
    """Variance without the outermost values, which hot pixels and dust make."""
    limit = 8 * max(float(np.median(np.abs(difference))) / 0.6745, 0.5)
    return float(np.var(difference[np.abs(difference) < limit]))
