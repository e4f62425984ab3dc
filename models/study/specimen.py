"""Drawn cells on a slide: nuclei with chromatin, and actin fibres, as thin slices at heights around the focal plane.

Everything is drawn on the sensor's unbinned grid and wraps around at its edges, so that light from outside the field
reaches into it as it does in a microscope. Brightness is in photons of a sensor pixel in focus, roughly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

SLICES_UM = (-2.0, 0.0, 2.0)
"""Heights of the slices. Spread U2OS cells are some 4 to 6 µm high at the nucleus."""
CELLS_PER_MM2 = 700.0
"""Density of cells, about what BBBC006's fields show (100 nuclei in 0.15 mm²)."""
FEWEST_CELLS = 3
"""No field is empty: an empty field has no focus to judge."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """Slices float32 (3, height, width) for each stain at `SLICES_UM`; nuclei numbered from 1, uint16."""

    nuclei: Float32
    actin: Float32
    labels: NDArray[np.uint16]


def draw_specimen(rng: np.random.Generator, shape: tuple[int, int], pixel_um: float) -> Specimen:
    """Cells at random places of a field of `shape` sensor pixels."""
    nuclei = np.zeros((len(SLICES_UM), *shape), np.float32)
    actin = np.zeros_like(nuclei)
    labels = np.zeros(shape, np.uint16)
    area_mm2 = shape[0] * shape[1] * (pixel_um / 1000.0) ** 2
    cells = max(FEWEST_CELLS, int(rng.poisson(CELLS_PER_MM2 * area_mm2)))
    taken = np.zeros((0, 2))
    for number in range(1, cells + 1):
        place, taken = _free_place(rng, shape, taken, 14.0 / pixel_um)
        inside = _add_nucleus(rng, nuclei, place, pixel_um)
        where = _wrapped(place, len(inside), shape)
        labels[where] = np.where(inside, number, labels[where])
        _add_actin(rng, actin, place, pixel_um)
    return Specimen(nuclei, actin, labels)


def _free_place(
    rng: np.random.Generator, shape: tuple[int, int], taken: NDArray[np.float64], apart: float
) -> tuple[tuple[int, int], NDArray[np.float64]]:
    """A place not nearer than `apart` px to any taken one, or the last of 20 tries."""
    size = np.array(shape, float)
    place = rng.uniform(0.0, size)
    for _ in range(20):
        away = np.abs(taken - place)
        if not len(taken) or np.hypot(*np.minimum(away, size - away).T).min() > apart:
            break
        place = rng.uniform(0.0, size)
    return (int(place[0]), int(place[1])), np.vstack([taken, place])


def _smooth_noise(rng: np.random.Generator, side: int, sigma_px: float) -> Float32:
    """Noise of unit variance, correlated over about `sigma_px`."""
    noise = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), sigma_px)
    return np.asarray(noise / noise.std(), np.float32)


def _grid(side: int) -> tuple[Float32, Float32]:
    axis = np.arange(side, dtype=np.float32) - side / 2
    return axis[:, None], axis[None]


def _wrapped(place: tuple[int, int], side: int, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    steps = np.arange(side) - side // 2
    return ((place[0] + steps) % shape[0])[:, None], ((place[1] + steps) % shape[1])[None]


def _add_nucleus(
    rng: np.random.Generator, nuclei: Float32, place: tuple[int, int], pixel_um: float
) -> NDArray[np.bool_]:
    """Adds one; returns where it is, around its place."""
    shape = (nuclei.shape[1], nuclei.shape[2])
    side = min(round(34.0 / pixel_um), *shape)
    height_um = float(rng.normal(0.0, 0.3))
    y, x = _grid(side)
    angle = rng.uniform(0.0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / (rng.uniform(7.5, 11.5) / pixel_um)
    aside = (y * np.cos(angle) - x * np.sin(angle)) / (rng.uniform(5.5, 8.0) / pixel_um)
    around = np.arctan2(aside, along)
    wobble = sum(rng.normal(0.0, 0.035) * np.cos(k * around + rng.uniform(0, 6.28)) for k in (2, 3, 4, 5))
    inside = np.clip(1.0 - (along**2 + aside**2) * (1.0 + wobble), 0.0, 1.0)
    half_um = rng.uniform(2.0, 3.0) * np.sqrt(inside)
    chromatin = 1.0 + 0.22 * _smooth_noise(rng, side, 0.5 / pixel_um) + 0.22 * _smooth_noise(rng, side, 1.3 / pixel_um)
    for _ in range(rng.integers(1, 5)):  # nucleoli take up little Hoechst
        at = rng.normal(0.0, 3.0 / pixel_um, 2)
        spot = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * (rng.uniform(0.6, 1.3) / pixel_um) ** 2))
        chromatin = chromatin * (1.0 - 0.6 * spot)
    brightness = 70.0 * float(np.exp(rng.normal(0.0, 0.45)))
    if rng.random() < 0.04:  # dividing cells are brighter, and condensed
        brightness *= 2.5
    where = _wrapped(place, side, shape)
    for index, slice_um in enumerate(SLICES_UM):
        filled = np.clip(half_um - abs(slice_um - height_um) + 0.8, 0.0, 1.0) * (half_um > 0)
        nuclei[index][where] += (brightness * filled * np.clip(chromatin, 0.1, None)).astype(np.float32)
    return inside > 0


def _add_actin(rng: np.random.Generator, actin: Float32, place: tuple[int, int], pixel_um: float) -> None:
    """Fibres at the height of autofocus and below it, a rim, and haze through the cell's body."""
    shape = (actin.shape[1], actin.shape[2])
    side = min(round(62.0 / pixel_um), *shape)
    y, x = _grid(side)
    angle = rng.uniform(0.0, np.pi)
    along = (x * np.cos(angle) + y * np.sin(angle)) / (rng.uniform(17.0, 27.0) / pixel_um)
    aside = (y * np.cos(angle) - x * np.sin(angle)) / (rng.uniform(9.0, 15.0) / pixel_um)
    wobble = sum(rng.normal(0.0, 0.1) * np.cos(k * np.arctan2(aside, along) + rng.uniform(0, 6.28)) for k in (2, 3, 5))
    distance = (along**2 + aside**2) * (1.0 + wobble)
    body = np.clip(2.0 * (1.0 - distance), 0.0, 1.0).astype(np.float32)
    strands = np.zeros((side, side), np.uint8)
    for _ in range(rng.integers(14, 34)):
        start = rng.uniform(0.1, 0.9, 2) * side
        turn = angle + rng.normal(0.0, 0.22)
        length = rng.uniform(8.0, 32.0) / pixel_um
        bend = rng.normal(0.0, 0.05) * length
        t = np.linspace(-0.5, 0.5, 14)
        points = np.stack(
            [
                start[0] + np.cos(turn) * length * t - np.sin(turn) * bend * (4 * t * t - 1),
                start[1] + np.sin(turn) * length * t + np.cos(turn) * bend * (4 * t * t - 1),
            ],
            axis=1,
        )
        level = int(rng.integers(80, 256))
        cv2.polylines(strands, [np.rint(points * 16).astype(np.int32)], False, level, 1, cv2.LINE_AA, 4)
    fibres = strands * np.float32(1 / 255)
    rim = np.exp(-(((distance - 0.95) / 0.05) ** 2)).astype(np.float32)
    grain = np.clip(1.0 + 0.3 * _smooth_noise(rng, side, 0.7 / pixel_um), 0.2, None)
    brightness = np.float32(320.0 * np.exp(rng.normal(0.0, 0.3)))
    where = _wrapped(place, side, shape)
    actin[0][where] += brightness * (0.7 * fibres * body + 0.12 * body * grain)
    actin[1][where] += brightness * (0.5 * rim + 2.2 * fibres * body + 0.14 * body * grain)
    actin[2][where] += brightness * (0.18 * rim + 0.10 * body * grain)
