"""`focusgate doctor` as a person meets it: lines, JSON, exit code, on this very desk."""

from __future__ import annotations

import argparse
import errno
import json
from pathlib import Path

import pytest

from device.commands import doctor
from device.doctor.finding import Finding, State, failure, ok, skipped, warning
from device.doctor.probe import SystemProbe
from device.doctor.subject import subject_of
from models.errors import ExitCode, InputError, ModelError


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["doctor", *words])
    return int(arguments.run(arguments))


@pytest.fixture(autouse=True)
def _a_desk_with_a_model_and_nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CONFIG_FILE", tmp_path / "none.toml")
    monkeypatch.setattr(doctor, "PROFILE_FILE", tmp_path / "none.json")
    monkeypatch.setattr(SystemProbe, "model", lambda _self, _manifest, _keys: "a model")
    monkeypatch.setenv("FOCUSGATE_STORE", str(tmp_path / "not" / "yet" / "made"))


def test_a_desk_passes_and_says_that_it_is_no_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == ExitCode.OK
    out = capsys.readouterr().out
    assert "not a board" in out
    assert "✔ ok" in out
    assert "failure" not in out


def test_json_holds_every_finding_and_the_number_of_failures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: SystemProbe, manifest: Path | None, keys: Path | None) -> str:
        raise ModelError("no model")

    monkeypatch.setattr(SystemProbe, "model", broken)
    assert run("--json") == ExitCode.NOT_PASSED
    found = json.loads(capsys.readouterr().out)
    assert found["failures"] == 1
    assert {"check": "model", "state": "failure", "what": "no model", "mend": "install focusgate anew"} in found[
        "findings"
    ]


def test_a_failure_is_shown_with_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: SystemProbe, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SystemProbe, "write_test", full)
    assert run() == ExitCode.NOT_PASSED
    out = capsys.readouterr().out
    assert "✖ failure" in out
    assert "→ make room" in out


def test_the_test_file_is_written_where_captures_will_be_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == ExitCode.OK
    assert str(tmp_path) in capsys.readouterr().out.replace("\n", "").replace(" ", "")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_configuration_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[gate]\npercent = 9\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"gate\.percent = 9"):
        run("--config", str(path))


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((), ExitCode.OK),
        ((ok("a", "b"), warning("a", "b", "c"), skipped("a", "b")), ExitCode.OK),
        ((ok("a", "b"), failure("a", "b", "c")), ExitCode.NOT_PASSED),
    ],
)
def test_only_a_failure_makes_the_exit_code(findings: tuple[Finding, ...], code: ExitCode) -> None:
    assert doctor.exit_code(findings) is code


def test_a_device_is_a_board_if_its_configuration_asks_for_a_boards_parts(tmp_path: Path) -> None:
    from device.config import Config, FilesCameraConfig, V4l2CameraConfig

    assert not subject_of(Config(), None, tmp_path, None).board
    assert subject_of(Config(camera=V4l2CameraConfig(device=3)), None, tmp_path, None).camera_path == "/dev/video3"
    assert subject_of(Config(camera=FilesCameraConfig(path="x")), None, tmp_path, None).camera_path == "x"


def test_the_real_probe_answers_of_this_system(tmp_path: Path) -> None:
    probe = SystemProbe()
    assert probe.read("/proc/sys/kernel/osrelease")
    assert probe.read(str(tmp_path / "none")) is None
    assert probe.paths("/proc/self/stat*")
    assert probe.run("no-such-command-anywhere") is None
    ran = probe.run("sh", "-c", "echo out; exit 3")
    assert ran is not None
    assert (ran.code, ran.out) == (3, "out")
    assert probe.bits() in (32, 64)
    assert probe.has_module("json")
    assert not probe.has_module("no.such.module")
    assert probe.distribution("pytest")
    assert probe.distribution("no-such-distribution") is None
    assert probe.groups_of("root") is not None
    assert probe.groups_of("nobody-of-this-name") is None
    assert probe.age_days(str(tmp_path)) is not None
    assert probe.age_days(str(tmp_path / "none")) is None
    written = probe.write_test(tmp_path)
    assert written.mb_per_s > 0
    assert written.free_bytes > 0


def test_a_command_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.doctor.probe.RUN_LIMIT_S", 0.05)
    ran = SystemProbe().run("sleep", "20")
    assert ran is not None
    assert ran.code == 124


def test_states_are_words_in_json() -> None:
    assert json.dumps(State.FAILURE) == '"failure"'
