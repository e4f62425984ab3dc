"""The rigs: a simulated device and a real camera are asked for the same things and measured by the same steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.calibrating.camera_rig import POSITIONS, CameraRig, instruction, positions_of, straight
from device.calibrating.light_steps import aperture_step, noise_step
from device.calibrating.optics_steps import field_step
from device.calibrating.rig import Rig, Scene
from device.calibrating.unit_rig import UnitRig
from device.calibrating.work import Work
from device.clock import FakeClock
from device.config import parse_config
from device.config_board import ServoApertureConfig
from models.errors import CameraError, HardwareError, InputError

WIDTH, HEIGHT = 448, 336


def silent(_done: int, _of: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def unit_rig() -> UnitRig:
    return UnitRig(3, width=WIDTH, height=HEIGHT)


@pytest.fixture(scope="module")
def pictures(unit_rig: UnitRig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the field step asks for, as files in that order."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(8):
        luma = unit_rig.take(Scene("dark" if number < 4 else "white")).luma
        Image.fromarray(luma).save(folder / f"{number:02d}.png")
    return folder


def camera_rig(folder: Path, asked: list[str]) -> CameraRig:
    config = parse_config({"camera": {"kind": "files", "path": str(folder), "loop": False}}, "test")
    return CameraRig(config, FakeClock(), asked.append, tone="linear", lens="a lens", widest=None)


def test_a_real_camera_and_a_simulated_one_give_the_same_field(
    unit_rig: UnitRig, pictures: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    found = []
    for name, rig in (("unit", unit_rig), ("camera", camera_rig(pictures, asked))):
        work = Work(tmp_path / name)
        field_step(rig, work, silent)
        found.append(work.part("field"))
        assert work.value("lens") == rig.info.lens
    unit = unit_rig.unit
    for part in found:
        assert part["centre_x_px"] == pytest.approx(unit.centre_x_px, abs=1.0)
        assert part["radius_px"] == pytest.approx(unit.radius_px, abs=1.5)
        assert part["black_level_dn"] == pytest.approx(unit.black_level_dn, abs=0.5)
    assert [line.split()[0] for line in asked] == ["Cover", "Hold"]


def test_noise_and_iris_of_a_simulated_device_are_recovered(unit_rig: UnitRig, tmp_path: Path) -> None:
    work, unit = Work(tmp_path), unit_rig.unit
    field_step(unit_rig, work, silent)
    noise_step(unit_rig, work, silent)
    for gain_db, e_per_dn, read_noise_e, _ in work.part("noise")["gains"]:
        assert e_per_dn == pytest.approx(unit.gain_e_per_dn / 10 ** (gain_db / 20), rel=0.1)
        assert read_noise_e == pytest.approx(unit.read_noise_e, rel=0.1)
    lines = aperture_step(unit_rig, work, silent)
    assert work.part("aperture")["backlash"] == pytest.approx(unit.backlash, abs=0.005)
    assert "Diffraction takes over nowhere" in lines[2]  # without a scale nothing is known of it


def test_a_camera_that_cannot_be_told_its_exposure_leaves_noise_and_iris_out(pictures: Path, tmp_path: Path) -> None:
    rig: Rig = camera_rig(pictures, [])
    work = Work(tmp_path)
    field_step(rig, work, silent)
    with pytest.raises(InputError, match="leave this step out"):
        noise_step(rig, work, silent)
    with pytest.raises(InputError, match="leave this step out"):
        aperture_step(rig, work, silent)
    with pytest.raises(InputError, match="cannot be told its exposure"):
        rig.take(Scene("white"), exposure_us=1000.0)
    with pytest.raises(HardwareError, match="none that can be moved"):
        rig.move_iris(0.5)


def test_pictures_that_run_out_or_change_their_size_are_told(pictures: Path, tmp_path: Path) -> None:
    rig = camera_rig(pictures, [])
    for _ in range(8):
        rig.take(Scene("dark"))
    with pytest.raises(CameraError, match="no more pictures"):
        rig.take(Scene("dark"))
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, size in enumerate(((48, 64), (60, 80))):
        Image.fromarray(np.zeros(size, np.uint8)).save(mixed / f"{number}.png")
    rig = camera_rig(mixed, [])
    rig.take(Scene("dark"))
    with pytest.raises(CameraError, match="change their size"):
        rig.take(Scene("dark"))


def test_a_hand_covered_dark_picture_is_refused(unit_rig: UnitRig, tmp_path: Path) -> None:
    folder = tmp_path / "light"
    folder.mkdir()
    white = unit_rig.take(Scene("white")).luma
    for number in range(8):
        Image.fromarray(white).save(folder / f"{number}.png")
    with pytest.raises(InputError, match="cover the lens"):
        field_step(camera_rig(folder, []), Work(tmp_path / "work"), silent)


def test_a_sweep_of_a_real_drive_covers_its_travel_and_takes_up_no_play() -> None:
    servo = {"kind": "servo", "f_numbers": [2.8, 8.0], "positions": [1100.0, 1900.0], "backlash": 30.0}
    config = parse_config({"aperture": servo}, "test").aperture
    positions = positions_of(config)
    assert len(positions) == POSITIONS
    assert (positions[0], positions[-1]) == (900.0, 2100.0)
    drive = straight(config, positions)
    assert isinstance(drive, ServoApertureConfig)
    assert drive.backlash == 0.0
    assert drive.positions == positions
    assert positions_of(parse_config({}, "test").aperture) == ()


def test_what_to_do_is_said_in_one_sentence() -> None:
    assert "2.5 mm nearer" in instruction(Scene("texture", -2.5, 4))
    assert "at the working distance" in instruction(Scene("chart"))
    assert "4 mm farther" in instruction(Scene("chart", 4.0))
