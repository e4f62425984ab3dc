"""`focusgate calibrate verify`: one picture of the chart says whether a device still is what was calibrated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calibration.optics import chart_result, surroundings_of
from calibration.profile import FieldSection, Profile, ReferenceSection
from calibration.profile_file import encode_profile
from device.calibrating.rig import Scene, Shot
from device.calibrating.unit_rig import UnitRig
from device.cli import main

SEED, WIDTH, HEIGHT = 3, 1296, 972


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the device of SEED, with what one picture of the chart said on the day."""
    rig = UnitRig(SEED, width=WIDTH, height=HEIGHT)
    around = surroundings_of(*([rig.take(Scene(what)).luma for _ in range(2)] for what in ("dark", "white")))
    found = chart_result(rig.take(Scene("chart")).luma, around)
    now = datetime.now(UTC).replace(microsecond=0)
    made = Profile(
        schema=2,
        name="unit 3",
        device_serial=rig.info.serial,
        camera_id=rig.info.camera_id,
        model_sha256="0" * 64,
        operator="technician",
        made_at=now,
        expires_at=now + timedelta(days=100),
        field=FieldSection(centre_x_px=600.0, centre_y_px=500.0, radius_px=400.0),
        reference=ReferenceSection(score_mean=0.9, mtf50=found.mtf50, um_per_px=found.view.um_per_px),
    )
    path = tmp_path_factory.mktemp("profile") / "profile.json"
    path.write_bytes(encode_profile(made))
    return path


def verified(profile: Path, folder: Path, seed: int = SEED) -> int:
    device = ["--camera", "simulated", "--unit-seed", str(seed), "--size", f"{WIDTH}x{HEIGHT}", "--work", str(folder)]
    return main(["calibrate", "verify", *device, "--profile", str(profile)])


def test_a_device_that_is_as_it_was_passes(profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(profile, tmp_path) == 0
    said = capsys.readouterr().out
    assert "the device behaves as calibrated" in said
    assert said.count("ok    ") == 2


def test_a_lens_that_has_moved_fails_by_its_resolution(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take = UnitRig.take

    def moved(self: UnitRig, scene: Scene, **options: float) -> Shot:
        return take(self, replace(scene, distance_mm=scene.distance_mm + 4.0), **options)

    monkeypatch.setattr(UnitRig, "take", moved)
    assert verified(profile, tmp_path) == 1
    said = capsys.readouterr().out
    assert "FAILED resolution (MTF50)" in said
    assert "the device has changed" in said


def test_the_profile_of_another_device_is_refused(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(profile, tmp_path, seed=SEED + 1) == 2
    assert "made for device SIM-00003, found SIM-00004" in capsys.readouterr().err
