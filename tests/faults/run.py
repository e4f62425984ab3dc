"""`make faults`: every fault suite in turn with a progress bar, one table, and the page docs/risk/faults.md.

    python tests/faults/run.py [--short] [--page FILE] [SUITE ...]

Each suite leaves its rows in build/faults/SUITE.json and what pytest said in build/faults/SUITE.log. With suites named
only these are run again; the page and the table are made of all that lie there. Ends with 1 if a promise is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

HERE = Path(__file__).parent
SUITES = {
    "store_faults": ("Captures: a disk that fails at any call", "test_store_faults.py"),
    "store_service": ("Captures: the recorder on such a disk", "test_store_service.py"),
    "store_crash_states": ("Captures: every state that a crash can leave", "test_store_crash_states.py"),
    "store_kills": ("Captures: kills while saving", "test_store_kills.py"),
    "store_repair": ("Captures: repair of a full folder", "test_store_repair.py"),
    "audit_edits": ("Audit log: edits", "audit/test_audit_edits.py"),
    "audit_crashes": ("Audit log: crashes and failing disks", "audit/test_audit_crashes.py"),
    "camera_schedules": ("Camera: faults at every call, and at random", "device/test_camera_schedules.py"),
    "stale_presses": ("Camera: presses against stale frames", "device/test_stale_presses.py"),
    "model_files": ("Model: damaged and forged files", "device/test_model_files.py"),
    "model_scores": ("Model: what are no scores, and slowness", "device/test_model_scores.py"),
    "bad_configs": ("Configuration: wrong files", "device/test_bad_configs.py"),
    "edge_storm": ("Buttons: edge storms", "device/test_edge_storm.py"),
    "frozen_threads": ("Freezes, in simulated time", "device/test_frozen_threads.py"),
    "frozen_process": ("Freezes of a real process beside the real guard", "device/test_frozen_process.py"),
    "clock_jumps": ("Clock: jumps by years", "device/test_clock_jumps.py"),
    "soak": ("Soak", "device/test_soak.py"),
}
LOOK_S = 0.5
PACKAGES = ("focusgate", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "pydantic", "cryptography")


def run_suite(name: str, folder: Path, size: str, progress: Progress, task: TaskID) -> bool:
    """Run one suite; True if pytest is content."""
    out, part = folder / f"{name}.json", folder / f"{name}.json.part"
    for old in (out, part):
        old.unlink(missing_ok=True)
    environment = os.environ | {"FAULTS": size, "FAULTS_OUT": str(out)}
    command = [sys.executable, "-m", "pytest", "--timeout=14400", str(HERE / SUITES[name][1])]
    with (folder / f"{name}.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        while running.poll() is None:
            time.sleep(LOOK_S)
            done = float(part.read_text() or 0) if part.exists() else 0.0
            progress.update(task, completed=min(done, 0.99))
    part.unlink(missing_ok=True)
    progress.update(task, completed=1.0)
    return running.returncode == 0


def made(folder: Path) -> dict[str, dict[str, Any]]:
    """What lies there, in the order of SUITES."""
    found = {name: folder / f"{name}.json" for name in SUITES}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items() if path.exists()}


def table(results: dict[str, dict[str, Any]]) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("what", "tried", "found", "bound", ""):
        shown.add_column(column, justify="right" if column == "tried" else "left", overflow="fold")
    for result in results.values():
        for row in result["rows"]:
            met = "[green]met" if row["met"] else "[red]NOT MET"
            shown.add_row(row["what"], f"{row['tried']:,}", row["figure"], row["bound"], met)
    return shown


def page(results: dict[str, dict[str, Any]]) -> str:
    """docs/risk/faults.md."""
    rows = [row for result in results.values() for row in result["rows"]]
    missed = sum(not row["met"] for row in rows)
    ended = sorted(result["ended"] for result in results.values())
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    missing = [SUITES[name][0] for name in SUITES if name not in results]
    failed = [SUITES[name][0] for name, result in results.items() if not result["passed"]]
    lines = [
        "# Fault injection: the last full run",
        "",
        "Made by `make faults`, which runs every suite of `tests/faults` at full size; `make faults-short` runs them",
        'at the size of the tests. Time is simulated in most of them ("low after 210 ms" is a time of the device); it',
        "is real in the kills and in the freezes of a real process. Stores and logs are real files in memory.",
        "",
        f"- **{len(rows)} promises, {len(rows) - missed} met, {missed} not met.**",
        f"- Suites ended between {ended[0].removesuffix('+00:00')} and {ended[-1].removesuffix('+00:00')} (UTC).",
        f"- Machine: {platform.machine()}, {os.cpu_count()} cores, shared with other work; Linux, nothing of a board.",
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}.",
        *([f"- **Not complete**, without a result here: {'; '.join(missing)}."] if missing else []),
        *([f"- Suites with a test that failed: {', '.join(failed)}."] if failed else []),
    ]
    for name, result in results.items():
        lines += ["", f"## {SUITES[name][0]}", ""]
        lines += ["| what | tried | found | bound | |", "|---|---:|---|---|---|"] if result["rows"] else []
        for row in result["rows"]:
            lines.append(
                f"| {row['what']} | {row['tried']:,} | {row['figure']} | {row['bound']} | "
                f"{'met' if row['met'] else '**not met**'} |"
            )
        lines += [""] if result["rows"] else []
        state = "all passed" if result["passed"] else "**not all passed**"
        lines.append(
            f"`tests/faults/{SUITES[name][1]}`: {result['tests']} tests, {state}; {result['seconds']:,} s, "
            f"ended {result['ended'].removesuffix('+00:00')}."
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("suites", nargs="*", choices=[*SUITES, []], metavar="SUITE", help=", ".join(SUITES))
    options.add_argument("--short", action="store_true", help="at the size of the tests, in some minutes")
    options.add_argument("--report", action="store_true", help="run nothing: table and page of what lies there")
    options.add_argument("--page", type=Path, help="write the table to this page")
    arguments = options.parse_args()
    folder = Path("build") / ("faults-short" if arguments.short else "faults")
    folder.mkdir(parents=True, exist_ok=True)
    console, content = Console(), True
    columns = (
        TextColumn("{task.description:<50}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        names = [] if arguments.report else arguments.suites or list(SUITES)
        tasks = {name: progress.add_task(SUITES[name][0], total=1.0, start=False) for name in names}
        for name, task in tasks.items():
            progress.start_task(task)
            content &= run_suite(name, folder, "short" if arguments.short else "full", progress, task)
    results = made(folder)
    console.print(table(results))
    if arguments.page and results:
        arguments.page.parent.mkdir(parents=True, exist_ok=True)
        arguments.page.write_text(page(results), encoding="utf-8")
    met = all(row["met"] for result in results.values() for row in result["rows"])
    for name in names:
        if not results.get(name, {}).get("passed"):
            console.print(f"{SUITES[name][0]}: a test failed; see {folder / name}.log", style="red")
    return 0 if content and met else 1


if __name__ == "__main__":
    sys.exit(main())
