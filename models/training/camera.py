"""Simulated cameras, drawn at random: what a sensor, its processing and its file format do to the light."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.patterns import Plane

FULL_SCALE = 255.0
MAX_16 = 65535.0
PLAIN_SHARE = 0.2
VIDEO_SHARE = 0.12
LUMA_R, LUMA_G, LUMA_B = 0.299, 0.587, 0.114  # BT.601


@dataclass(frozen=True, slots=True)
class CameraModel:
    """One camera with its settings for one picture.

    full_well_e      electrons at full scale at this gain; read_noise_e: electrons
    balance          red and blue response relative to green; None: a monochrome sensor
    denoise          "none", "gaussian", "coring", "bilateral" or "median"; denoise_strength in its own unit
    sharpen, sharpen_sigma_px   unsharp masking in the processed picture
    gamma, offset, contrast     tone curve
    resample         output px per sensor px; resharpen: a second unsharp masking after it
    line_sigma_px    analogue video: each line smoothed by this, then sharpened along it by `line_sharpen`
    interlace        "none", "doubled" or "mean": one field of a video frame
    jpeg_quality     None: not compressed
    """

    full_well_e: float
    read_noise_e: float
    exposure: float
    balance: tuple[float, float] | None
    edge_aware: bool
    denoise: str
    denoise_strength: float
    sharpen: float
    sharpen_sigma_px: float
    gamma: float
    offset: float
    contrast: float
    resample: float
    interpolation: int
    resharpen: float
    line_sigma_px: float
    line_sharpen: float
    interlace: str
    jpeg_quality: int | None


UNPROCESSED: dict[str, Any] = {
    "denoise": "none",
    "sharpen": 0.0,
    "resample": 1.0,
    "resharpen": 0.0,
    "line_sigma_px": 0.0,
    "line_sharpen": 0.0,
    "interlace": "none",
    "jpeg_quality": None,
}


def draw_camera(rng: np.random.Generator) -> CameraModel:
    """A random camera. One in five delivers what the sensor saw, as a gate's own does, half of these in low light; of
    the others a quarter work in low light, a third resample, two thirds compress, one in eight is video."""
    plain = rng.uniform() < PLAIN_SHARE
    low_light = rng.uniform() < (0.5 if plain else 0.25)
    well = (250.0, 2500.0) if low_light else (1500.0, 20_000.0)
    kind = rng.uniform()
    resample = rng.uniform(1.05, 2.0) if kind < 0.22 else rng.uniform(0.55, 0.95) if kind < 0.34 else 1.0
    upscalers = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
    denoise = ("none", "none", "none", "gaussian", "coring", "coring", "bilateral", "median")[rng.integers(8)]
    strength = rng.uniform(0.3, 0.8) if denoise == "gaussian" else rng.uniform(0.003, 0.03)
    video = rng.uniform() < VIDEO_SHARE
    sharpens = rng.uniform() < (0.8 if video else 0.55)
    camera = CameraModel(
        full_well_e=float(np.exp(rng.uniform(*np.log(well)))),
        read_noise_e=rng.uniform(1.0, 8.0),
        exposure=rng.uniform(0.25, 1.0) if low_light else rng.uniform(0.6, 1.3),
        balance=(rng.uniform(0.45, 0.9), rng.uniform(0.45, 0.9)) if rng.uniform() < 0.6 else None,
        edge_aware=rng.uniform() < 0.3,
        denoise=denoise,
        denoise_strength=strength,
        sharpen=rng.uniform(0.0, 3.0 if video else 2.5) if sharpens else 0.0,
        sharpen_sigma_px=rng.uniform(0.6, 2.6),
        gamma=(1.0, 1.8, 2.2, 2.4)[rng.integers(4)],
        offset=rng.uniform(0.0, 0.06),
        contrast=rng.uniform(0.75, 1.02),
        resample=resample,
        interpolation=upscalers[rng.integers(3)] if resample > 1.0 else cv2.INTER_AREA,
        resharpen=rng.uniform(0.3, 1.5) if resample != 1.0 and rng.uniform() < 0.4 else 0.0,
        line_sigma_px=rng.uniform(0.4, 1.3) if video else 0.0,
        line_sharpen=rng.uniform(0.0, 2.0) if video else 0.0,
        interlace=("none", "doubled", "mean")[rng.integers(3)] if video else "none",
        jpeg_quality=int(rng.integers(40, 99)) if rng.uniform() < 0.7 else None,
    )
    return replace(camera, **UNPROCESSED) if plain else camera


def expose(light: Plane, camera: CameraModel, rng: np.random.Generator | None) -> Plane:
    """Linear light, (H, W) or in colours (H, W, 3) RGB, to the processed luma, 0 to 1, (H, W); `rng` None: no noise."""
    picture = _sense(light * camera.exposure, camera, rng)
    picture = np.clip(_denoise(picture, camera), 0.0, 1.0) ** np.float32(1.0 / camera.gamma)
    picture = _unsharp(_along_lines(picture, camera), camera.sharpen, camera.sharpen_sigma_px)
    return np.clip(camera.offset + camera.contrast * picture, 0.0, 1.0).astype(np.float32)


def _sense(light: Plane, camera: CameraModel, rng: np.random.Generator | None) -> Plane:
    """Bayer sampling, Poisson and read noise (as a Gaussian of their variance), saturation, demosaicing, luma."""
    red, blue = camera.balance or (1.0, 1.0)
    planes = cv2.split(light) if light.ndim == 3 else (light, light, light)
    mosaic = planes[1].copy()
    if camera.balance:
        mosaic[0::2, 1::2] = planes[0][0::2, 1::2] * red
        mosaic[1::2, 0::2] = planes[2][1::2, 0::2] * blue
    if rng is not None:
        variance = np.clip(mosaic, 0.0, 1.0) / camera.full_well_e + (camera.read_noise_e / camera.full_well_e) ** 2
        mosaic = mosaic + rng.normal(size=mosaic.shape).astype(np.float32) * np.sqrt(variance)
    mosaic = np.clip(mosaic, 0.0, 1.0)
    if not camera.balance:
        return mosaic.astype(np.float32)
    code = cv2.COLOR_BayerGR2BGR_EA if camera.edge_aware else cv2.COLOR_BayerGR2BGR
    colour = cv2.cvtColor((mosaic * MAX_16).astype(np.uint16), code).astype(np.float32) / MAX_16
    luma = LUMA_R * np.clip(colour[..., 2] / red, 0.0, 1.0) + LUMA_G * colour[..., 1]
    return (luma + LUMA_B * np.clip(colour[..., 0] / blue, 0.0, 1.0)).astype(np.float32)


def _denoise(picture: Plane, camera: CameraModel) -> Plane:
    strength = camera.denoise_strength
    match camera.denoise:
        case "gaussian":
            clean = cv2.GaussianBlur(picture, (0, 0), strength)
        case "coring":
            smooth = cv2.GaussianBlur(picture, (0, 0), 1.2)
            detail = picture - smooth
            clean = smooth + np.sign(detail) * np.maximum(np.abs(detail) - strength, 0.0)
        case "bilateral":
            clean = cv2.bilateralFilter(picture, 5, 4.0 * strength, 1.5)
        case "median":
            clean = cv2.medianBlur(picture, 3)
        case _:
            return picture
    return clean.astype(np.float32)


def _along_lines(picture: Plane, camera: CameraModel) -> Plane:
    """Analogue video: limited bandwidth along a line, none across, and the camera's answer to it."""
    if camera.line_sigma_px == 0.0:
        return picture
    smooth = cv2.GaussianBlur(picture, (0, 0), sigmaX=camera.line_sigma_px, sigmaY=1e-3)
    softer = cv2.GaussianBlur(smooth, (0, 0), sigmaX=1.5, sigmaY=1e-3)
    return np.clip(smooth + camera.line_sharpen * (smooth - softer), 0.0, 1.0).astype(np.float32)


def _unsharp(picture: Plane, amount: float, sigma_px: float) -> Plane:
    if amount == 0.0:
        return picture
    return (picture + amount * (picture - cv2.GaussianBlur(picture, (0, 0), sigma_px))).astype(np.float32)


def deliver(picture: Plane, camera: CameraModel, size: int, resharpen_sigma_px: float = 1.0) -> Plane:
    """Resampled to `size` and sharpened again, still 0 to 1."""
    if picture.shape == (size, size):
        return picture
    resampled = cv2.resize(picture, (size, size), interpolation=camera.interpolation).astype(np.float32)
    return np.clip(_unsharp(resampled, camera.resharpen, resharpen_sigma_px), 0.0, 1.0).astype(np.float32)


def quantise(picture: Plane, camera: CameraModel) -> NDArray[np.uint8]:
    """To 8 bits, one field doubled if interlaced, through JPEG if compressed."""
    if camera.interlace != "none":
        even = picture[0::2]
        filled = even if camera.interlace == "doubled" else (even + np.roll(even, -1, axis=0)) / 2
        picture = picture.copy()
        picture[1::2] = filled[: picture[1::2].shape[0]]
    levels = (picture * FULL_SCALE + 0.5).astype(np.uint8)
    if camera.jpeg_quality is None:
        return levels
    _, encoded = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
