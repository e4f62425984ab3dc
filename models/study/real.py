"""The real pictures of BBBC006 that there are, through the reader and a network trained on simulated ones alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.study.bbbc006 import read_plate, read_sixteen_bits
from models.study.fitting import certainty
from models.study.settings import Setting
from models.study.simulated import IN_FOCUS
from models.study.tasks import prepared

OUT_OF_FOCUS = 6
"""Planes at least this far from the sharpest count as out of focus, those nearer are left out: 12 µm."""
LEAST_CONTRAST = 0.25
"""Crops whose spread is below this share of the picture's largest hold no cell, and are not asked."""


@dataclass(frozen=True, slots=True)
class RealPictures:
    """Pictures uint16, whether each is in focus, and its name."""

    pictures: tuple[NDArray[np.uint16], ...]
    in_focus: tuple[bool, ...]
    names: tuple[str, ...]


def read_real(folder: Path) -> RealPictures:
    """Every picture in focus or 12 µm and more out of it. Raises InputError if the folder holds none."""
    plate = read_plate(folder)
    pictures, in_focus, names = [], [], []
    for key, planes in sorted(plate.files.items()):
        for plane, path in sorted(planes.items()):
            if 0 < abs(plane - IN_FOCUS) < OUT_OF_FOCUS:
                continue
            pictures.append(read_sixteen_bits(path))
            in_focus.append(plane == IN_FOCUS)
            names.append(f"{key.well} s{key.site} {key.stain} z{plane:02d}")
    return RealPictures(tuple(pictures), tuple(in_focus), tuple(names))


def judge_real(network: nn.Module, real: RealPictures, setting: Setting) -> dict[str, Any]:
    """How many of the real pictures the network puts into the right one of in focus (its first class) and not."""
    wrong, right = [], {True: 0, False: 0}
    for picture, in_focus, name in zip(real.pictures, real.in_focus, real.names, strict=True):
        said = in_focus_probability(network, picture.astype(np.float32), setting) > 0.5
        right[in_focus] += said == in_focus
        if said != in_focus:
            wrong.append(name)
    return {
        "in_focus": [right[True], sum(real.in_focus)],
        "out_of_focus": [right[False], len(real.in_focus) - sum(real.in_focus)],
        "wrong": wrong,
    }


def in_focus_probability(network: nn.Module, picture: NDArray[np.float32], setting: Setting) -> float:
    """Probability of the first class over the crops that hold something, weighted by their certainty."""
    side = setting.crop_px * setting.binning
    rows, columns = (length // side for length in picture.shape)
    cut = picture[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    crops = cut.reshape(-1, side, side)
    spread = crops.std(axis=(1, 2))
    crops = crops[spread >= LEAST_CONTRAST * spread.max()]
    images = np.stack([prepared(crop, setting.binning) for crop in crops])
    where = next(network.parameters()).device
    with torch.no_grad():
        found = network(torch.from_numpy(images[:, None]).to(where)).softmax(dim=1).cpu().numpy()
    certain = certainty(found)
    return float((found[:, 0] * certain).sum() / certain.sum())
