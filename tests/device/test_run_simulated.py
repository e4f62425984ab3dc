"""The whole device on the simulated colposcope with the shipped model, at full size, on a fake clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.cli import main
from device.store import CaptureRecord, read_listing, read_record
from models.verdict import VerdictKind

SECONDS = 12  # one approach, overshoot, return and hold of the simulated hand


@dataclass(frozen=True)
class Run:
    """What one run left behind."""

    trace: list[dict[str, object]]
    captures: list[tuple[CaptureRecord, Path]]


def run(folder: Path, script: str, *options: str) -> Run:
    """`focusgate run --camera simulated --instant` with this script."""
    (folder / "script.txt").write_text(script)
    files = {"--script": "script.txt", "--trace": "trace.jsonl", "--store": "store"}
    named = [word for option, name in files.items() for word in (option, str(folder / name))]
    code = main(["run", "--camera", "simulated", "--instant", "--seconds", str(SECONDS), *named, *options])
    assert code == 0
    listing = read_listing(folder / "store")
    paths = [listing.path(entry) for entry in listing.entries]
    lines = (folder / "trace.jsonl").read_text().splitlines()
    return Run([json.loads(line) for line in lines], [(read_record(path), path) for path in paths])


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without a press."""
    return run(tmp_path_factory.mktemp("quiet"), "# nothing is pressed\n")


def first(trace: list[dict[str, object]], *, enabled: bool, after_s: float = 0.0) -> float:
    """When the gate was first so, for a press well inside."""
    times = [float(str(line["t_s"])) for line in trace if line["enabled"] is enabled]
    return next(at_s for at_s in times if at_s >= after_s)


def test_the_gate_opens_and_closes(quiet: Run) -> None:
    assert {line["enabled"] for line in quiet.trace} == {True, False}


def test_it_is_open_only_while_the_true_in_focus_fraction_is_high(quiet: Run) -> None:
    truths = [float(str(line["true_fraction"])) for line in quiet.trace if line["enabled"]]
    assert min(truths) >= 0.8
    assert sum(truths) / len(truths) >= 0.95


def test_it_is_closed_while_hardly_anything_is_truly_in_focus(quiet: Run) -> None:
    blurred = [line for line in quiet.trace if float(str(line["true_fraction"])) < 0.5]
    assert blurred
    assert not any(line["enabled"] for line in blurred)


def test_a_run_is_repeatable_frame_by_frame(quiet: Run, tmp_path: Path) -> None:
    again = run(tmp_path, "# nothing is pressed\n", "--seconds", "3")
    assert again.trace == quiet.trace[: len(again.trace)]


def test_a_press_while_open_saves_one_image_whose_own_pixels_pass_check(
    quiet: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at_s = first(quiet.trace, enabled=True) + 0.05
    after = run(tmp_path, f"{at_s:.2f} capture\n")
    ((record, path),) = after.captures
    assert (record.verdict, record.override) == (VerdictKind.PASS, False)
    capsys.readouterr()
    profile_free = main(["check", str(path), "--json"])
    said = json.loads(capsys.readouterr().out.splitlines()[0])
    assert record.evidence is not None
    assert said["model"]["sha256"] == record.evidence.model_sha256
    assert profile_free == 0, said["reason"]


def test_a_press_while_closed_saves_nothing(quiet: Run, tmp_path: Path) -> None:
    at_s = first(quiet.trace, enabled=False, after_s=0.3)
    assert run(tmp_path, f"{at_s + 0.05:.2f} capture\n", "--seconds", "3").captures == []


def test_an_override_saves_one_image_marked_so(tmp_path: Path) -> None:
    after = run(tmp_path, "0.1 override 1.7\n2.0 capture\n", "--seconds", "4")
    ((record, _),) = after.captures
    assert record.override
    assert record.verdict is not None
