"""Mutants of the safety core against their nearest tests: `make mutate` for all, and a page of what came of it.

    python tests/mutation/run.py [--only PATH] [--page docs/risk/mutation.md] [--sample N --seed S]

Each result is kept in build/mutation.jsonl: a mutant that was killed is not tried again until its module changes (after
a test was taken away, --fresh forgets them all); one that survived is tried anew. Ends with 1 if one survived that
docs/risk/mutants.toml does not list as equivalent.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from in_place import survivors, within_a_function  # noqa: E402 - beside this file
from mutants import Mutant, mutants  # noqa: E402
from trial import limit_s, passes, prepare  # noqa: E402

EQUIVALENT = "docs/risk/mutants.toml"
VALUES = "tests/device/test_core_values.py"
EDGES = "tests/device/test_core_edges.py"
STORE = "tests/device/store/"
ALONE = "--noconftest"  # for tests that need nothing of the device: its imports take longer than they do
NEAREST: Mapping[str, Sequence[str]] = {
    "device/gate.py": (ALONE, VALUES, EDGES, "tests/device/test_gate.py"),
    "device/debounce.py": (ALONE, VALUES, "tests/device/test_debounce.py"),
    "device/lease.py": (ALONE, VALUES, "tests/device/test_lease_lamp.py", "tests/device/test_guard_state.py"),
    "device/guard_state.py": (ALONE, VALUES, "tests/device/test_guard_state.py"),
    "device/audit/chain.py": (ALONE, VALUES, EDGES, "tests/device/audit/test_chain.py"),
    "device/store/records.py": (f"{STORE}test_records.py", f"{STORE}test_record_edges.py"),
    "device/store/writer.py": (
        f"{STORE}test_store.py",
        f"{STORE}test_writer_edges.py",
        f"{STORE}test_repair.py",
        f"{STORE}test_deletion.py",
        f"{STORE}test_private.py",
        f"{STORE}test_sealing.py",
        "tests/faults/test_store_faults.py",
    ),
}


@dataclass(frozen=True)
class Result:
    """What came of one mutant: "killed", "survived" or "equivalent" (survived, and is listed)."""

    path: str
    source: str  # SHA-256 of the module
    line: int
    was: str
    now: str
    outcome: str

    def of(self) -> tuple[object, ...]:
        """Which mutant it is."""
        return self.path, self.source, self.line, self.was, self.now


Known = Mapping[tuple[object, ...], Result]


def listed(root: Path) -> dict[tuple[str, str, str], str]:
    """The changes that are no change of what the module does, with the reason: (path, was, now)."""
    entries = tomllib.loads((root / EQUIVALENT).read_text(encoding="utf-8")).get("equivalent", [])
    return {(one["module"], one["was"], now): one["reason"] for one in entries for now in one["now"]}


def judge(chosen: Sequence[Mutant], root: Path, known: Known, keep: Path | None) -> list[Result]:
    """Try each mutant that is not known to be killed. Raises RuntimeError if the tests fail without any mutant."""
    results, todo, seen = list[Result](), list[tuple[Mutant, Result]](), set[str]()
    for mutant in chosen:
        if mutant.mutated not in seen:  # another operator may make the same change
            seen.add(mutant.mutated)
            digest = hashlib.sha256(mutant.source.encode()).hexdigest()
            result = Result(mutant.path, digest, mutant.line, *mutant.change, "killed")
            if known.get(result.of()) == result:
                results.append(result)
            else:
                todo.append((mutant, result))
    equal = listed(root)
    for path in NEAREST:
        for result, survived in _tried([one for one in todo if one[0].path == path], path, root):
            outcome = "killed"
            if survived:
                outcome = "equivalent" if (result.path, result.was, result.now) in equal else "survived"
            results.append(replace(result, outcome=outcome))
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(results[-1])) + "\n")
            if outcome == "survived":
                _say(f"{result.path}:{result.line} SURVIVED\n  {result.was}\n  {result.now}")
    return results


def _tried(todo: Sequence[tuple[Mutant, Result]], path: str, root: Path) -> Iterator[tuple[Result, bool]]:
    """Each with whether it survived; what is no Python is left out."""
    tests = NEAREST[path]
    coded = [(mutant, result, code) for mutant, result in todo if (code := mutant.code()) is not None]
    quick = [one for one in coded if within_a_function(one[0])]
    if quick:
        found = survivors(path, [code for _, _, code in quick], tests, root)
        yield from ((result, survived) for (_, result, _), survived in zip(quick, found, strict=True))
    slow = [one for one in coded if not within_a_function(one[0])]
    if slow:
        original = compile(slow[0][0].source, path, "exec", dont_inherit=True)
        well, spent_s = passes(path, original, tests, root)
        if not well:
            raise RuntimeError(f"{path}: its tests fail without any mutant")
        for _, result, code in slow:
            yield result, passes(path, code, tests, root, limit_s(spent_s))[0]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def page(results: Sequence[Result], root: Path) -> str:
    """docs/risk/mutation.md."""
    reasons = listed(root)
    lines = [
        "# Mutation tests of the safety core",
        "",
        f"`make mutate` of {datetime.now(UTC):%Y-%m-%d}, cosmic-ray {version('cosmic-ray')}, Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}. Each mutant is one small change of one module; the module's",
        "nearest tests must fail on it, or the change is listed as equivalent, with its reason, in",
        "[mutants.toml](mutants.toml). Annotations that nothing reads are not mutated; the same change by two",
        "operators counts once; what is no Python does not count. A mutant that needs more than twice the CPU time",
        "of the original and one second counts as killed.",
        "",
        "| module | mutants | killed | equivalent | survived | nearest tests |",
        "|---|---:|---:|---:|---:|---|",
    ]
    total: Counter[str] = Counter()
    for path, tests in NEAREST.items():
        found = Counter(one.outcome for one in results if one.path == path)
        total += found
        if not found:
            lines.append(f"| `{path}` | not tried in this run | | | | |")
            continue
        names = ", ".join(f"`{Path(test).name}`" for test in tests if test != ALONE)
        lines.append(f"| `{path}` {_counts(found)} {names} |")
    lines += [f"| all {_counts(total)} |", ""]
    lines += ["## Equivalent", ""] if total["equivalent"] else []
    for one in results:
        if one.outcome == "equivalent":
            lines += [f"- `{one.path}`: `{one.was}` → `{one.now}`: {reasons[one.path, one.was, one.now]}"]
    return "\n".join(lines).rstrip() + "\n"


def _counts(found: Counter[str]) -> str:
    return f"| {found.total()} | {found['killed']} | {found['equivalent']} | {found['survived']} |"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Mutation tests of the safety core.")
    parser.add_argument("--only", choices=NEAREST, action="append", help="this module, more than once if need be")
    parser.add_argument("--page", type=Path, help="write the report here")
    parser.add_argument("--fresh", action="store_true", help="try again what was killed before")
    parser.add_argument("--sample", type=int, help="only so many mutants, and keep no results")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    arguments = parser.parse_args(words)
    keep = ROOT / "build" / "mutation.jsonl"
    keep.parent.mkdir(exist_ok=True)
    forget = arguments.fresh or arguments.sample or not keep.exists()
    before = [] if forget else keep.read_text(encoding="utf-8").splitlines()
    known = {result.of(): result for result in (Result(**json.loads(line)) for line in before)}
    chosen = [one for path in arguments.only or NEAREST for one in mutants(path, ROOT)]
    if arguments.sample:
        chosen = random.Random(arguments.seed).sample(chosen, arguments.sample)
    prepare(whole=any(ALONE not in NEAREST[one.path] for one in chosen))
    results = judge(chosen, ROOT, known, None if arguments.sample else keep)
    for outcome, count in sorted(Counter(one.outcome for one in results).items()):
        _say(f"{outcome:<12}{count:>6}")
    if arguments.page:
        arguments.page.write_text(page(results, ROOT), encoding="utf-8")
    return int(any(one.outcome == "survived" for one in results))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
