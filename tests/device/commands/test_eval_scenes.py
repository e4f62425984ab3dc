"""`focusgate scenes` prints the same figures as tables, as JSON and as a page, and refuses what it cannot do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from device.commands import eval_scenes
from models.errors import ExitCode, InputError

Capsys = pytest.CaptureFixture[str]
QUICK = ("--scenes", "2", "--frames", "2", "--size", "192x160", "--workers", "1", "--unsigned")


def run(*words: str | Path) -> int:
    top = argparse.ArgumentParser()
    eval_scenes.add_parser(top.add_subparsers(required=True))
    arguments = top.parse_args(["scenes", *map(str, words)])
    return int(arguments.run(arguments))


def test_the_tables_name_goals_and_conditions_and_the_page_is_written(
    tiny: Path, tmp_path: Path, capsys: Capsys
) -> None:
    assert run(*QUICK, "--model", tiny, "--html", tmp_path / "page.html") == ExitCode.OK
    shown = capsys.readouterr().out
    for text in ("tiny 1.0", "4 frames of 2 random scenes, 192×160 px", "met", "f-number", "glare", "true fraction"):
        assert text in shown
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in page


def test_json_holds_every_figure_and_frame(tiny: Path, capsys: Capsys) -> None:
    assert run(*QUICK, "--model", tiny, "--json", "--criterion-px", "3", "--threshold", "0.4") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["criterion_px"], found["threshold"], found["frames"]) == (3.0, 0.4, 4)
    assert len(found["records"]) == 4
    assert len(found["goals"]) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "big"), "is no size"),
        (("--size", "0x100"), "is no size"),
        (("--size", "96x96"), "a side of 96 is not possible; allowed: 128 to 8192"),
        (("--scenes", "0"), "allowed: 1 to"),
        (("--frames", "0"), "allowed: 1 to"),
        (("--workers", "0"), "allowed: 1 to 256"),
        (("--seed", "-1"), "allowed: 0 to"),
        (("--criterion-px", "99"), "knows radii"),
        (("--threshold", "90"), "allowed are probabilities"),
        (("--html", "no/such/page.html"), "its folder does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(words: tuple[str, str], said: str, tiny: Path) -> None:
    with pytest.raises(InputError, match=said):
        run(*QUICK, "--model", tiny, *words)


def test_a_page_that_cannot_be_written_is_one_line(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        run(*QUICK, "--model", tiny, "--html", tmp_path / "page.html")
