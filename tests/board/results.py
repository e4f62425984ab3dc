"""Prints what a run on the virtual board or processor found, as a table; exit code 1 if a check failed or none ran.

results.py FILE [--markdown] [--checks N]: FILE holds one JSON object a line, with a "kind":
  {"kind": "check", "name", "passed", "detail", "seconds"}
  {"kind": "latency", "name", "values_ms", "bound_ms"}
  {"kind": "count", "name", "values": {"column": number}}
  {"kind": "version", "name", "detail"}
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

DETAIL_WIDTH = 110
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--markdown", action="store_true", help="tables as docs/board-results.md has them")
    parser.add_argument("--checks", type=int, default=1, help="at least so many checks must have run")
    options = parser.parse_args(arguments)
    records = read(options.file)
    shape = markdown if options.markdown else plain
    if not options.markdown:
        for record in records:
            if record["kind"] == "check":
                record["detail"] = str(record["detail"])[:DETAIL_WIDTH]
    sys.stdout.write("\n\n".join(shape(table) for table in tables(records)) + "\n")
    checks = [bool(record["passed"]) for record in records if record["kind"] == "check"]
    sys.stdout.write(f"\n{sum(checks)} of {len(checks)} checks passed")
    if len(checks) < options.checks:
        sys.stdout.write(f"; at least {options.checks} are due: the run ended early")
    sys.stdout.write("\n")
    return 0 if all(checks) and len(checks) >= options.checks else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
