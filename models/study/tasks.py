"""The report's questions as sets of examples: which planes (or how much Gaussian blur) make which class."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.study.simulated import IN_FOCUS
from models.study.stacks import Stacks

Float32 = NDArray[np.float32]

LEVELS = 11
"""Yang et al. 2018 tell eleven levels of defocus apart; here a level is a plane, 2 µm, above or below alike."""


@dataclass(frozen=True, slots=True)
class Class:
    """Planes of one class, as BBBC006 numbers them; `blur_px` blurs them by a Gaussian of this standard deviation."""

    planes: tuple[int, ...]
    blur_px: float = 0.0
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """Classes, the first in focus; `title` as in tables."""

    title: str
    classes: tuple[Class, ...]


def _planes(title: str, *classes: tuple[int, ...]) -> Task:
    return Task(title, tuple(Class(planes) for planes in classes))


def _level(level: int) -> tuple[int, ...]:
    return tuple(sorted({IN_FOCUS - level, IN_FOCUS + level}))


# A disc of radius R has the variance R²/4 along each axis: the Gaussians that go with 12 and 22 µm out of focus.
BLURS_PX = (5.4, 9.8)

TASKS = {
    "binary": _planes("plane 16 against 10", (16,), (10,)),
    "quartet": _planes("planes 16, 17 against 10, 05", (16, 17), (10, 5)),
    "three": _planes("three degrees: planes 16, 10, 05", (16,), (10,), (5,)),
    "four": _planes("four degrees: planes 16/17, 10, 05, 00", (16, 17), (10,), (5,), (0,)),
    "sides": _planes("above and below: planes 16, 05, 25", (16,), (5,), (25,)),
    "levels": _planes("eleven levels of 2 µm", *(_level(level) for level in range(LEVELS))),
    "blur": Task(
        "Gaussian blur of plane 16, three degrees",
        (Class((16,)), *(Class((16,), blur_px) for blur_px in BLURS_PX)),
    ),
    "blur-noise": Task(
        "the same, noise drawn anew after the blur",
        (Class((16,)), *(Class((16,), blur_px, noisy=True) for blur_px in BLURS_PX)),
    ),
}


@dataclass(frozen=True, slots=True)
class Examples:
    """`images` float32 (n, side, side), each of mean 0 and spread 1; `targets` int64 (n,); `raw` (n, 4) of raw pixels:
    mean, maximum, minimum, maximum / minimum; `rows` which field each is of."""

    images: Float32
    targets: NDArray[np.int64]
    raw: Float32
    rows: NDArray[np.int64]


def examples(stacks: Stacks, task: Task, rows: NDArray[np.int64], *, binning: int, seed: int) -> Examples:
    """Every class once from each field in `rows`; of several planes of a class one is drawn by `seed`.

    Raises InputError if the stacks lack a plane that the task asks for.
    """
    rng = np.random.default_rng([seed, 16])
    images, targets, raw = [], [], []
    for target, group in enumerate(task.classes):
        chosen = rng.choice(group.planes, len(rows)) - IN_FOCUS + stacks.in_focus
        if chosen.min() < 0 or chosen.max() >= stacks.images.shape[1]:
            raise InputError(f"{task.title}: the stacks have no such planes; give stacks of more planes")
        for row, plane in zip(rows, chosen, strict=True):
            picture = stacks.images[row, plane].astype(np.float32)
            if group.blur_px:
                picture = _blurred(picture, group, rng)
            raw.append((picture.mean(), picture.max(), picture.min(), picture.max() / max(picture.min(), 1.0)))
            images.append(prepared(picture, binning))
            targets.append(target)
    return Examples(
        np.stack(images),
        np.array(targets, np.int64),
        np.array(raw, np.float32),
        np.tile(rows, len(task.classes)),
    )


def prepared(picture: Float32, binning: int) -> Float32:
    """Pixels averaged `binning` × `binning`, then mean 0 and spread 1: brightness and contrast tell nothing."""
    height, width = (side - side % binning for side in picture.shape)
    cut = picture[:height, :width].reshape(height // binning, binning, width // binning, binning).mean(axis=(1, 3))
    standard: Float32 = ((cut - cut.mean()) / max(float(cut.std()), 1e-6)).astype(np.float32)
    return standard


def _blurred(picture: Float32, group: Class, rng: np.random.Generator) -> Float32:
    """Blurred; with noise as strong as the picture had, if the class asks for it: shot noise of its own level."""
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), group.blur_px, borderType=cv2.BORDER_REFLECT), np.float32)
    if group.noisy:
        above = np.clip(soft - picture.min(), 0.0, None)
        soft = soft + np.sqrt(above + 10.0).astype(np.float32) * rng.standard_normal(soft.shape, np.float32)
    return soft


def rows_of(
    stacks: Stacks, wells: list[str], stains: tuple[str, ...], limit: int | None, seed: int
) -> NDArray[np.int64]:
    """Fields of these wells and stains, in an order drawn by `seed`, at most `limit`."""
    wanted = set(wells)
    pairs = zip(stacks.wells, stacks.stains, strict=True)
    rows = np.array([row for row, (well, stain) in enumerate(pairs) if well in wanted and stain in stains], np.int64)
    return np.random.default_rng([seed, 7]).permutation(rows)[:limit]
