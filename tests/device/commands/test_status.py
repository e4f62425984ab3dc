"""`focusgate status`: the state in words, and never an old one."""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.clock import SECOND
from device.commands import status
from device.gate import GateState, Mode
from device.pins.protocol import Lamp
from device.status import Status
from device.status_file import write_status
from models.errors import ExitCode
from models.focusmap import Cause, FocusMap, TileGrid


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    status.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["status", *words])
    return int(arguments.run(arguments))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = FocusMap(
        grid=TileGrid.of(64, 64, 16),
        blur_px=np.zeros((4, 4), np.float32),
        p_in_focus=np.ones((4, 4), np.float32),
        cause=np.full((4, 4), Cause.JUDGED, np.uint8),
        criterion_px=1.5,
        threshold=0.5,
        model_name="m",
        model_sha256="ab" * 32,
    )
    says = Status(
        gate=GateState(mode=Mode.OPEN, reason=""),
        lamp=Lamp.OPEN,
        shutter_high=True,
        focus_map=found,
        f_number=5.6,
        saved=2,
        refused=1,
        last_message="saved 1234",
    )
    write_status(tmp_path / "status.json", says, time.monotonic_ns() + 60 * SECOND)  # new however slow this machine
    return tmp_path / "status.json"


def test_the_state_comes_first_and_in_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", str(path)) == ExitCode.OK
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "open"
    assert "enabled, lamp open" in said[1]
    assert "100 % (16 of 16 judged tiles)" in said[2]
    assert "aperture   f/5.6" in said
    assert "captures   2 saved, 1 refused; last: none" in said
    assert said[-1] == "message    saved 1234"


def test_json_is_one_object(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", str(path), "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["mode"], found["fraction"], found["stale"]) == ("open", 1.0, None)


def test_an_old_state_is_not_shown_as_the_state(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_status(path, Status(gate=GateState(mode=Mode.OPEN)), time.monotonic_ns() - 600 * SECOND)
    assert run("--file", str(path)) == ExitCode.NOT_PASSED
    said = capsys.readouterr()
    assert "open" not in said.out
    assert re.search(r"last written 6\d+ s ago", said.err)
    assert "not known" in said.err


def test_an_old_state_in_json_says_that_it_is_old(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_status(path, replace(Status(), saved=7), time.monotonic_ns(), "another-boot")
    assert run("--file", str(path), "--json") == ExitCode.NOT_PASSED
    assert "last start" in json.loads(capsys.readouterr().out)["stale"]


def test_without_a_file_the_service_is_not_running_and_the_line_says_how_to_start_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--file", str(tmp_path / "none.json")) == ExitCode.NOT_PASSED
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "systemctl start focusgate" in said.err


def test_every_code_is_told_with_the_command_that_explains_it(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = Status(
        gate=GateState(mode=Mode.FAULT, reason="FG-101 camera gone; FG-302 no disk"),
        notices=("FG-305 fewer than 100 captures fit",),
    )
    write_status(path, says, time.monotonic_ns() + 60 * SECOND)
    assert run("--file", str(path)) == ExitCode.OK
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "fault: FG-101 camera gone; FG-302 no disk"
    assert "notice     FG-305 fewer than 100 captures fit" in said
    assert said[-3:] == [f"more       focusgate explain FG-{number}" for number in (101, 302, 305)]
    assert run("--file", str(path), "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["notices"] == ["FG-305 fewer than 100 captures fit"]
