"""`focusgate config check` says what is wrong with a file, also between its sections."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from device.commands import config
from models.errors import ExitCode, InputError


def run(*words: str) -> int:
    top = argparse.ArgumentParser()
    config.add_parser(top.add_subparsers(required=True))
    arguments = top.parse_args(["config", *words])
    return int(arguments.run(arguments))


def test_a_right_file_is_called_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[gate]\npercent = 95\n", encoding="utf-8")
    assert run("check", str(path)) == ExitCode.OK
    assert "right" in capsys.readouterr().out


def test_one_line_wanted_by_two_parts_is_named_before_the_device_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[pins]\nkind = "rpi"\ncapture = 17\noverride = 17\n', encoding="utf-8")
    with pytest.raises(InputError, match="17"):
        run("check", str(path))


def test_explain_lists_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain") == ExitCode.OK
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("camera.", "gate.percent", "model.trusted", "pins.", "aperture.", "store."))
