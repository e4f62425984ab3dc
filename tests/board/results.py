"""Prints what a run on the virtual board or processor found, as tables; exit code 1 if a check failed or none ran.

results.py FILE [--checks N]                      tables of one run
results.py --page PAGE.md BOARD.jsonl ARM.jsonl   both runs, between the marks in docs/board.md
results.py --record FILE KIND NAME [VALUE …]      add to FILE what a shell script found

A file holds one JSON object a line, with a "kind":
  {"kind": "run", "name", "date", "commit", "seconds"}
  {"kind": "check", "name", "passed", "detail", "seconds"}
  {"kind": "latency", "name", "values_ms", "bound_ms"}
  {"kind": "count", "name", "values": {"column": number}}
  {"kind": "version", "name", "detail"}
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import sys
from pathlib import Path
from typing import Any

DETAIL_WIDTH = 110
GOAL_MILLIONS = 75  # instructions a frame on a Cortex-A72
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
HEAD = """Written by `make board-results` from the last `make board-test` and `make arm-test`; not to be edited.
"""
BOARD = """### The board

Debian trixie with its stock kernel and systemd on a PC that is emulated, every instruction of it: kernel GPIO, the real
RPi.GPIO interface, libcamera and picamera2 with its virtual camera, and this project installed as a user installs it.
Its clock counts its own instructions, 500 million a second on one core, which is a fraction of what a Pi 4 does on
four; so latencies are upper bounds, whatever else the host does. What is allowed is the device's own limit. How long
the run took says how busy its host was; the processor time, among the versions, is what an idle one would need.
"""
ARM = """### The processor

The aarch64 wheels that a board installs, for Python 3.13, under qemu-user as a Cortex-A72 (Raspberry Pi 4) and an A76
(Pi 5). Results and instruction counts are right; times mean nothing. Counts are of one 2592×1944 frame, in millions;
the goal for the model is {goal} million on the A72.
"""
Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """The records of `path`; lines that are torn (a guest that died while writing) are left out."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "kind" in record:
            records.append(record)
    return records


def tables(records: list[Record]) -> list[list[list[str]]]:
    """One table a kind: rows of cells, the first row being the heading. Kinds without records have no table."""
    found = []
    runs = [
        [record["name"], record["date"], record["commit"], f"{record['seconds'] / 60:.0f} min"]
        for record in records
        if record["kind"] == "run"
    ]
    found.append([["run", "date", "commit", "took"], *runs])
    checks = [
        [record["name"], "ok" if record["passed"] else "FAILED", f"{record['seconds']:.1f}", record["detail"]]
        for record in records
        if record["kind"] == "check"
    ]
    found.append([["check", "", "s", "seen"], *checks])
    latencies = [
        [record["name"], *_spread(record["values_ms"]), "" if record["bound_ms"] is None else f"{record['bound_ms']:g}"]
        for record in records
        if record["kind"] == "latency"
    ]
    found.append([["latency, ms", "of", "median", "largest", "allowed"], *latencies])
    counts = [record for record in records if record["kind"] == "count"]
    if counts:
        columns = list(counts[0]["values"])
        rows = [[record["name"], *(f"{record['values'].get(column, '')}" for column in columns)] for record in counts]
        found.append([["million instructions a frame", *columns], *rows])
    versions = [[record["name"], record["detail"]] for record in records if record["kind"] == "version"]
    found.append([["what", "version"], *versions])
    return [table for table in found if len(table) > 1]


def _spread(values: list[float]) -> list[str]:
    return [str(len(values)), f"{statistics.median(values):.1f}", f"{max(values):.1f}"] if values else ["0", "", ""]


def plain(table: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    widths[-1] = 0
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in table)


def markdown(table: list[list[str]]) -> str:
    heading, *rows = (["".join(c if c != "|" else "/" for c in cell) for cell in row] for row in table)
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def total(records: list[Record]) -> str:
    checks = [bool(record["passed"]) for record in records if record["kind"] == "check"]
    return f"{sum(checks)} of {len(checks)} checks passed"


def page(board: list[Record], arm: list[Record]) -> str:
    """Both runs, in Markdown."""
    parts = [HEAD]
    for introduction, records in ((BOARD, board), (ARM.format(goal=GOAL_MILLIONS), arm)):
        parts += [introduction, f"{total(records)}.\n", *(markdown(table) + "\n" for table in tables(records))]
    return "\n".join(parts)


def recorded(kind: str, name: str, values: list[str]) -> Record:
    """One record from words of a shell script. Raises ValueError if they are not of this kind."""
    match kind, values:
        case "version", [detail]:
            return {"kind": "version", "name": name, "detail": detail}
        case "run", [commit, seconds]:
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            return {"kind": "run", "name": name, "date": today, "commit": commit, "seconds": float(seconds)}
        case "check", [result, detail, seconds]:
            return {
                "kind": "check",
                "name": name,
                "passed": result == "passed",
                "detail": detail,
                "seconds": float(seconds),
            }
        case "count", [counts]:
            return {"kind": "count", "name": name, "values": json.loads(counts)}
        case "model", [said, seconds]:
            found = json.loads(said)
            detail = "golden vectors and outputs differ by {golden} and {worst} of what is allowed".format(**found)
            passed = max(found["golden"], found["worst"]) <= 1.0
            return {"kind": "check", "name": name, "passed": passed, "detail": detail, "seconds": float(seconds)}
    raise ValueError(f"{kind} does not go with {len(values)} values")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="FILE", help="what to read; with --record: KIND NAME [VALUE …]")
    parser.add_argument("--checks", type=int, default=1, help="at least so many checks must have run")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--page", type=Path, help="write two files, of the board and of the processor, into it")
    where.add_argument("--record", type=Path, help="add a record to this file")
    options = parser.parse_args(arguments)
    if options.record:
        kind, name, *values = options.words
        with options.record.open("a", encoding="utf-8") as out:
            out.write(json.dumps(recorded(kind, name, values), ensure_ascii=False) + "\n")
        return 0
    if options.page:
        board, arm = (read(Path(word)) for word in options.words)
        before, _, rest = options.page.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        options.page.write_text(f"{before}{BEGIN}\n{page(board, arm)}{END}{after}", encoding="utf-8")
        return 0
    records = [record for word in options.words for record in read(Path(word))]
    for record in records:
        if record["kind"] == "check":
            record["detail"] = str(record["detail"])[:DETAIL_WIDTH]
    sys.stdout.write("\n\n".join(plain(table) for table in tables(records)) + f"\n\n{total(records)}")
    checks = [bool(record["passed"]) for record in records if record["kind"] == "check"]
    if len(checks) < options.checks:
        sys.stdout.write(f"; at least {options.checks} are due: the run ended early")
    sys.stdout.write("\n")
    return 0 if all(checks) and len(checks) >= options.checks else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
