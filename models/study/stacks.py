"""Where the study's pictures come from, in one form: squares of every plane of many fields, kept as one array on disk.

Sources: the simulated plate; BBBC006 as published; a folder of other focal stacks (a folder for each stack, its
pictures in natural order, one plane each, with a file `focus.txt` that gives the number of the sharpest, from 0).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.images import list_images
from models.study import bbbc006
from models.study.simulated import IN_FOCUS, PLANES, SITES, render_fields, well_names

Progressing = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Stacks:
    """Squares through focus: `images` uint16 (n, planes, side, side), sharpest at plane `in_focus`.

    `wells` and `stains` give the origin of each; `labels` uint16 (n, side, side) the nuclei where known, else None.
    """

    images: NDArray[np.uint16]
    wells: tuple[str, ...]
    stains: tuple[str, ...]
    labels: NDArray[np.uint16] | None
    in_focus: int = IN_FOCUS


@dataclass(frozen=True, slots=True)
class PlateSize:
    """A simulated plate: wells, side of a square field in pixels of the picture, seed."""

    wells: int
    side_px: int
    seed: int = 2011


def simulated_stacks(size: PlateSize, cache: Path, progress: Progressing) -> Stacks:
    """The simulated plate, from `cache` if it was made before; about 0.3 s of one core for a field of 128 px."""
    version = hashlib.sha256(b"".join(path.read_bytes() for path in _makers())).hexdigest()[:8]
    folder = cache / f"plate-{size.wells}x{size.side_px}-seed{size.seed}-{version}"
    names = well_names(size.wells)
    fields = [(well, site) for well in names for site in SITES]
    done = folder / "done.json"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        count = 2 * len(fields)
        shape = (size.side_px, size.side_px)
        images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint16, (count, PLANES, *shape))
        labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint16, (count, *shape))
        for index, (well, site) in enumerate(fields):
            for offset, field in enumerate(render_fields(size.seed, well, site, shape)):
                images[2 * index + offset], labels[2 * index + offset] = field.planes, field.labels
            progress(index + 1, len(fields))
        images.flush()
        labels.flush()
        done.write_text(json.dumps(asdict(size)), encoding="utf-8")
    wells = tuple(well for well, _ in fields for _ in range(2))
    return Stacks(
        np.load(folder / "images.npy", mmap_mode="r"),
        wells,
        ("w1", "w2") * len(fields),
        np.load(folder / "labels.npy", mmap_mode="r"),
    )


def plate_stacks(folder: Path, side_px: int, cache: Path, progress: Progressing) -> Stacks:
    """The middle square of every field of BBBC006. Raises InputError if pictures are missing: what to download."""
    plate = bbbc006.read_plate(folder)
    bbbc006.require_complete(plate)
    keys = plate.with_planes(range(PLANES))
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    path = cache / f"bbbc006-{side_px}-{digest}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partly = path.with_suffix(".part.npy")
        images = np.lib.format.open_memmap(partly, "w+", np.uint16, (len(keys), PLANES, side_px, side_px))
        for index, key in enumerate(keys):
            images[index] = middle(bbbc006.read_planes(plate, key, range(PLANES)), side_px)
            progress(index + 1, len(keys))
        images.flush()
        partly.replace(path)
    return Stacks(np.load(path, mmap_mode="r"), tuple(key.well for key in keys), tuple(key.stain for key in keys), None)


def folder_stacks(folder: Path, side_px: int) -> Stacks:
    """Other focal stacks, each aligned so that its sharpest plane has one number. Raises InputError."""
    stacks, sharpest, names = [], [], []
    for entry in sorted(path for path in folder.iterdir() if (path / "focus.txt").is_file()):
        text = (entry / "focus.txt").read_text(encoding="utf-8").strip()
        pictures = list_images(entry)
        if not (text.isascii() and text.isdigit() and int(text) < len(pictures)):
            raise InputError(f"{entry / 'focus.txt'}: {text[:20]!r}; allowed: 0 to {len(pictures) - 1}")
        planes = [bbbc006.read_sixteen_bits(path) for path in pictures]
        if len({plane.shape for plane in planes}) != 1 or min(planes[0].shape) < side_px:
            raise InputError(f"{entry}: its planes differ in size or are smaller than {side_px} px; mend the stack")
        stacks.append(middle(np.stack(planes), side_px))
        sharpest.append(int(text))
        names.append(entry.name)
    if not stacks:
        raise InputError(f"{folder}: holds no folder with focus.txt; see the page of the study for the form")
    before = min(sharpest)
    after = min(len(stack) - place for stack, place in zip(stacks, sharpest, strict=True))
    aligned = [stack[place - before : place + after] for stack, place in zip(stacks, sharpest, strict=True)]
    return Stacks(np.stack(aligned), tuple(names), ("w1",) * len(names), None, before)


def write_published(size: PlateSize, shape: tuple[int, int], folder: Path, planes: tuple[int, ...]) -> int:
    """Write the simulated plate as BBBC006 is published, ids seeded, never overwriting; how many pictures it wrote."""
    rng = np.random.default_rng([size.seed, 6])
    written = 0
    for well in well_names(size.wells):
        for site in SITES:
            for field in render_fields(size.seed, well, site, shape):
                for plane in planes:
                    target = folder / f"BBBC006_v1_images_z_{plane:02d}"
                    target.mkdir(parents=True, exist_ok=True)
                    unique = "-".join(rng.bytes(half).hex() for half in (4, 2, 2, 2, 6))
                    path = target / f"mcf-z-stacks-03212011_{well}_s{site}_{field.stain}{unique}.tif"
                    if path.exists():
                        raise InputError(f"{path}: exists; give an empty folder")
                    if not cv2.imwrite(str(path), field.planes[plane]):
                        raise InputError(f"{path}: cannot be written; give another folder")
                    written += 1
    return written


def middle(planes: NDArray[np.uint16], side_px: int) -> NDArray[np.uint16]:
    """The middle square, (…, side_px, side_px)."""
    height, width = planes.shape[-2:]
    top, left = (height - side_px) // 2, (width - side_px) // 2
    return planes[..., top : top + side_px, left : left + side_px]


def _makers() -> list[Path]:
    here = Path(__file__).parent
    return [here / name for name in ("microscope.py", "specimen.py", "simulated.py")]
