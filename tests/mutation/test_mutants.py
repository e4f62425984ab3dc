"""The short form of `make mutate`: some mutants of the core, the same ones each time, all noticed by its tests."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LISTED = tomllib.loads((ROOT / "docs" / "risk" / "mutants.toml").read_text(encoding="utf-8"))["equivalent"]
SAMPLE, SEED = 30, 1
CORE = ("device/debounce.py", "device/lease.py", "device/guard_state.py")  # the gate follows when all of it was tried


def test_of_a_sample_of_mutants_of_the_core_the_tests_notice_every_one() -> None:
    pytest.importorskip("cosmic_ray", reason="cosmic-ray is not installed")
    only = [word for path in CORE for word in ("--only", path)]
    command = [sys.executable, "tests/mutation/run.py", "--sample", str(SAMPLE), "--seed", str(SEED), *only]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: f"{entry['module']}: {entry['was']}")
def test_every_change_that_is_listed_as_equivalent_is_of_a_line_that_there_is(entry: dict[str, Any]) -> None:
    assert entry.keys() == {"module", "was", "now", "reason"}
    lines = (ROOT / str(entry["module"])).read_text(encoding="utf-8").splitlines()
    assert str(entry["was"]) in [line.strip() for line in lines]
    assert entry["was"] not in list(entry["now"])
    assert str(entry["reason"])
