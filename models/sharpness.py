"""Classical measures of sharpness per tile: for reference, comparison and aperture hints only.

They rank the frames of one scene well and fail as an absolute threshold across scenes, because they measure contrast
times sharpness: a smooth surface in focus scores below a rough one out of focus, and glare raises them all. Nothing
here has authority over the gate.

Every measure takes luma, uint8 of shape (H, W), and the side of a tile, and gives float64 of shape (H // tile_px,
W // tile_px), larger where sharper. Raises InputError if the image is smaller than one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.focusmap import Luma

Scores = NDArray[np.float64]
Measure = Callable[[Luma, int], Scores]

HIGH_CYCLES_PER_PX = 0.25
"""Where "high" frequencies begin: half of the Nyquist limit."""

REBLUR_PX = 11
"""Length of the second blur of `reblur_loss`, as its authors have it."""

JPEG_QUALITY = 75
"""The encoder's own default in most cameras and programs."""


def variance_of_laplacian(luma: Luma, tile_px: int) -> Scores:
    """Variance of the 4-neighbour Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing")."""
    rows, columns = _grid(luma, tile_px)
    response = cv2.Laplacian(luma, cv2.CV_16S)  # exact: within ±1020
    scores = np.empty((rows, columns))
    for row, column, tile in _tiles(response, tile_px):
        scores[row, column] = cv2.meanStdDev(tile)[1].item() ** 2
    return scores


def tenengrad(luma: Luma, tile_px: int) -> Scores:
    """Mean squared gradient by 3×3 Sobel filters (Tenenbaum 1970; Krotkov 1988, "Focusing")."""
    rows, columns = _grid(luma, tile_px)
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    energy = cv2.add(cv2.multiply(across, across), cv2.multiply(down, down))
    cut = energy[: rows * tile_px, : columns * tile_px].reshape(rows, tile_px, columns, tile_px)
    scores: Scores = cut.mean(axis=(1, 3), dtype=np.float64)
    return scores


def high_frequency_ratio(luma: Luma, tile_px: int) -> Scores:
    """Share of a tile's energy, its mean apart, at HIGH_CYCLES_PER_PX and above; 0 for a flat tile.

    From the Fourier spectrum under a Hann window, which keeps the tile's edges out of the high frequencies.
    """
    rows, columns = _grid(luma, tile_px)
    window = np.hanning(tile_px)[:, None] * np.hanning(tile_px)
    frequency = np.hypot(np.fft.fftfreq(tile_px)[:, None], np.fft.rfftfreq(tile_px))
    weight = np.where(np.fft.rfftfreq(tile_px) % 0.5 == 0.0, 1.0, 2.0)  # the half of the spectrum that rfft leaves out
    high = frequency >= HIGH_CYCLES_PER_PX
    scores = np.empty((rows, columns))
    for row, column, tile in _tiles(luma, tile_px):
        grey = tile.astype(np.float64)
        power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2 * weight
        whole = power.sum()
        scores[row, column] = power[high].sum() / whole if whole > 0.0 else 0.0
    return scores


def reblur_loss(luma: Luma, tile_px: int) -> Scores:
    """Share of a tile's variation between neighbours that a second blur takes away, 0 to 1; 0 for a flat tile.

    One less the blur metric of Crete et al. 2007 (doi 10.1117/12.702790): what is blurred already has little to lose.
    Per axis by a mean of REBLUR_PX and Sobel's derivative, and the axis that loses less counts, as in
    `skimage.measure.blur_effect`, which leaves out the same border. Every tile by its own pixels.
    """
    rows, columns = _grid(luma, tile_px)
    scores = np.empty((rows, columns))
    inner = slice(2, -1)
    for row, column, tile in _tiles(luma, tile_px):
        grey = tile.astype(np.float32)
        loss = []
        for x, y in ((1, 0), (0, 1)):
            size = (REBLUR_PX, 1) if x else (1, REBLUR_PX)
            again = cv2.blur(grey, size, borderType=cv2.BORDER_REFLECT)
            before, after = (
                np.abs(cv2.Sobel(plane, cv2.CV_32F, x, y, borderType=cv2.BORDER_REFLECT))[inner, inner]
                for plane in (grey, again)
            )
            whole = before.sum(dtype=np.float64)
            lost = np.maximum(before - after, 0.0).sum(dtype=np.float64)
            loss.append(lost / whole if whole > 0.0 else 0.0)
        scores[row, column] = min(loss)
    return scores


def jpeg_bits_per_px(luma: Luma, tile_px: int) -> Scores:
    """Size of the tile as a grey JPEG at JPEG_QUALITY, bits a pixel: detail does not compress."""
    rows, columns = _grid(luma, tile_px)
    scores = np.empty((rows, columns))
    for row, column, tile in _tiles(luma, tile_px):
        encoded = cv2.imencode(".jpg", np.ascontiguousarray(tile), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        scores[row, column] = 8.0 * encoded.size / tile_px**2
    return scores


MEASURES: dict[str, Measure] = {
    "variance of Laplacian": variance_of_laplacian,
    "Tenengrad": tenengrad,
    "high-frequency ratio": high_frequency_ratio,
    "re-blur loss": reblur_loss,
    "JPEG size": jpeg_bits_per_px,
}


def _grid(luma: Luma, tile_px: int) -> tuple[int, int]:
    rows, columns = luma.shape[0] // tile_px, luma.shape[1] // tile_px
    if not rows or not columns:
        raise InputError(f"image of {luma.shape[1]}×{luma.shape[0]} px: smaller than a tile of {tile_px} px")
    return rows, columns


def _tiles(image: NDArray[Any], tile_px: int) -> Iterator[tuple[int, int, NDArray[Any]]]:
    for row in range(image.shape[0] // tile_px):
        for column in range(image.shape[1] // tile_px):
            top, left = row * tile_px, column * tile_px
            yield row, column, image[top : top + tile_px, left : left + tile_px]
