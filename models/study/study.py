"""The study as a whole: makes or reads the pictures, runs the experiments, writes the page."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.errors import ExitCode
from models.study.experiments import EXPERIMENTS, SCALES, Scale, seeds_of, settings_of
from models.study.options import check
from models.study.page import write_page
from models.study.real import read_real
from models.study.running import Material, run_one
from models.study.scoring import Result
from models.study.settings import Setting
from models.study.stacks import (
    PlateSize,
    Stacks,
    folder_stacks,
    plate_stacks,
    simulated_stacks,
    write_published,
)
from models.study.sweep import run_sweep, storage_at

PUBLISHED_SHAPE = (520, 696)
WRITTEN_PLANES = tuple(range(34))


def run_study(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns an exit code. Raises InputError."""
    check(options)
    scale = SCALES["quick" if options.quick else "full"]
    if options.wells is not None:
        scale = replace(scale, wells=options.wells)
    console = Console()
    if options.list:
        for name, experiment in EXPERIMENTS.items():
            settings = settings_of(name, scale)
            console.print(f"{name:12} {len(settings) * len(seeds_of(name, scale)):3} runs  {experiment.title}")
        return ExitCode.OK
    if options.write_plate is not None:
        size = PlateSize(scale.wells, PUBLISHED_SHAPE[0])
        count = write_published(size, PUBLISHED_SHAPE, options.write_plate, WRITTEN_PLANES)
        console.print(f"{count} pictures in {options.write_plate}")
        return ExitCode.OK
    names = options.experiment or list(EXPERIMENTS)
    results = options.out / scale.name
    if not options.no_run:
        _run(options, scale, names, results, console)
    if options.page is not None:
        write_page(results, options.page, scale, options.fill)
        console.print(f"tables, plots and pictures in {options.page}")
    return ExitCode.OK


def _run(options: argparse.Namespace, scale: Scale, names: list[str], results: Path, console: Console) -> None:
    torch.set_num_threads(options.threads)
    results.mkdir(parents=True, exist_ok=True)
    storage = storage_at(options.storage or f"sqlite:///{results / 'study.db'}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        material = Material(
            stacks_of(options, scale, _on(progress, "making pictures")),
            None if options.real is None else read_real(options.real),
            results,
        )

        def run(setting: Setting, seed: int) -> Result:
            task = f"{setting.experiment}: {setting.variant}, seed {seed}"
            result = run_one(setting, seed, material, _on(progress, task))
            accuracy = result.get("accuracy", float("nan"))
            console.print(f"{task}: {accuracy:.3f} of {result.get('tested', 0)} in {result['cpu_s']:.0f} s of CPU")
            return result

        for name, seed in order(names, scale, options.seeds):
            settings = settings_of(name, scale)
            run_sweep(name, settings, range(seed, seed + 1), storage=storage, out=results, run=run)


def order(names: list[str], scale: Scale, seeds: int | None) -> list[tuple[str, int]]:
    """Every experiment once before any is run a second time: a study broken off has something of each."""
    wanted = {name: len(seeds_of(name, scale)) if seeds is None else seeds for name in names}
    most = max(wanted.values())
    return [(name, seed) for seed in range(1, most + 1) for name in names if seed <= wanted[name]]


def stacks_of(options: argparse.Namespace, scale: Scale, progress: Callable[[int, int], None]) -> Stacks:
    """The pictures that the options name. Raises InputError."""
    cache = options.out / "cache"
    if options.stacks is not None:
        return folder_stacks(options.stacks, scale.side_px)
    if options.data != "simulated":
        return plate_stacks(Path(options.data), scale.side_px, cache, progress)
    return simulated_stacks(PlateSize(scale.wells, scale.side_px), cache, progress)


def _on(progress: Progress, words: str) -> Callable[[int, int], None]:
    """A bar of its own that goes when it is full."""
    task = progress.add_task(words, total=None)

    def tell(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total, visible=done < total)

    return tell
