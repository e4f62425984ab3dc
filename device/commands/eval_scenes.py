"""`focusgate scenes`: how often the verdict on a whole frame is wrong, over thousands of random simulated scenes."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from device.simulation.judged import SceneTask
    from models.evaluation.frames import JudgedFrame
    from models.evaluation.frames_page import Picture

DEFAULT_SCENES = 2000
DEFAULT_FRAMES = 3
DEFAULT_SIZE = "1296x972"
MOST_SCENES = 1_000_000
MOST_FRAMES = 1000
MOST_WORKERS = 256
LARGEST_SEED = 2**31 - 1
LEAST_TILES = 4
"""Tiles along the shorter side; with fewer a fraction means little."""

WORST = 12

EXAMPLES = """\
examples:
  focusgate scenes                                    2,000 scenes, three frames of each; about 20 minutes on one core
  focusgate scenes --scenes 100 --html scenes.html    a quick look, with plots and the worst frames
  focusgate scenes --size 2592x1944 --workers 4       the full sensor
  focusgate scenes --any-aperture                     f/1.4 to f/8
  focusgate scenes --criterion-px 1.5 --json > s.json another criterion; every figure and frame, for a program

Each scene is a random world: tilt, relief, light, glare, hand, focus and f-number. Its frames are exposed at random
moments of the hand's approach. A smaller frame is a smaller sensor of the same pixels: blur and noise in px are the
same, but the rim of the field crosses more of its tiles. A tile is truly in focus if its blur radius is at most the
criterion. Apertures at which diffraction alone takes more than three quarters of the criterion are left out, as a
device would not use them, unless --any-aperture asks for them. The verdict is the one that 'focusgate check' gives for
a single frame, the field of view being known. The same --seed gives the same figures, whatever the number of workers.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `scenes` to the command line."""
    parser = subparsers.add_parser(
        "scenes",
        help="measure the verdict on simulated frames whose focus is known",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenes", type=int, default=DEFAULT_SCENES, metavar="N", help="how many (default: 2000)")
    parser.add_argument("--frames", type=int, default=DEFAULT_FRAMES, metavar="N", help="of each scene (default: 3)")
    parser.add_argument("--size", default=DEFAULT_SIZE, metavar="WxH", help=f"of a frame, px (default: {DEFAULT_SIZE})")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other scenes (default: 0)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--any-aperture", action="store_true", help="also those with too much diffraction")
    parser.add_argument("--criterion-px", type=float, metavar="X", help="largest blur radius in focus, px")
    parser.add_argument("--threshold", type=float, metavar="P", help="smallest p_in_focus that counts")
    parser.add_argument("--model", type=Path, metavar="PATH", help="manifest of another model than the one shipped")
    parser.add_argument("--unsigned", action="store_true", help="take a model that nobody has signed")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the tables")
    parser.add_argument("--html", type=Path, metavar="PAGE", help="write a page with plots and the worst frames")
    parser.set_defaults(run=_run)


def size_of(text: str) -> tuple[int, int]:
    """Width and height (px) from "1296x972". Raises InputError."""
    found = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text)
    if found is None:
        raise InputError(f"--size {text}: is no size; give width and height in px, as in {DEFAULT_SIZE}")
    return int(found[1]), int(found[2])


def _within(option: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise InputError(f"{option} {value} is not possible; allowed: {low} to {high}")
    return value


def _run(arguments: argparse.Namespace) -> int:
    import os

    from rich.console import Console

    from device.simulation.judged import RENDERED_WITHIN, SceneTask, world_seed
    from device.simulation.settings import F_NUMBERS, LARGEST_PX, usable_f_numbers
    from models.classifier import Judging
    from models.evaluation.frames_report import Run, report_of
    from models.onnx_classifier import load_classifier
    from models.scores import limits

    scenes = _within("--scenes", arguments.scenes, 1, MOST_SCENES)
    per_scene = _within("--frames", arguments.frames, 1, MOST_FRAMES)
    seed = _within("--seed", arguments.seed, 0, LARGEST_SEED)
    workers = arguments.workers if arguments.workers is not None else min(os.cpu_count() or 1, scenes)
    workers = _within("--workers", workers, 1, MOST_WORKERS)
    if arguments.html is not None and not arguments.html.resolve().parent.is_dir():
        raise InputError(f"--html {arguments.html}: its folder does not exist; make it first")
    classifier = load_classifier(arguments.model, unsigned=arguments.unsigned)
    width, height = size_of(arguments.size)
    for side in (width, height):
        _within("--size: a side of", side, LEAST_TILES * classifier.tile_px, LARGEST_PX)
    judging = Judging(criterion_px=arguments.criterion_px, threshold=arguments.threshold)
    criterion_px, threshold = limits(judging, classifier.manifest)
    apertures = F_NUMBERS if arguments.any_aperture else usable_f_numbers(criterion_px)
    if not apertures:
        raise InputError(f"criterion {criterion_px:g} px: diffraction takes it all; give --any-aperture")
    tasks = [
        SceneTask(
            seed=world_seed(seed, number),
            width=width,
            height=height,
            frames=per_scene,
            judging=judging,
            f_numbers=apertures,
            model=arguments.model,
            unsigned=arguments.unsigned,
        )
        for number in range(scenes)
    ]
    frames = _judged(tasks, workers)
    model = {"name": classifier.name, "version": classifier.manifest.version, "sha256": classifier.sha256}
    run = Run(scenes, per_scene, width, height, seed, apertures, RENDERED_WITHIN)
    report = report_of(frames, run, model, criterion_px, threshold)
    if arguments.json:
        print(json.dumps(report, allow_nan=False))
    else:
        _print_tables(report, Console(width=None if sys.stdout.isatty() else 140))
    if arguments.html is not None:
        _write(arguments.html, report, frames, {task.seed: task for task in tasks})
    return ExitCode.OK


def _judged(tasks: Sequence[SceneTask], workers: int) -> list[JudgedFrame]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from device.simulation.judged import judge_scenes

    columns = (TextColumn("scenes"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    frames: list[JudgedFrame] = []
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        for found in progress.track(judge_scenes(tasks, workers), total=len(tasks)):
            frames += found
    return frames


def _write(path: Path, report: dict[str, Any], frames: Sequence[JudgedFrame], tasks: dict[int, SceneTask]) -> None:
    from models.evaluation.frames_page import page_of
    from models.evaluation.frames_parts import false_opens, worst_errors
    from models.evaluation.page import write_page

    opened = [_picture(frame, tasks[frame.seed]) for frame in false_opens(frames, WORST)]
    worst = [_picture(frame, tasks[frame.seed]) for frame in worst_errors(frames, WORST)]
    try:
        write_page(path, page_of(report, opened, worst))
    except OSError as error:
        raise InputError(f"--html {path}: cannot be written ({error.strerror})") from None


def _picture(frame: JudgedFrame, task: SceneTask) -> Picture:
    from device.simulation.judged import show
    from device.simulation.pictured import four_panes, jpeg_of
    from models.evaluation.frames_page import Picture

    conditions = ", ".join(f"{name} {value:.3g}" for name, value in frame.conditions.items())
    caption = (
        f"scene {frame.seed}, frame {frame.number}: estimated {frame.estimated:.2f}, true {frame.true_fraction:.2f} "
        f"(of the judged {frame.true_judged_fraction:.2f}; {frame.true_strict / frame.field_tiles:.2f} to "
        f"{frame.true_loose / frame.field_tiles:.2f} left open), {frame.verdict.value}; {conditions}"
    )
    return Picture(jpeg_of(four_panes(show(task, frame.number))), caption)


def _print_tables(report: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    from models.evaluation.frames_page import FIGURE_HEADINGS, figure_rows, said_of, summary, with_interval

    console.print(f"{report['model']['name']} {report['model']['version']}", style="bold", highlight=False)
    for line in summary(report):
        console.print(line, highlight=False)
    figures = Table(*FIGURE_HEADINGS, box=None, header_style="bold", pad_edge=False)
    for row in figure_rows(report):
        figures.add_row(*row)
    goals = Table("goal", "limit", "found", "", box=None, header_style="bold", pad_edge=False)
    colours = {True: "green", False: "bold red", None: "dim"}
    for goal in report["goals"]:
        found = with_interval(goal["found"], goal["interval"])
        goals.add_row(goal["words"], f"≤ {goal['most']:g}", found, f"[{colours[goal['met']]}]{said_of(goal['met'])}[/]")
    for table in (figures, goals, _parts(report["by_truth"])):
        console.print()
        console.print(table)
    for parts in report["by_condition"].values():
        console.print()
        console.print(_parts(parts))


def _parts(parts: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    from models.evaluation.frames_page import PART_COLUMNS, PART_HEADINGS, part_cells, range_of

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(parts[0]["name"], min_width=20)
    for heading in ("frames", *(PART_HEADINGS[name] for name in PART_COLUMNS)):
        table.add_column(heading, justify="right")
    for part in parts:
        table.add_row(range_of(part), str(part["frames"]), *part_cells(part))
    return table
