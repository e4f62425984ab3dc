"""Pictures whose focus is known: squares of them, or whole, labelled in focus, out of focus, or mixed.

Three forms are read:
- a TSV with the columns path, x, y, size, label: squares of `size` px at (x, y) of images relative to the TSV's folder;
- a TSV with the columns path and label, whose first word counts: whole images (rows without a label are left out);
- a folder that holds `tiles*.tsv`; or one that a table beside it (in the folder's own folder) labels; or one in the
  published layout of BBBC006 (a folder per focal plane). Of these the first that fits is read.

A scene is what stands or falls together: the field of a plate (well, site, channel) where the file name tells it as
BBBC006 does, else the first component of the path.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from models.errors import InputError, one_line

SMALLEST_PX = 8
BBBC006_SHARPEST = 16
"""The plane in focus; planes lie 2 µm apart."""
BBBC006_OUT = 6
"""Planes at least this far from it (12 µm) count as out of focus, those between as mixed."""

_PLANE = re.compile(r"z_?(\d{2})(?:_w\d)?$")
_FIELD = re.compile(r"_([a-p]\d{2})_+(s\d)_+(w\d)")
_IMAGES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg"})


class Label(StrEnum):
    """What is known of a square. Mixed squares belong to neither class and count in no figure."""

    IN = "in"
    OUT = "out"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Square:
    """A labelled square; `size` None means the whole image. `name` is the image's path as the data set has it."""

    path: Path
    name: str
    scene: str
    label: Label
    x: int = 0
    y: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled squares, and how many images or rows had no label that could be used."""

    squares: tuple[Square, ...]
    left_out: int = 0


def load_datasets(paths: Sequence[Path]) -> Dataset:
    """All data sets as one; of several, scenes carry the data set's name. Raises InputError, one line."""
    loaded = [load_dataset(path) for path in paths]
    if len(loaded) == 1:
        return loaded[0]
    squares = [
        replace(square, scene=f"{path.stem}/{square.scene}")
        for path, dataset in zip(paths, loaded, strict=True)
        for square in dataset.squares
    ]
    return Dataset(tuple(squares), sum(dataset.left_out for dataset in loaded))


def load_dataset(path: Path) -> Dataset:
    """One data set in any of the forms above. Raises InputError if it is none of them, or holds no label."""
    if not path.exists():
        raise InputError(f"{path}: no such data set; give a TSV of labels, or a folder that holds one")
    if path.is_file():
        dataset = _from_tsv(path)
    else:
        tables = sorted(path.glob("tiles*.tsv"))
        found = [_from_tsv(table) for table in tables] or _from_beside(path) or [_from_planes(path)]
        dataset = Dataset(
            tuple(square for part in found for square in part.squares), sum(part.left_out for part in found)
        )
    if not dataset.squares:
        raise InputError(
            f"{path}: nothing in it is labelled in, out or mixed; see 'focusgate eval --help' for the forms"
        )
    return dataset


def by_image(squares: Iterable[Square]) -> dict[Path, list[int]]:
    """Positions of the squares of each image, images in the order of their first square."""
    found: dict[Path, list[int]] = {}
    for position, square in enumerate(squares):
        found.setdefault(square.path, []).append(position)
    return found


def _from_beside(folder: Path) -> list[Dataset]:
    """What the tables beside a folder say of the images in it; nothing if none of them names any.

    A TSV without the columns path and label is no table of labels, and none of the data set's business.
    """
    folder = folder.resolve()
    inside = f"{folder.name}/"
    tables = [table for table in sorted(folder.parent.glob("*.tsv")) if {"path", "label"} <= _table(table)[0]]
    return [found for table in tables if (found := _from_tsv(table, only=inside)).squares]


def _table(path: Path) -> tuple[set[str], list[dict[str, str]]]:
    """Columns and rows. Raises InputError if the file is no table in UTF-8."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return set(reader.fieldnames or ()), list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({one_line(error, 80)}); give a TSV in UTF-8") from None


def _from_tsv(path: Path, *, only: str = "") -> Dataset:
    """The squares of a table; `only` takes the rows whose path begins so, and no others."""
    columns, rows = _table(path)
    if not {"path", "label"} <= columns:
        raise InputError(f"{path}: needs the columns path and label, separated by tabs (and x, y, size for squares)")
    squares, left_out = [], 0
    for number, row in enumerate(rows, start=2):
        where = f"{path}, line {number}"
        if any(row.get(column) is None for column in columns):
            raise InputError(f"{where}: has fewer fields than the first line; complete it")
        if not row["path"].startswith(only):
            continue
        square = _square(row, path.parent, where, squares_only={"x", "y", "size"} <= columns)
        if square is None:
            left_out += 1
        else:
            squares.append(square)
    return Dataset(tuple(squares), left_out)


def _square(row: dict[str, str], folder: Path, where: str, *, squares_only: bool) -> Square | None:
    """The row's square; None if it is a whole image without a label."""
    word = (row["label"].split() or [""])[0]
    if word not in {label.value for label in Label}:
        if squares_only:
            raise InputError(f"{where}: label {row['label']!r}; allowed: in, out, mixed")
        return None
    name = row["path"].strip()
    if not name:
        raise InputError(f"{where}: the path is empty; name an image")
    scene = Path(name).parts[0] if len(Path(name).parts) > 1 else folder.name
    square = Square(folder / name, name, _field(name) or scene, Label(word))
    if not squares_only:
        return square
    size = _whole(row, "size", where, SMALLEST_PX)
    return replace(square, x=_whole(row, "x", where), y=_whole(row, "y", where), size=size)


def _whole(row: dict[str, str], column: str, where: str, smallest: int = 0) -> int:
    text = row[column].strip()
    if not (text.isascii() and text.isdigit() and int(text) >= smallest):
        raise InputError(f"{where}: {column} is {text!r}; allowed: whole numbers of px from {smallest}")
    return int(text)


def _from_planes(folder: Path) -> Dataset:
    """BBBC006: a folder per plane (…_z_16, z16_w2), file names with well, site and channel (…_a01_s1_w1…)."""
    squares, left_out = [], 0
    for plane_folder in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        images = sorted(entry for entry in plane_folder.iterdir() if entry.suffix.lower() in _IMAGES)
        plane = _PLANE.search(plane_folder.name)
        if plane is None:
            left_out += len(images)
            continue
        distance = abs(int(plane[1]) - BBBC006_SHARPEST)
        label = Label.IN if distance == 0 else Label.OUT if distance >= BBBC006_OUT else Label.MIXED
        for image in images:
            scene = _field(image.name) or image.stem
            squares.append(Square(image, f"{plane_folder.name}/{image.name}", scene, label))
    return Dataset(tuple(squares), left_out)


def _field(name: str) -> str | None:
    """Well, site and channel of a plate, as "a01 s1 w1"; None if the file name does not tell them."""
    found = _FIELD.search(name.rpartition("/")[2])
    return " ".join(found.groups()) if found else None
