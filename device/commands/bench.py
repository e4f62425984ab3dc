"""`focusgate bench`: what judging one full frame costs on this machine, in time and memory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from device.benchmark import Goal, Memory, Row
    from models.focusmap import Luma

DEFAULT_SECONDS = 10.0
MIN_ROUNDS = 5
MIN_ROUNDS_WITH_CNN = 40  # its three turns take all the time there is, and the others must have theirs
MAX_SECONDS = 3600.0
MAX_REPEATS = 100_000

EXAMPLES = """\
examples:
  focusgate bench                      ten seconds of turns, as a table with ratios
  focusgate bench --repeats 200        exactly 200 turns of each
  focusgate bench --report-cnn         also the report's network, which takes seconds a frame (needs focusgate[test])
  focusgate bench --json > bench.json  the same figures for a program

Every method judges the same 2592×1944 luma frame, in turns, in one thread. Absolute times depend on what else the
machine does; ratios hardly do. The variance of Laplacian appears twice: as usually written (64-bit floats) and in the
fastest form that OpenCV has (16-bit integers, tile by tile).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `bench` to the command line."""
    bench = subparsers.add_parser(
        "bench",
        help="time the model against a memcpy and a Laplacian",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help="how long (default: 10)")
    bench.add_argument("--repeats", type=int, metavar="N", help="how many turns of each, instead of --seconds")
    bench.add_argument("--model", type=Path, metavar="PATH", help="manifest of another model than the one shipped")
    bench.add_argument("--unsigned", action="store_true", help="take a model that nobody has signed")
    bench.add_argument("--report-cnn", action="store_true", help="time the report's network as well, three turns")
    bench.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    bench.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    import time

    import cv2

    from device import benchmark
    from device.clock import SECOND, MonotonicClock
    from models.onnx_classifier import load_classifier

    repeats = arguments.repeats
    if not 0.0 < arguments.seconds <= MAX_SECONDS:
        raise InputError(f"--seconds {arguments.seconds:g} is not possible; allowed: above 0 to {MAX_SECONDS:g}")
    if repeats is not None and not 1 <= repeats <= MAX_REPEATS:
        raise InputError(f"--repeats {repeats} is not possible; allowed: 1 to {MAX_REPEATS}")
    classifier = load_classifier(arguments.model, threads=1, unsigned=arguments.unsigned)
    memory = benchmark.measure_memory(arguments.model)
    frame = benchmark.texture_frame()
    seldom = _report_cnn(frame) if arguments.report_cnn else {}
    least = MIN_ROUNDS_WITH_CNN if seldom else MIN_ROUNDS
    end_ns = time.monotonic_ns() + round(arguments.seconds * SECOND)

    def keep_on(rounds: int) -> bool:
        if repeats is not None:
            return bool(rounds < repeats)
        return rounds < least or time.monotonic_ns() < end_ns

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        timed = benchmark.contestants(classifier, frame, MonotonicClock())
        durations = benchmark.interleaved(timed, time.perf_counter_ns, keep_on, seldom)
    finally:
        cv2.setNumThreads(threads)
    rows = benchmark.rows_of(durations)
    goals = benchmark.goals_of(rows, memory)
    rounds = len(durations[benchmark.MEMCPY])
    if arguments.json:
        print(_as_json(rows, goals, memory, rounds, f"{classifier.name} {classifier.manifest.version}"))
    else:
        _print_tables(rows, goals, rounds, f"{classifier.name} {classifier.manifest.version}")
    return ExitCode.OK


def _report_cnn(frame: Luma) -> dict[str, Callable[[], object]]:
    """The report's network as a contestant, untrained: weights cost the same whatever they are.

    Where the package onnx is not installed, a line that says so, and no contestant.
    """
    from device.benchmark import REPORT, SEED, report_cnn
    from models.baselines.architecture import REPORT_CNN

    try:
        from models.baselines.graph import model_of, random_weights
    except ModuleNotFoundError as error:
        print(f"{REPORT}: left out, for it needs the package {error.name}; install focusgate[test]", file=sys.stderr)
        return {}
    return {REPORT: report_cnn(frame, model_of(REPORT_CNN, random_weights(REPORT_CNN, SEED)))}


def _as_json(rows: list[Row], goals: list[Goal], memory: Memory | None, rounds: int, model: str) -> str:
    from dataclasses import asdict

    from device.benchmark import HEIGHT_PX, WIDTH_PX, machine

    values = {
        "model": model,
        "machine": machine(),
        "frame": {"width": WIDTH_PX, "height": HEIGHT_PX},
        "rounds": rounds,
        "methods": [asdict(row) for row in rows],
        "memory": None if memory is None else asdict(memory) | {"added_mib": memory.added_mib},
        "goals": [asdict(goal) for goal in goals],
    }
    return json.dumps(values, ensure_ascii=False)


def _print_tables(rows: list[Row], goals: list[Goal], rounds: int, model: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from device.benchmark import HEIGHT_PX, WIDTH_PX, machine

    console = Console()
    on = machine()
    few = "".join(f" ({row.turns} of {row.name})" for row in rows if row.turns < rounds)
    console.print(f"[bold]{model}[/] on one {WIDTH_PX}×{HEIGHT_PX} luma frame, {rounds} turns each{few}, one thread")
    versions = ", ".join(f"{key} {value}" for key, value in on.items() if key != "processor")
    console.print(f"{on['processor']} ({versions})\n", highlight=False)
    times = Table("one frame", box=None, pad_edge=False, header_style="bold")
    for heading in ("median ms", "min ms", "× memcpy", "× bare"):
        times.add_column(heading, justify="right")
    for row in rows:
        figures = (f"{row.median_ms:.2f}", f"{row.min_ms:.2f}", f"{row.to_memcpy:.1f}", f"{row.to_bare:.2f}")
        times.add_row(row.name, *figures)
    console.print(times)
    console.print()
    promises = Table("goal", "limit", "found", "", box=None, pad_edge=False, header_style="bold")
    for goal in goals:
        said = {True: "[green]met[/]", False: "[bold red]not met[/]", None: "unknown"}[goal.met]
        promises.add_row(goal.name, goal.limit, goal.found, said)
    console.print(promises)
