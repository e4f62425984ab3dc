"""A simulated BBBC006: the same 34 planes 2 µm apart of drawn cells, through the optics of `models.study.microscope`.

Plane 16 is in focus, planes below 16 lie below; each field's own focus is off by a few tenths of a micrometre, as
autofocus leaves it, so that planes 15 to 17 are in focus, as the report has it. Pixels are added 2×2 as in the
original, photons and the camera's noise are drawn, and 12 bits are kept in 16, above a black level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.study.microscope import OBJECTIVES, transfer_plane
from models.study.specimen import SLICES_UM, Specimen, draw_specimen

PLANES = 34
IN_FOCUS = 16
PLANE_UM = 2.0
SITES = (1, 2)
STAINS = ("w1", "w2")

AUTOFOCUS_UM = 0.4
"""Standard deviation of a field's own focus; held within a quarter of the distance of planes, twice this."""
DEFOCUS_GRID_UM = 0.25
"""Transfer functions are computed on this grid: a quarter of the depth of field n λ / NA² = 1.8 µm is 0.46."""
BLACK_LEVEL = 112.0
READ_NOISE = 3.2
"""Of the darkest corners of the real pictures: level 105 to 120, and the spread in them."""
WHITE = 4095
DARKEST = {"w1": 8.0, "w2": 250.0}
"""Background light, photons of a binned pixel: media and, for actin, cells out of every plane."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one stain: `planes` uint16 (34, height, width); `labels` uint16 (height, width), a number each."""

    well: str
    site: int
    stain: str
    planes: NDArray[np.uint16]
    labels: NDArray[np.uint16]


def well_names(count: int) -> list[str]:
    """The first `count` wells of a plate of 384 (rows a to p, columns 01 to 24), in an order that mixes rows."""
    names = [f"{row}{column:02d}" for column in range(1, 25) for row in "abcdefghijklmnop"]
    return names[:count]


def specimen_of(seed: int, well: str, site: int, shape: tuple[int, int]) -> tuple[Specimen, np.random.Generator]:
    """The cells of one field, the same for both stains, and the generator that goes on from there."""
    rng = np.random.default_rng([seed, well_names(384).index(well), site])
    objective = OBJECTIVES["w1"]
    fine = (shape[0] * objective.binning, shape[1] * objective.binning)
    return draw_specimen(rng, fine, objective.pixel_um), rng


def render_fields(seed: int, well: str, site: int, shape: tuple[int, int]) -> list[Field]:
    """Both stains of one field of `shape` pixels, (520, 696) as published or smaller."""
    specimen, rng = specimen_of(seed, well, site, shape)
    off_um = float(np.clip(rng.normal(0.0, AUTOFOCUS_UM), -2 * AUTOFOCUS_UM, 2 * AUTOFOCUS_UM))
    binning = OBJECTIVES["w1"].binning
    labels = specimen.labels[binning // 2 :: binning, binning // 2 :: binning].copy()
    return [
        Field(well, site, stain, _planes(rng, slices, stain, off_um), labels)
        for stain, slices in zip(STAINS, (specimen.nuclei, specimen.actin), strict=True)
    ]


def defocus_um(plane: int) -> float:
    """Distance of a plane from focus; negative below."""
    return (plane - IN_FOCUS) * PLANE_UM


def _planes(rng: np.random.Generator, slices: NDArray[np.float32], stain: str, off_um: float) -> NDArray[np.uint16]:
    objective = OBJECTIVES[stain]
    fine = slices.shape[1:]
    spectra = np.fft.rfft2(slices).astype(np.complex64)
    step = objective.binning
    out = np.empty((PLANES, fine[0] // step, fine[1] // step), np.uint16)
    for plane in range(PLANES):
        spectrum = np.zeros_like(spectra[0])
        for height_um, part in zip(SLICES_UM, spectra, strict=True):
            away = round((defocus_um(plane) + off_um - height_um) / DEFOCUS_GRID_UM) * DEFOCUS_GRID_UM
            spectrum += part * transfer_plane(objective, away, (fine[0], fine[1]))
        light = np.fft.irfft2(spectrum, s=(fine[0], fine[1]))
        binned = light.reshape(fine[0] // step, step, fine[1] // step, step).sum(axis=(1, 3))
        photons = rng.poisson(np.clip(binned, 0.0, None) + DARKEST[stain])
        levels = photons + BLACK_LEVEL + READ_NOISE * rng.standard_normal(photons.shape)
        out[plane] = np.clip(np.rint(levels), 0, WHITE).astype(np.uint16)
    return out
