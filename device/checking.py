"""Judging files: what `focusgate check` does, apart from its options."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich import box
from rich.bar import Bar
from rich.console import Group
from rich.table import Table
from rich.text import Text

from device.frame import Rgb
from device.overlay import draw_overlay
from models.classifier import Classifier, Judging
from models.errors import InputError, one_line
from models.focusmap import FocusMap
from models.images import LoadedImage, list_images, read_image, shown
from models.verdict import Verdict, VerdictKind, verdict_of

JSON_DIGITS = 4
OVERLAY_SUFFIX = ".overlay.jpg"
OVERLAY_QUALITY = 92  # JPEG, with full chroma: thin coloured lines stay clean
NAME_DEPTH = 3  # folders that may lend their names to an overlay
BAR_WIDTH = 10  # characters

_STYLES = {
    VerdictKind.PASS: ("✓ pass", "bold bright_blue"),
    VerdictKind.FAIL: ("✗ fail", "bold yellow"),
    VerdictKind.CANNOT_JUDGE: ("? cannot judge", "bold bright_black"),
}
"""Each differs in its sign and words as well as in its colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """One file's result; `note` tells of a conversion of its pixels."""

    path: Path
    width: int
    height: int
    note: str | None
    focus_map: FocusMap
    verdict: Verdict


def images_of(paths: Sequence[Path]) -> Iterator[Path | InputError]:
    """Every image meant by `paths`, each once, a folder replaced by its images; or what is wrong with one of them."""
    seen = set()
    for path in paths:
        try:
            images = list_images(path) if path.is_dir() else [path]
        except InputError as error:
            yield error
            continue
        for image in images:
            if image not in seen:
                seen.add(image)
                yield image


def try_options(classifier: Classifier, judging: Judging) -> None:
    """Judge one blank tile: what the model cannot do is then refused once, not for every image. Raises InputError."""
    classifier.judge(np.zeros((classifier.tile_px, classifier.tile_px), dtype=np.uint8), judging)


def check_image(path: Path, classifier: Classifier, judging: Judging, percent: int) -> tuple[Checked, LoadedImage]:
    """Judge one file. Raises InputError if it is no usable image or below one tile, ModelError for bad scores."""
    image = read_image(path)
    if min(image.width, image.height) < classifier.tile_px:
        raise InputError(
            f"{shown(path)}: the image has {image.width} × {image.height} px, less than one tile; allowed are at least "
            f"{classifier.tile_px} × {classifier.tile_px}; give the full-size picture"
        )
    focus_map = classifier.judge(image.luma, judging)
    verdict = verdict_of(focus_map, percent)
    return Checked(path, image.width, image.height, image.note, focus_map, verdict), image


def check_all(
    images: Iterable[Path], targets: Mapping[Path, Path], classifier: Classifier, judging: Judging, percent: int
) -> Iterator[Checked | InputError]:
    """Judge the files in turn, and draw the overlays of those in `targets`: the results, and what went wrong."""
    for path in images:
        try:
            checked, image = check_image(path, classifier, judging, percent)
            yield checked
            if path in targets:
                write_overlay(targets[path], overlay_of(image.rgb(), checked, percent))
        except InputError as error:
            yield error


def as_json(checked: Checked) -> dict[str, Any]:
    """The record of `check --json`; arrays are lists of rows, floats have four digits."""
    focus_map = checked.focus_map
    grid = focus_map.grid
    return {
        "path": str(checked.path),
        "width": checked.width,
        "height": checked.height,
        "tile": {"width": grid.width, "height": grid.height, "rows": grid.rows, "columns": grid.columns},
        "p_in_focus": [[round(value, JSON_DIGITS) for value in row] for row in focus_map.p_in_focus.tolist()],
        "blur_px": [[round(value, JSON_DIGITS) for value in row] for row in focus_map.blur_px.tolist()],
        "judged": focus_map.judged.tolist(),
        "in_focus": focus_map.in_focus,
        "judged_tiles": focus_map.judged_tiles,
        "fraction": None if focus_map.fraction is None else round(focus_map.fraction, JSON_DIGITS),
        "verdict": checked.verdict.kind.value,
        "reason": checked.verdict.reason,
        "model": {"name": focus_map.model_name, "sha256": focus_map.model_sha256},
    }


def table_of(results: Sequence[Checked]) -> Group:
    """One row an image; the folder that they share stands above, not in every row."""
    folder = _common_folder([checked.path for checked in results])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("in focus", justify="right", no_wrap=True)
    table.add_column("", width=BAR_WIDTH)
    table.add_column("verdict", no_wrap=True)
    table.add_column("reason")
    for checked in results:
        focus_map, verdict = checked.focus_map, checked.verdict
        words, style = _STYLES[verdict.kind]
        reason = Text(verdict.reason or "")
        if checked.note:
            reason.append(f"{'; ' if reason else ''}{checked.note}", style="dim")
        fraction = None if verdict.kind is VerdictKind.CANNOT_JUDGE else focus_map.fraction
        table.add_row(
            Text(shown(checked.path.relative_to(folder) if folder else checked.path)),
            f"{checked.width}×{checked.height}",
            "–" if fraction is None else f"{_floored_percent(focus_map)} %",
            Bar(1.0, 0.0, fraction or 0.0, width=BAR_WIDTH, color=style.split()[-1]),
            Text(words, style=style),
            reason,
        )
    return Group(Text(shown(folder)), table) if folder else Group(table)


def _common_folder(paths: Sequence[Path]) -> Path | None:
    """The folder that all of several paths share; None if there is none worth naming."""
    try:
        common = os.path.commonpath([path.parent for path in paths])
    except ValueError:  # absolute and relative paths
        return None
    return Path(common) if common and len(paths) > 1 else None


def summary_of(results: Sequence[Checked], errors: int) -> str:
    """The line below the table."""
    counts = Counter(checked.verdict.kind for checked in results)
    parts = [
        f"{counts[VerdictKind.PASS]} pass",
        f"{counts[VerdictKind.FAIL]} fail",
        f"{counts[VerdictKind.CANNOT_JUDGE]} cannot be judged",
    ]
    unusable = f"; {errors} unusable" if errors else ""
    return f"{len(results)} image{'' if len(results) == 1 else 's'}: {', '.join(parts)}{unusable}"


def overlay_of(rgb: Rgb, checked: Checked, percent: int) -> Rgb:
    """The picture with its tile map, headed by the verdict."""
    verdict = checked.verdict
    match verdict.kind:
        case VerdictKind.PASS:
            text = f"Pass: {_floored_percent(checked.focus_map)} % in focus ({percent} % needed)"
        case VerdictKind.FAIL:
            text = f"Fail: {verdict.reason}"
        case VerdictKind.CANNOT_JUDGE:
            text = str(verdict.reason).capitalize()
    return draw_overlay(rgb, checked.focus_map, text)


def overlay_paths(folder: Path, images: Sequence[Path]) -> dict[Path, Path]:
    """Where each image's overlay goes: named after the image, and after its folders too where names would collide.

    Raises InputError if an overlay would overwrite one of the images.
    """
    counts = [Counter(_overlay_name(image, depth).casefold() for image in images) for depth in range(NAME_DEPTH + 1)]
    used: set[str] = set()
    targets: dict[Path, Path] = {}
    for image in images:
        named = [_overlay_name(image, depth) for depth in range(NAME_DEPTH + 1)]
        names = [name for name, count in zip(named, counts, strict=True) if count[name.casefold()] == 1]
        names.append(f"{named[1]}_{image.suffix[1:]}")
        names += [f"{names[-1]}-{number}" for number in range(2, len(images) + 2)]
        name = next(name for name in names if name.casefold() not in used)
        used.add(name.casefold())
        targets[image] = folder / f"{name}{OVERLAY_SUFFIX}"
    sources = {image.resolve() for image in images}
    clash = next((target for target in targets.values() if target.resolve() in sources), None)
    if clash is not None:
        raise InputError(f"--overlay: would overwrite the image {shown(clash)}; choose another folder")
    return targets


def _overlay_name(image: Path, depth: int) -> str:
    """The image's name after those of `depth` folders that it lies in."""
    folders = image.absolute().parent.parts[1:]
    return "_".join((*folders[max(len(folders) - depth, 0) :], image.stem))


def make_folder(folder: Path) -> None:
    """Make sure that overlays can be written, before anything is judged. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--overlay {shown(folder)}: cannot be made ({error.strerror}); name a folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--overlay {shown(folder)}: no permission to write there; choose another folder")


def write_overlay(target: Path, rgb: Rgb) -> None:
    """Write a JPEG whole or not at all. Raises InputError."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=OVERLAY_QUALITY, subsampling=0)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = one_line(error.strerror or error, 80)
        raise InputError(
            f"{shown(target)}: cannot be written ({reason}); free space or choose another folder"
        ) from error


def _floored_percent(focus_map: FocusMap) -> int:
    """Rounded down, as in the reasons: 89.9 % must not read 90."""
    return 100 * focus_map.in_focus // focus_map.judged_tiles
