"""`focusgate eval`: how well the model judges pictures whose focus is known."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rich.console import Console

MOST_SCENES = 20  # rows of the table of scenes on the terminal; the page and the JSON have all

EXAMPLES = """\
examples:
  focusgate eval photos/tiles.tsv                     squares labelled in, out or mixed
  focusgate eval photos/ --html eval.html             a folder with tiles*.tsv; page with plots and the worst mistakes
  focusgate eval BBBC006/ --criterion-px 2.5          a folder per focal plane, as published; another criterion
  focusgate eval photos/ --criteria 1,2,3             false sharp and missed at these criteria as well
  focusgate eval photos/ --baselines build/baselines  against networks of others as well, on the same squares
  focusgate eval photos/tiles.tsv --json > eval.json  every figure, for a program

data sets:
  a TSV with the columns path, x, y, size, label      squares of images, paths relative to the table
  a TSV with the columns path, label                  whole images; the first word of the label counts
  a folder with tiles*.tsv in it; or one whose images a table beside it labels; or one folder per focal plane as in
  BBBC006 (plane 16 in focus)
  A scene is the first component of a path, or the field of a plate (well, site, channel); scenes are kept apart.

how a square is scored:
  by the mean p_in_focus of the judged tiles that it overlaps, weighted by the overlapping area. Covered by judged
  tiles to less than 40 %, it counts as "cannot judge" and in no other figure. --crops cuts each square out instead
  and judges its middle (whole tiles) as an image of its own. Mixed squares count nowhere. The model decides at its
  shipped threshold; each classical measure, on the same squares, at the threshold that is best on all other scenes.
  --baselines: each network sees the square's own pixels in as few tiles of its size as cover it, and their mean counts.
  Of whole images, "at other criteria" also counts what 'focusgate check' would say: pass, fail or cannot-judge.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `eval` to the command line."""
    parser = subparsers.add_parser(
        "eval",
        help="measure the model on pictures whose focus is known",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DATASET", help="a table of labels, or a folder")
    parser.add_argument("--criterion-px", type=float, metavar="X", help="largest blur radius in focus, px")
    parser.add_argument("--threshold", type=float, metavar="P", help="smallest p_in_focus that counts")
    parser.add_argument(
        "--criteria", metavar="X,X,…", help="radii at which the figures are given as well, px (default: 1 to 5)"
    )
    parser.add_argument(
        "--baselines",
        type=Path,
        metavar="DIR",
        help="also networks of others, from 'python -m models.training.baselines'",
    )
    parser.add_argument("--crops", action="store_true", help="judge each square cut out, without its surroundings")
    parser.add_argument("--model", type=Path, metavar="PATH", help="manifest of another model than the one shipped")
    parser.add_argument("--unsigned", action="store_true", help="take a model that nobody has signed")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    parser.add_argument("--html", type=Path, metavar="PAGE", help="write a page with plots and the worst mistakes")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from models.baselines.runtime import load_baselines
    from models.classifier import Judging
    from models.evaluation.criteria import default_criteria, parse_criteria
    from models.evaluation.datasets import by_image, load_datasets
    from models.evaluation.page import page_of, write_page
    from models.evaluation.report import report_of
    from models.evaluation.scoring import score_squares
    from models.onnx_classifier import load_classifier

    if arguments.html is not None and not arguments.html.resolve().parent.is_dir():
        raise InputError(f"--html {arguments.html}: its folder does not exist; make it first")
    asked = None if arguments.criteria is None else parse_criteria(arguments.criteria)
    baselines = [] if arguments.baselines is None else load_baselines(arguments.baselines)
    dataset = load_datasets(arguments.datasets)
    classifier = load_classifier(arguments.model, unsigned=arguments.unsigned)
    judging = Judging(criterion_px=arguments.criterion_px, threshold=arguments.threshold)
    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("judging", total=len(by_image(dataset.squares)))
        scored = score_squares(
            dataset.squares,
            classifier,
            judging,
            crops=arguments.crops,
            criteria_px=asked or default_criteria(classifier.manifest.edges_px),
            baselines=baselines,
            on_image=lambda path: progress.update(task, advance=1, description=path.name),
        )
    model = {"name": classifier.name, "version": classifier.manifest.version, "sha256": classifier.sha256}
    report = report_of(scored, dataset.left_out, model, crops=arguments.crops)
    report["baselines"] = [baseline.description.model_dump(mode="json") for baseline in baselines]
    if arguments.json:
        print(json.dumps(report, allow_nan=False))
    else:
        _print_tables(report, Console(width=None if sys.stdout.isatty() else 140))
    if arguments.html is not None:
        try:
            write_page(arguments.html, page_of(report, scored))
        except OSError as error:
            raise InputError(f"--html {arguments.html}: cannot be written ({error.strerror})") from None
    return ExitCode.OK


def _print_tables(report: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    from models.evaluation.page import HEADINGS
    from models.evaluation.report import FIGURES

    labels, unknown = report["labels"], report["cannot_judge"]
    console.print(
        f"{report['model']['name']} {report['model']['version']}: in focus = blur radius at most "
        f"{report['criterion_px']:g} px with p ≥ {report['threshold']:g}\n"
        f"{report['squares']} squares of {report['images']} images: {labels['in']} in, {labels['out']} out, "
        f"{labels['mixed']} mixed; cannot judge {unknown['in']} in, {unknown['out']} out; "
        f"{report['left_out']} left out without a label",
        highlight=False,
    )
    if report["fraction_error"]["mean"] is not None:
        error = report["fraction_error"]
        console.print(f"error of a frame's in-focus fraction: {error['mean']:.3f} ({error['frames']} frames)")
    for baseline in report["baselines"]:
        console.print(
            f"{baseline['title']}: trained on {baseline['tiles_seen']:,} simulated tiles, "
            f"in focus = blur radius at most {baseline['criterion_px']:g} px",
            highlight=False,
        )
    pooled = Table("method", box=None, header_style="bold", pad_edge=False)
    pooled.add_column("in/out", justify="right")
    for name in FIGURES:
        pooled.add_column(HEADINGS[name], justify="right")
    for method in report["methods"]:
        figures = method["pooled"]
        cells = [_with_interval(figures[name], figures["intervals"].get(name)) for name in FIGURES]
        pooled.add_row(method["name"], f"{figures['in']}/{figures['out']}", *cells)
    console.print("\n[bold]all squares[/] (95 % intervals over scenes)")
    console.print(pooled)
    _print_criteria(report, console)
    console.print("\n[bold]scene by scene[/] (model)")
    console.print(_scene_table(report))


def _print_criteria(report: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    from models.evaluation.criteria_page import criteria_rows

    (first, *others), rows = criteria_rows(report)
    table = Table(first, box=None, header_style="bold", pad_edge=False)
    for heading in others:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print("\n[bold]at other criteria[/] (model)")
    console.print(table)


def _with_interval(value: float | None, between: tuple[float, float] | None) -> str:
    from models.evaluation.metrics import number

    return number(value) if between is None else f"{number(value)} [{between[0]:.2f}–{between[1]:.2f}]"


def _scene_table(report: dict[str, Any]) -> Any:
    from rich.table import Table

    from models.evaluation.metrics import number
    from models.evaluation.page import HEADINGS
    from models.evaluation.report import FIGURES

    table = Table("scene", box=None, header_style="bold", pad_edge=False)
    for heading in ("in/out", "cannot judge", *(HEADINGS[name] for name in FIGURES)):
        table.add_column(heading, justify="right")
    scenes = report["methods"][0]["scenes"]
    for scene in list(scenes)[:MOST_SCENES]:
        figures = scenes[scene]
        counts = (f"{figures['in']}/{figures['out']}", str(report["cannot_judge_by_scene"][scene]))
        table.add_row(scene, *counts, *(number(figures[name]) for name in FIGURES))
    if len(scenes) > MOST_SCENES:
        table.add_row(f"… and {len(scenes) - MOST_SCENES} more (--json, --html)")
    overall = report["methods"][0]["over_scenes"]
    for kind in ("mean", "worst"):
        table.add_row(f"[bold]{kind}", "", "", *(number(overall[name][kind]) for name in FIGURES))
    return table
