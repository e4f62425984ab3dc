"""`focusgate check`: judges images and folders of images."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, InputError
from models.verdict import DEFAULT_PERCENT, VerdictKind

if TYPE_CHECKING:
    from rich.console import Console

    from models.classifier import Classifier

MANY = 3  # images from which on a progress bar is worth its flicker
TABLE_WIDTH = 160  # characters, where the output is no terminal and has no width of its own
MAX_CRITERION_PX = 20.0

EXAMPLES = """\
examples:
  focusgate check photo.jpg                      one photograph
  focusgate check photos/ --overlay maps/        a folder; pictures with the tile map drawn on them
  focusgate check photos/ --json > focus.jsonl   one JSON object a line
  focusgate check photo.jpg --criterion-px 2.5   count blur radii of up to 2.5 px as in focus

exit codes: 0 all pass, 1 at least one fails or cannot be judged, 2 at least one could not be used (the others are
judged all the same)
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check` to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="judge images and folders of images",
        description="Judge images: which part of each is in focus, and whether that is enough.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="an image, or a folder of images")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="write pictures with the tile map drawn on them")
    parser.add_argument("--criterion-px", metavar="X", help="largest blur radius in focus, px (default: the model's)")
    parser.add_argument(
        "--percent", default=str(DEFAULT_PERCENT), metavar="N", help="share that must be in focus, %% (default: 90)"
    )
    parser.add_argument("--model", type=Path, metavar="PATH", help="manifest of another model than the one shipped")
    parser.add_argument("--unsigned", action="store_true", help="take a model that nobody has signed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, load: Callable[[Path | None], Classifier] | None = None) -> int:
    """Judge all images; returns the exit code. `load` makes the classifier from the path of a manifest (tests).

    Raises InputError for options that cannot be, ModelError if the model cannot be used.
    """
    from rich.console import Console
    from rich.progress import track

    from device import checking
    from models.classifier import Judging

    percent, judging = _percent(arguments.percent), Judging(criterion_px=_criterion(arguments.criterion_px))
    out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else TABLE_WIDTH)
    err = Console(file=sys.stderr)
    found = list(checking.images_of(arguments.paths))
    images = [path for path in found if isinstance(path, Path)]
    targets: dict[Path, Path] = {}
    if arguments.overlay is not None:
        targets = checking.overlay_paths(arguments.overlay, images)
        checking.make_folder(arguments.overlay)
    errors = [error for error in found if isinstance(error, InputError)]
    for error in errors:
        _complain(err, error)
    results: list[checking.Checked] = []
    if images:
        classifier = load(arguments.model) if load else _loaded(arguments.model, unsigned=arguments.unsigned)
        checking.try_options(classifier, judging)
        quiet = len(images) < MANY or not err.is_terminal or (arguments.json and out.is_terminal)
        watched = images if quiet else track(images, "judging", console=err, transient=True)
        for item in checking.check_all(watched, targets, classifier, judging, percent):
            if isinstance(item, InputError):
                errors.append(item)
                _complain(err, item)
            else:
                results.append(item)
                if arguments.json:
                    print(json.dumps(checking.as_json(item)), flush=True)
    if results and not arguments.json:
        out.print(checking.table_of(results), checking.summary_of(results, len(errors)), highlight=False)
    if errors:
        return ExitCode.USAGE
    passed = all(checked.verdict.kind is VerdictKind.PASS for checked in results)
    return ExitCode.OK if passed else ExitCode.NOT_PASSED


def _complain(err: Console, error: InputError) -> None:
    """One line, however long: rich would break it."""
    err.print(f"focusgate: {error}", markup=False, highlight=False, soft_wrap=True)


def _loaded(manifest: Path | None, *, unsigned: bool) -> Classifier:
    from models.onnx_classifier import load_classifier

    return load_classifier(manifest, unsigned=unsigned)


def _percent(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 100:
        return int(text)
    raise InputError(f"--percent {text}: allowed is a whole number from 1 to 100, in percent (90, not 0.9)")


def _criterion(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0.0 < value <= MAX_CRITERION_PX:
        return value
    raise InputError(f"--criterion-px {text}: allowed is a blur radius in px, above 0 and at most {MAX_CRITERION_PX:g}")
