"""What is photographed: sharp textures in linear light, from CC0 photographs and from random procedures.

Photographs come with scikit-image's wheel (CC0, see its data/README) or from a folder of the user's own. Procedural
scenes are dead leaves (Lee, Mumford and Huang 2001: occluding shapes with a power law of sizes, the statistics of
natural images), power-law noise, and mucosa (`patterns` has what it may show). All sizes are px of the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.images import list_images, read_image
from models.training.patterns import Plane, mosaic, punctation, stained, with_instrument, with_lettering

DISPLAY_GAMMA = 2.2  # photographs are taken back to linear light with it
DARKEST = 0.003  # linear; nothing reflects less
SOURCE_SHARP = 0.8  # photographs: energy above σ = 1 px over that between σ = 1 and 2 px; below it is soft in itself
GRAINED_SHARE = 0.3
BLENDED_SHARE, INVERTED_SHARE = 0.4, 0.15  # of the photographs
KINDS = ("photograph", "leaves", "mucosa", "noise")
SHARES = (0.48, 0.16, 0.29, 0.07)
DARK_GROUND_SHARE = 0.15  # of the dead leaves: bright shapes on black, as stained cells are
LETTERING_SHARE, INSTRUMENT_SHARE = 0.08, 0.12  # of the scenes that are no photographs

WHEEL_PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "colorwheel", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Photograph:
    """One source, linear luma 0 to 1, float32 (H, W), with the terms under which it may be used."""

    name: str
    licence: str
    luma: Plane


@dataclass(frozen=True, slots=True)
class Scene:
    """A square of texture, linear luma float32 (size, size); `from_photograph`: it may be soft in itself."""

    luma: Plane
    from_photograph: bool


def photographs(folder: Path | None = None) -> list[Photograph]:
    """scikit-image's CC0 photographs, and those in `folder`, which must be sharp and are reduced by two.

    Raises InputError if the folder cannot be read.
    """
    from skimage import data  # noqa: PLC0415 - part of the extra `train`

    found = []
    for name in WHEEL_PHOTOGRAPHS:
        image = np.asarray(getattr(data, name)())
        luma = cv2.cvtColor(image[..., :3].astype(np.uint8), cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        found.append(Photograph(name, "CC0-1.0 (scikit-image)", _linear(luma)))
    for path in list_images(folder) if folder is not None else []:
        luma = read_image(path).luma
        half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        if min(half.shape) >= 256:
            found.append(Photograph(path.name, "the user's own", _linear(half)))
    if not found:
        raise InputError("no photographs to train on; install scikit-image or name a folder with --textures")
    return found


def _linear(luma: NDArray[Any]) -> Plane:
    plane = luma.astype(np.float32) / float(luma.max())
    linear: Plane = plane**DISPLAY_GAMMA
    return linear


def draw_scene(rng: np.random.Generator, sources: list[Photograph], size: int, kinds: tuple[str, ...] = KINDS) -> Scene:
    """One random square of texture of one of `kinds`, now and then with lettering or an instrument before it."""
    kind = KINDS[min(int(np.searchsorted(np.cumsum(SHARES), rng.uniform())), len(KINDS) - 1)]
    if kind not in kinds:
        kind = kinds[rng.integers(len(kinds))]
    match kind:
        case "photograph":
            plane = photographed(rng, sources, size)
        case "leaves":
            plane = dead_leaves(rng, size)
        case "mucosa":
            plane = mucosa(rng, size)
        case _:
            plane = (0.4 + rng.uniform(0.01, 0.1) * power_noise(rng, size, rng.uniform(0.6, 2.4))).astype(np.float32)
    from_photograph, extra = kind == "photograph", rng.uniform()
    if not from_photograph and extra < LETTERING_SHARE:
        plane = with_lettering(rng, plane)
    elif not from_photograph and extra < LETTERING_SHARE + INSTRUMENT_SHARE:
        plane = with_instrument(rng, plane)
    return Scene(_grained(rng, plane), from_photograph=from_photograph)


def _grained(rng: np.random.Generator, plane: Plane) -> Plane:
    """In three of ten scenes, fine structure of its own on every surface: blur must not be read off one spectrum."""
    if rng.uniform() < GRAINED_SHARE:
        plane = plane * (1 + rng.uniform(0.0, 0.2) * power_noise(rng, len(plane), rng.uniform(0.0, 1.3)))
    return np.clip(plane, DARKEST, 1.0).astype(np.float32)


def source_sharpness(scene: Scene) -> tuple[Plane, Plane]:
    """Energy of the scene above σ = 1 px, and between σ = 1 and 2 px, averaged over 9 px; for `SOURCE_SHARP`."""
    fine = cv2.GaussianBlur(scene.luma, (0, 0), 1.0)
    high = cv2.blur((scene.luma - fine) ** 2, (9, 9))
    middle = cv2.blur((fine - cv2.GaussianBlur(scene.luma, (0, 0), 2.0)) ** 2, (9, 9))
    return high.astype(np.float32), middle.astype(np.float32)


def photographed(rng: np.random.Generator, sources: list[Photograph], size: int) -> Plane:
    """A crop of a photograph, its tones bent, now and then turned into its negative or laid over a crop of another.

    A few photographs are soon known by heart; none of this moves or softens an edge.
    """
    plane = _crop(rng, sources[rng.integers(len(sources))].luma, size)
    if rng.uniform() < BLENDED_SHARE:
        share = np.float32(rng.uniform(0.3, 0.7))
        plane = plane**share * _crop(rng, sources[rng.integers(len(sources))].luma, size) ** (1 - share)
    if rng.uniform() < INVERTED_SHARE:
        plane = plane.max() + np.float32(DARKEST) - plane
    return np.asarray(plane ** np.float32(np.exp(rng.uniform(-0.5, 0.5))), np.float32)


def _crop(rng: np.random.Generator, luma: Plane, size: int) -> Plane:
    """A random crop, reduced by up to two and a half, in height and width apart, flipped and turned.

    It is mirrored at the border where the source is small.
    """
    reduce = rng.uniform(0.5, 1.0) if min(luma.shape) > 1.2 * size else rng.uniform(0.8, 1.0)
    sides = [int(size / min(reduce * rng.uniform(0.8, 1.25), 1.0)) for _ in luma.shape]
    lack = [max(0, side + 1 - length) for side, length in zip(sides, luma.shape, strict=True)]
    if any(lack):
        luma = np.pad(luma, ((0, lack[0]), (0, lack[1])), mode="symmetric")
    y, x = (int(rng.integers(length - side + 1)) for side, length in zip(sides, luma.shape, strict=True))
    crop = cv2.resize(luma[y : y + sides[0], x : x + sides[1]], (size, size), interpolation=cv2.INTER_AREA)
    if rng.uniform() < 0.5:
        crop = crop[::-1]
    if rng.uniform() < 0.5:
        crop = crop.T
    return np.clip(np.ascontiguousarray(crop), DARKEST, 1.0).astype(np.float32)


def power_noise(rng: np.random.Generator, size: int, exponent: float) -> Plane:
    """Gaussian noise whose amplitude falls with frequency as f^-exponent; mean 0, deviation 1."""
    spectrum = np.fft.rfft2(rng.normal(size=(size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1.0
    noise = np.fft.irfft2(spectrum / frequency**exponent, (size, size))
    noise -= noise.mean()
    return (noise / (noise.std() + 1e-9)).astype(np.float32)


def dead_leaves(rng: np.random.Generator, size: int) -> Plane:
    """Occluding circles, ellipses or polygons with radii by a power law, now and then few and bright on black; drawn at
    twice the size and reduced."""
    scale = 2
    canvas = np.full((size * scale, size * scale), rng.uniform(), np.float32)
    count, power = int(rng.integers(200, 1200)), rng.uniform(2.2, 3.2)
    smallest, largest = rng.uniform(1.5, 5.0), rng.uniform(30.0, 150.0)
    low, high = smallest ** (1 - power), largest ** (1 - power)
    radii = (low + rng.uniform(size=count) * (high - low)) ** (1 / (1 - power))
    if rng.uniform() < 0.5:
        radii = np.sort(radii)[::-1]
    level, contrast, shape = rng.uniform(0.1, 0.8), rng.uniform(0.05, 0.5), int(rng.integers(3))
    if rng.uniform() < DARK_GROUND_SHARE:
        canvas[:] = rng.uniform(0.0, 0.03)
        radii = rng.uniform(4.0, 30.0, int(rng.integers(20, 150)))
    for radius in radii * scale:
        centre = rng.uniform(0, size * scale, 2)
        value = float(np.clip(level + contrast * rng.normal(), 0.01, 1.0))
        reach = max(int(radius), 1)
        x, y = int(centre[0]), int(centre[1])
        if shape == 0:
            cv2.circle(canvas, (x, y), reach, value, -1)
        elif shape == 1:
            axes = (reach, max(1, int(reach * rng.uniform(0.2, 1.0))))
            cv2.ellipse(canvas, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, value, -1)
        else:
            points = (centre + reach * rng.normal(size=(int(rng.integers(3, 6)), 2))).astype(np.int32)
            cv2.fillConvexPoly(canvas, cv2.convexHull(points), value)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)


def vessels(rng: np.random.Generator, size: int) -> Plane:
    """Wandering vessels of 0.5 to 4 px width; 0 where there is none, up to 1."""
    scale = 2
    canvas = np.zeros((size * scale, size * scale), np.float32)
    for _ in range(int(rng.integers(5, 60))):
        point, angle = rng.uniform(0, size * scale, 2), rng.uniform(0, 2 * np.pi)
        path = [point]
        for _ in range(int(rng.integers(10, 80))):
            angle += 0.35 * rng.normal()
            point = point + 8.0 * np.array([np.cos(angle), np.sin(angle)])
            path.append(point)
        strength, width = float(rng.uniform(0.3, 1.0)), int(rng.integers(1, 8))
        cv2.polylines(canvas, [np.array(path, np.int32)], False, strength, width, cv2.LINE_AA)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)


def mucosa(rng: np.random.Generator, size: int) -> Plane:
    """Smooth tissue with slow shading, a little fine texture, vessels, in half of it mosaic or punctation, and patches
    of acetowhite or iodine."""
    shading = 0.08 * power_noise(rng, size, rng.uniform(1.6, 2.6))
    grain = rng.uniform(0.0, 0.08) * power_noise(rng, size, rng.uniform(0.0, 1.6))
    tissue = 0.45 + shading + grain - rng.uniform(0.02, 0.3) * vessels(rng, size)
    kind = rng.uniform()
    if kind < 0.2:
        tissue = tissue - rng.uniform(0.03, 0.25) * mosaic(rng, size)
    elif kind < 0.5:
        tissue = tissue - rng.uniform(0.03, 0.25) * punctation(rng, size)
    tissue = np.asarray(tissue, np.float32)
    if rng.uniform() < 0.4:
        tissue = stained(rng, tissue)
    return (tissue * rng.uniform(0.5, 1.4)).astype(np.float32)
