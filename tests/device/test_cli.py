"""The console script: one line and a documented exit code, whatever happens."""

from __future__ import annotations

import argparse

import pytest

from device import cli
from models.errors import CameraError, ExitCode


def ends(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> int:
    """Run a command that ends so."""

    def run(_: argparse.Namespace) -> int:
        if error is not None:
            raise error
        return ExitCode.NOT_PASSED

    parser = argparse.ArgumentParser()
    parser.set_defaults(run=run)
    monkeypatch.setattr(cli, "parser", lambda: parser)
    return cli.main([])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 1, ""),
        (CameraError("camera x: gone; plug it in"), 3, "focusgate: camera x: gone; plug it in\n"),
        (KeyboardInterrupt(), 130, "focusgate: interrupted\n"),
    ],
)
def test_what_is_known_is_one_line_and_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException | None,
    code: int,
    said: str,
) -> None:
    assert ends(monkeypatch, error) == code
    assert capsys.readouterr().err == said


def test_a_defect_is_never_taken_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, ZeroDivisionError("oops")) == ExitCode.INTERNAL
    told = capsys.readouterr().err
    assert "ZeroDivisionError: oops" in told
    assert told.splitlines()[-1].startswith("focusgate: a defect of focusgate itself")


def test_every_command_helps_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["run", "--help"], ["check", "--help"]):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == 0
        assert "examples:" in capsys.readouterr().out
