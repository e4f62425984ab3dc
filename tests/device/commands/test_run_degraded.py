"""`focusgate run` on a device that lacks something: it goes on where an override can, and else ends with a code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device.cli import main
from models.errors import ExitCode


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as it may end itself."""
    command = [sys.executable, "-m", "device", "run", "--plain", "--seconds", "1", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_a_model_and_without_a_folder_for_captures_it_runs_and_says_both(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "focusgate.toml"
    config.write_text(
        f"[model]\nmanifest = '{tmp_path}/none.json'\n[camera]\nkind = 'simulated'\nwidth = 640\nheight = 480\n"
    )
    ran = run("--config", str(config), "--store", str(tmp_path / "file" / "store"))
    assert ran.returncode == ExitCode.OK, ran.stderr
    assert "FG-201" in ran.stderr
    assert "FG-304" in ran.stderr
    assert "fault: FG-" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--camera", "files:/nowhere/at/all"], ExitCode.CAMERA, "focusgate: FG-103 "),
        (["--camera", "infrared"], ExitCode.USAGE, "focusgate: FG-601 --camera infrared: no such camera"),
    ],
)
def test_an_end_has_its_code_in_the_one_line_that_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: ExitCode, said: str
) -> None:
    assert main(["run", *words, "--store", str(tmp_path / "store")]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)
