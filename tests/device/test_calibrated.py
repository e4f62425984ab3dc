"""A run and its profile: what is used, what is refused, what it changes, and drift in use."""

from __future__ import annotations

import argparse
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from calibration.darkness import judging_at
from calibration.drift import START
from calibration.profile import (
    ApertureSection,
    FieldSection,
    GainNoise,
    NoiseSection,
    Profile,
    ReferenceSection,
)
from calibration.profile_file import encode_profile
from device.calibrated import DriftWatch, profile_in_force, with_profile
from device.calibrating import identity
from device.calibrating.identity import device_serial
from device.clock import FakeClock
from device.commands.run import _calibration
from device.config import Config, parse_config
from device.config_board import ServoApertureConfig
from device.frame import ExposureInfo, Frame
from device.gate import GateState, Mode
from device.loops import VisionLoop
from device.mailbox import FrameSlot, Queue
from device.status import Faults
from device.supervision.unjudged import NoClassifier
from models.classifier import Judging
from models.errors import InputError, ModelError
from models.focusmap import FocusMap, Luma, TileGrid

MADE = datetime(2026, 3, 1, tzinfo=UTC)


def profile_of(**changed: object) -> Profile:
    values: dict[str, object] = {
        "schema": 2,
        "name": "unit 7",
        "device_serial": device_serial(),
        "camera_id": "cam-a",
        "model_sha256": "0" * 64,
        "operator": "technician",
        "made_at": MADE,
        "expires_at": MADE + timedelta(days=180),
        "field": FieldSection(centre_x_px=1000.0, centre_y_px=900.0, radius_px=800.0),
        "reference": ReferenceSection(score_mean=0.9),
    }
    return Profile(**(values | changed))  # type: ignore[arg-type]


def written(path: Path, profile: Profile) -> Path:
    path.write_bytes(encode_profile(profile))
    return path


def config_of(**profile: object) -> Config:
    return parse_config({"camera": {"kind": "files", "path": "x"}, "profile": profile}, "test")


def test_a_profile_of_this_device_is_used_and_told_to_be_unsigned(tmp_path: Path) -> None:
    found = profile_in_force(config_of(), written(tmp_path / "p.json", profile_of()), MADE, clock_is_set=True)
    assert found.profile == profile_of()
    assert [line[:6] for _, line in found.notices] == ["FG-208"]


def test_a_profile_of_another_device_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", profile_of(device_serial="another"))
    with pytest.raises(InputError, match="made for device another"):
        profile_in_force(config_of(), path, MADE, clock_is_set=True)


def test_an_expired_profile_is_refused_or_told_as_the_configuration_says(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", profile_of())
    late = MADE + timedelta(days=200)
    with pytest.raises(InputError, match="expired on 2026-08-28; calibrate anew"):
        profile_in_force(config_of(), path, late, clock_is_set=True)
    told = profile_in_force(config_of(expired="warn"), path, late, clock_is_set=True).notices
    assert told[0][1].startswith("FG-207")
    unset = profile_in_force(config_of(), path, late, clock_is_set=False).notices
    assert "if this clock is right" in unset[0][1]


def test_a_profile_that_cannot_be_used_leaves_the_override_and_judges_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "torn.json"
    path.write_text('{"schema": 2, "na')
    arguments = argparse.Namespace(profile=path, instant=False)
    classifier, profile, notices = _calibration(arguments, config_of(), NoClassifier("model"))
    assert isinstance(classifier, NoClassifier)
    assert classifier.why.startswith("FG-206")
    assert (profile, notices) == (None, ())
    assert "an override works" in capsys.readouterr().err
    arguments.instant = True
    with pytest.raises(InputError, match="calibrate anew or mend"):
        _calibration(arguments, config_of(), NoClassifier("model"))


def test_the_measured_table_takes_the_place_of_the_configured_one() -> None:
    servo = {"kind": "servo", "f_numbers": [2.8, 8.0], "positions": [1000.0, 2000.0]}
    config = parse_config({"aperture": servo}, "test")
    section = ApertureSection(
        unit="us",
        f_numbers=(2.6, 4.1, 9.0),
        positions=(1050.0, 1500.0, 1900.0),
        relative_light=(1.0, 0.4, 0.08),
        backlash=31.0,
        repeatability=2.0,
        lowest=1050.0,
        highest=1900.0,
        move_s=0.7,
    )
    changed = with_profile(config, profile_of(aperture=section, um_per_px=14.0))
    assert isinstance(changed.aperture, ServoApertureConfig)
    assert changed.aperture.f_numbers == (2.6, 4.1, 9.0)
    assert changed.aperture.backlash == 31.0
    assert changed.assist.magnification == pytest.approx(1.4 / 14.0)
    assert with_profile(config, None) is config
    with pytest.raises(InputError, match="its aperture table is in steps"):
        with_profile(config, profile_of(aperture=section.model_copy(update={"unit": "steps"})))
    low = section.model_copy(update={"positions": (905.0, 1500.0, 1900.0)})
    trimmed = with_profile(config, profile_of(aperture=low)).aperture
    assert isinstance(trimmed, ServoApertureConfig)
    assert trimmed.positions == (1500.0, 1900.0)  # below, the play could not be taken up
    with pytest.raises(InputError, match="1 points of its aperture table lie within the travel"):
        with_profile(config, profile_of(aperture=section.model_copy(update={"positions": (10.0, 20.0, 1000.0)})))
    assert with_profile(Config(), profile_of(aperture=section)).aperture == Config().aperture


def frame_map(p: float) -> FocusMap:
    shape = (2, 2)
    return FocusMap(
        grid=TileGrid(10, 10, 2, 2),
        blur_px=np.ones(shape, np.float32),
        p_in_focus=np.full(shape, p, np.float32),
        cause=np.zeros(shape, np.uint8),
        criterion_px=2.0,
        threshold=0.5,
        model_name="m",
        model_sha256="0" * 64,
    )


def opening(watch: DriftWatch, p: float, frames: int = 5) -> None:
    for _ in range(frames):
        watch.observe(frame_map(p), GateState(mode=Mode.OPEN))
    watch.observe(frame_map(0.1), GateState(mode=Mode.CLOSED))


def test_openings_that_score_too_low_are_told_and_the_warning_goes_with_its_cause(tmp_path: Path) -> None:
    faults, watch = Faults(), DriftWatch(profile_of(), tmp_path / "drift.json")
    for _ in range(START):
        opening(watch, 0.9)
    watch.tick(faults)
    assert faults.notices() == ()
    for _ in range(5):
        opening(watch, 0.5)
    watch.tick(faults)
    assert faults.notices()[0].startswith("FG-209")
    assert faults.current() is None
    for _ in range(30):
        opening(watch, 0.95)
    watch.tick(faults)
    assert faults.notices() == ()


def test_the_statistic_goes_on_after_a_restart_and_begins_anew_with_another_profile(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    watch = DriftWatch(profile_of(), path)
    opening(watch, 0.8)
    opening(watch, 0.8, frames=2)
    watch.tick(Faults())
    assert watch.state.openings == 1
    assert DriftWatch(profile_of(), path).state == watch.state
    assert DriftWatch(profile_of(name="other"), path).state.openings == 0
    path.write_text("torn")
    assert DriftWatch(profile_of(), path).state.openings == 0
    assert dataclasses.asdict(watch.state)["mean"] == pytest.approx(0.8)


def test_a_device_is_known_by_its_board_or_by_a_digest_of_its_machine(tmp_path: Path) -> None:
    board, machine = tmp_path / "serial", tmp_path / "machine-id"
    assert device_serial(board, machine) == "unknown"
    machine.write_text("0123456789abcdef\n")
    digest = device_serial(board, machine)
    assert digest.startswith("machine-")
    assert "0123456789abcdef" not in digest
    board.write_bytes(b"10000000abcdef\0")
    assert device_serial(board, machine) == "10000000abcdef"
    assert identity.DIGITS == 16


def test_the_gain_of_each_frame_says_what_is_too_dark_on_this_device() -> None:
    noise = NoiseSection(black_level_dn=4.0, gains=(GainNoise(gain_db=0.0, e_per_dn=16.0, read_noise_e=5.0),))
    clock, frames, seen = FakeClock(), FrameSlot(), []

    class Noting:
        name, sha256, tile_px, criterion_px = "noting", "0" * 64, 16, 2.0

        def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
            seen.append(judging.dark_luma)
            raise ModelError("noted")

    vision = VisionLoop(
        classifier=Noting(),
        judging=judging_at(profile_of(noise=noise), Judging()),
        frames=frames,
        judged=Queue(1),
        clock=clock,
        faults=Faults(),
    )
    for number, gain in enumerate((None, 1.0, 16.0)):
        frames.put(
            Frame(
                id=number,
                exposed_ns=0,
                luma=np.zeros((16, 16), np.uint8),
                still=lambda: np.zeros((16, 16, 3), np.uint8),
                info=ExposureInfo(analogue_gain=gain),
            )
        )
        vision.tick(0.0)
    assert seen[0] == 0.0
    assert 4.0 < seen[1] < seen[2]
