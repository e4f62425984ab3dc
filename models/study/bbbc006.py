"""BBBC006v1 as published: a folder of 16-bit TIFF for each of 34 planes, 384 wells × 2 sites × 2 stains in each.

    BBBC006_v1_images_z_16/mcf-z-stacks-03212011_a01_s1_w1<random id>.tif

The random id differs from plane to plane; well, site and stain pair the planes of one field. Copies found elsewhere
are read too: `z16_w2/`, names that begin with the plane, PNG. Cite Ljosa et al., Nature Methods 2012.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

PLANES = 34
SHARPEST = 16
WELLS = tuple(f"{row}{column:02d}" for row in "abcdefghijklmnop" for column in range(1, 25))
SITES = (1, 2)
STAINS = ("w1", "w2")
FIELDS = len(WELLS) * len(SITES) * len(STAINS)
SOURCE = "https://data.broadinstitute.org/bbbc/BBBC006/"
ARCHIVE = "BBBC006_v1_images_z_{plane:02d}.zip"
SHAPE = (520, 696)
_FOLDER = re.compile(r"z_?(\d{2}|aligned\d*)(?:_w\d)?$")
"""The plane; "aligned" are copies of the sharpest, as one collection of samples calls them."""
_NAME = re.compile(r"_([a-p](?:0[1-9]|1\d|2[0-4]))_+s([12])_+(w[12])", re.IGNORECASE)
_SUFFIXES = frozenset({".tif", ".tiff", ".png"})
_FEW = 6


@dataclass(frozen=True, slots=True, order=True)
class FieldKey:
    """One field of one stain: well "a01" to "p24", site 1 or 2, stain "w1" (nuclei) or "w2" (actin)."""

    well: str
    site: int
    stain: str


@dataclass(frozen=True, slots=True)
class Plate:
    """Which file holds which plane of which field."""

    folder: Path
    files: Mapping[FieldKey, Mapping[int, Path]]

    @property
    def planes(self) -> tuple[int, ...]:
        """All planes of which there is at least one picture."""
        return tuple(sorted({plane for planes in self.files.values() for plane in planes}))

    @property
    def wells(self) -> tuple[str, ...]:
        """All wells of which there is at least one picture."""
        return tuple(sorted({key.well for key in self.files}))

    def with_planes(self, planes: Iterable[int], stains: Iterable[str] = STAINS) -> list[FieldKey]:
        """Fields of these stains that have every one of these planes, sorted."""
        wanted, dyed = set(planes), set(stains)
        return sorted(key for key, have in self.files.items() if key.stain in dyed and wanted <= have.keys())


def read_plate(folder: Path) -> Plate:
    """Find the pictures below `folder`. Raises InputError if there are none, or two of one plane and field."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {how_to_get()}")
    files: dict[FieldKey, dict[int, Path]] = {}
    for entry in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES):
        plane, name = _FOLDER.search(entry.parent.name), _NAME.search(entry.name)
        number = None if plane is None else int(plane[1]) if plane[1].isdigit() else SHARPEST
        if number is None or name is None or number >= PLANES:
            continue
        key = FieldKey(name[1].lower(), int(name[2]), name[3].lower())
        before = files.setdefault(key, {}).get(number)
        if before is not None:
            raise InputError(f"{entry}: shows the same plane and field as {before}; keep one of them")
        files[key][number] = entry
    if not files:
        raise InputError(f"{folder}: holds no folder of BBBC006 (such as BBBC006_v1_images_z_16); {how_to_get()}")
    return Plate(folder, files)


def how_to_get(planes: Sequence[int] = tuple(range(PLANES))) -> str:
    """What to download, and from where."""
    names = [ARCHIVE.format(plane=plane) for plane in planes]
    shown = ", ".join(names) if len(names) <= _FEW else f"{names[0]} … {names[-1]} ({len(names)} archives)"
    return f"download {shown} from {SOURCE} and unpack them side by side"


def missing(plate: Plate, planes: Sequence[int] = tuple(range(PLANES))) -> dict[int, int]:
    """How many of the 1,536 pictures of each plane are missing; only planes that lack some."""
    have = {plane: sum(plane in planes_of for planes_of in plate.files.values()) for plane in planes}
    return {plane: FIELDS - count for plane, count in have.items() if count < FIELDS}


def require_complete(plate: Plate, planes: Sequence[int] = tuple(range(PLANES))) -> None:
    """Raises InputError, one line that says what to download, unless every picture of these planes is there."""
    lacking = missing(plate, planes)
    if lacking:
        wholly = sum(count == FIELDS for count in lacking.values())
        raise InputError(
            f"{plate.folder}: {sum(lacking.values())} pictures of {len(lacking)} planes are missing "
            f"({wholly} planes wholly); {how_to_get(sorted(lacking))}"
        )


def read_planes(plate: Plate, key: FieldKey, planes: Sequence[int]) -> NDArray[np.uint16]:
    """These planes of one field, uint16 (planes, height, width). Raises InputError if one is not there."""
    pictures = []
    for plane in planes:
        path = plate.files.get(key, {}).get(plane)
        if path is None:
            raise InputError(
                f"{plate.folder}: plane {plane:02d} of well {key.well}, site {key.site}, {key.stain} is missing; "
                f"{how_to_get([plane])}"
            )
        pictures.append(read_sixteen_bits(path))
    if len({picture.shape for picture in pictures}) != 1:
        raise InputError(f"{plate.folder}: the planes of well {key.well}, site {key.site} differ in size; unpack anew")
    return np.stack(pictures)


def read_sixteen_bits(path: Path) -> NDArray[np.uint16]:
    """A grey picture of 16 bits (8 are widened as they are). Raises InputError if it is not one."""
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):
        picture = None
    if picture is None or picture.ndim != 2 or picture.dtype not in {np.dtype(np.uint16), np.dtype(np.uint8)}:
        raise InputError(f"{path}: is no grey picture of 8 or 16 bits; download it anew")
    return picture.astype(np.uint16)


def split_wells(wells: Iterable[str], seed: int, test_share: float = 0.25) -> tuple[list[str], list[str]]:
    """Wells to train and to test on: no well is in both, so no cell seen from two planes is either.

    Raises InputError if there are fewer than two wells, or the share leaves one side empty.
    """
    names = sorted(set(wells))
    held = round(len(names) * test_share)
    if not 0 < held < len(names):
        raise InputError(f"{len(names)} wells cannot be split, {test_share:.0%} to test on; give at least 4 wells")
    order = np.random.default_rng(seed).permutation(len(names))
    test = sorted(names[index] for index in order[:held])
    return sorted(set(names) - set(test)), test
