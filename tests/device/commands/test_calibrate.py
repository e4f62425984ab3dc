"""The command line of calibration: help with examples, single steps, profiles shown, compared and checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calibration.profile import FieldSection, Profile
from calibration.profile_file import encode_profile
from device.cli import main
from device.commands.calibrate import STEP_HELP
from device.profile_store import install_profile
from models.manifest import load_manifest
from models.onnx_classifier import shipped_manifest


def profile_of(**changed: object) -> Profile:
    now = datetime.now(UTC).replace(microsecond=0)
    values: dict[str, object] = {
        "schema": 2,
        "name": "unit 7",
        "device_serial": "dev-7",
        "camera_id": "cam-a",
        "model_sha256": load_manifest(shipped_manifest()).sha256,
        "operator": "technician",
        "made_at": now,
        "expires_at": now + timedelta(days=100),
        "field": FieldSection(centre_x_px=1000.0, centre_y_px=900.0, radius_px=800.0),
    }
    return Profile(**(values | changed))  # type: ignore[arg-type]


def said(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(argv)
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.parametrize(
    "action", ["", "chart", *STEP_HELP, "run", "verify", "finish", "report", "show", "diff", "check"]
)
def test_every_action_has_help(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["calibrate", *([action] if action else []), "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "usage: focusgate calibrate" in out
    assert action or "examples:" in out


def test_a_step_alone_says_what_it_found_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "work"
    device = ["--camera", "simulated", "--unit-seed", "3", "--size", "448x384", "--work", str(work)]
    code, out, _ = said(["calibrate", "field", *device], capsys)
    assert code == 0
    assert "The field's middle is at" in out
    assert (work / "calibration.json").exists()
    code, _, err = said(["calibrate", "threshold", *device], capsys)
    assert code == 2
    assert "run 'focusgate calibrate scale' first" in err
    code, _, err = said(["calibrate", "finish", "--operator", "x", "--work", str(work)], capsys)
    assert code == 2
    assert "the step scale is missing" in err
    code, out, _ = said(["calibrate", "report", "--work", str(work), "--out", str(tmp_path / "r.html")], capsys)
    assert code == 0
    assert "Field of view" in (tmp_path / "r.html").read_text()
    code, _, err = said(["calibrate", "field", *device[:2], "--unit-seed", "4", *device[4:]], capsys)
    assert code == 2
    assert "holds the calibration of device SIM-00003" in err


def test_a_size_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(["calibrate", "field", "--size", "12", "--work", str(tmp_path)], capsys)
    assert code == 2
    assert err.count("\n") == 1
    assert "as in 1296x972" in err


def test_profiles_are_shown_with_those_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "profile.json"
    install_profile(path, encode_profile(profile_of()), None)
    install_profile(path, encode_profile(profile_of(criterion_px=2.2, criterion_source="s")), None)
    code, out, _ = said(["calibrate", "show", str(path)], capsys)
    assert code == 0
    assert "criterion_px" in out
    assert "profile.0001.json" in out
    before, after = str(tmp_path / "profile.0001.json"), str(tmp_path / "profile.0002.json")
    code, out, _ = said(["calibrate", "diff", before, after], capsys)
    assert code == 1
    assert "2.2" in out
    assert said(["calibrate", "diff", before, before], capsys)[:2] == (0, "no difference\n")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_sha256": "0" * 64}, "made for model"),
        (
            {"made_at": datetime(2020, 1, 1, tzinfo=UTC), "expires_at": datetime(2020, 6, 1, tzinfo=UTC)},
            "expired on 2020-06-01",
        ),
    ],
)
def test_check_refuses_what_the_device_would(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, object],
    message: str,
) -> None:
    monkeypatch.setattr("device.commands.calibrate_profiles.Origin", ClockSet)
    path = tmp_path / "p.json"
    path.write_bytes(encode_profile(profile_of()))
    code, out, _ = said(["calibrate", "check", str(path)], capsys)
    assert code == 0
    assert "may be used" in out
    path.write_bytes(encode_profile(profile_of(**changed)))
    code, _, err = said(["calibrate", "check", str(path)], capsys)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_check_of_a_torn_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(encode_profile(profile_of())[:100])
    code, _, err = said(["calibrate", "check", str(path)], capsys)
    assert code == 2
    assert "calibrate anew" in err
    assert err.count("\n") == 1


class ClockSet:
    """A machine whose clock a time server has set."""

    def wall_now(self) -> datetime:
        return datetime.now(UTC)

    def synchronised(self) -> bool:
        return True
