"""What the main thread looks after: the supply, the aperture, and a model that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from device.aperture.fixed import FixedAperture
from device.app import Device
from device.cli import main
from device.clock import MS, SECOND
from device.gate import Mode
from device.pins.protocol import Lamp
from device.store.catalogue import read_listing, read_record
from device.supervision.power import HOLD_NS, PowerWatch
from device.supervision.unjudged import NoClassifier
from models.errors import HardwareError

if TYPE_CHECKING:
    from conftest import Rig

MakeRig = Callable[..., "Rig"]
AsDevice = Callable[..., Device]


class Iris(FixedAperture):
    """Keeps what was done to it."""

    def __init__(self) -> None:
        super().__init__(8.0)
        self.done: list[str] = []
        self.failure: str | None = None

    def move(self, steps: int) -> float | None:
        if self.failure is not None:
            raise HardwareError(self.failure)
        self.done.append(f"moved {steps}")
        return 8.0

    def close(self) -> None:
        self.done.append("off")


class Told:
    """An audit log that remembers."""

    trouble: str | None = None

    def __init__(self) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, kind: str, /, **data: object) -> None:
        self.notes.append((kind, dict(data)))

    def state(self, kind: str, part: str, /, **data: object) -> None:
        self.notes.append((kind, {"part": part, **data}))


def test_under_voltage_shows_closes_takes_the_actuators_power_and_is_in_the_audit(
    make_rig: MakeRig, as_device: AsDevice
) -> None:
    rig, iris, alarm, told = make_rig(), Iris(), [False], Told()
    rig.faults._audit = told
    device = as_device(rig, iris, power=PowerWatch(lambda: alarm[0]))
    rig.frames(3)
    device.supervise()
    assert rig.decision.status.gate.mode is Mode.OPEN
    alarm[0] = True
    rig.clock.advance_ns(SECOND)
    device.supervise()
    device.aperture_steps.put(1)
    device.supervise()
    rig.frames(1)
    status = rig.decision.status
    assert (status.gate.mode, status.lamp, rig.pins.shutter_is_high()) == (Mode.FAULT, Lamp.FAULT, False)
    assert status.gate.reason.startswith("FG-408 the supply voltage is too low")
    assert iris.done == ["off"]
    raised = [data for kind, data in told.notes if kind == "fault" and data["part"] == "power"]
    assert [(data["raised"], data["code"]) for data in raised] == [(True, "FG-408")]
    alarm[0] = False
    rig.clock.advance_ns(HOLD_NS)
    device.supervise()
    rig.frames(3)
    assert rig.decision.status.gate.mode is Mode.OPEN
    device.aperture_steps.put(1)
    device.supervise()
    assert iris.done == ["off", "moved 1"]


def test_a_refusal_has_its_code_in_status_log_and_audit(
    make_rig: MakeRig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("focusgate"), "propagate", True)
    caplog.set_level(logging.INFO, "focusgate")
    rig, told = make_rig(sharp_percent=50), Told()
    rig.decision._audit = told
    rig.frames(3)
    rig.pins.press("capture", 100 * MS)
    rig.frames(2)
    line = "FG-501 only 50 % in focus (90 % needed)"
    assert rig.messages == f"refused: {line}"
    assert f"refused: {line}" in caplog.messages
    assert [data["reason"] for kind, data in told.notes if kind == "refused"] == [line]


def test_an_override_is_saved_while_the_voltage_is_low(make_rig: MakeRig, as_device: AsDevice) -> None:
    rig = make_rig()
    device = as_device(rig, Iris(), power=PowerWatch(lambda: True))
    device.supervise()
    rig.frames(1)
    rig.pins.press("override", 1700 * MS)
    rig.frames(18)
    rig.pins.press("capture", 100 * MS)
    rig.frames(5)
    ((record, _),) = rig.saved()
    assert record.override


def test_a_model_that_cannot_be_used_stays_a_fault_and_an_override_is_saved(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.vision._classifier = NoClassifier("FG-201 the model is not signed; gate stays closed")
    rig.frames(2)
    assert rig.decision.status.gate.reason == "FG-201 the model is not signed; gate stays closed"
    assert not rig.pins.shutter_is_high()
    rig.vision._classifier = rig.classifier
    rig.frames(4)
    assert rig.decision.status.gate.mode is Mode.FAULT
    rig.pins.press("override", 1700 * MS)
    rig.frames(18)
    rig.pins.press("capture", 100 * MS)
    rig.frames(5)
    ((record, _),) = rig.saved()
    assert record.override


@pytest.mark.parametrize(("fault", "code"), [(None, "FG-404"), ("jammed for good", "FG-403")])
def test_an_aperture_that_fails_is_told_with_its_code_and_the_gate_works_on(
    make_rig: MakeRig, as_device: AsDevice, fault: str | None, code: str
) -> None:
    rig, iris = make_rig(), Iris()
    device = as_device(rig, iris)
    iris.failure = "aperture: no answer"
    device.aperture_steps.put(1)
    iris.fault = fault
    device.supervise()
    rig.frames(3)
    assert [notice[:6] for notice in rig.decision.status.notices] == [code]
    assert rig.decision.status.gate.mode is Mode.OPEN
    iris.failure = None
    device.aperture_steps.put(1)
    device.supervise()
    rig.frames(1)
    assert [notice[:6] for notice in rig.decision.status.notices] == ([code] if fault else [])


def test_a_stuck_button_is_a_notice_with_its_code_until_it_is_free(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.pins.press("capture", 11 * SECOND)
    rig.frames(105)
    assert rig.decision.status.notices == ("FG-405 the capture button is stuck",)
    assert rig.decision.status.gate.mode is Mode.OPEN
    rig.frames(10)
    assert rig.decision.status.notices == ()


def test_without_a_calibration_the_device_says_so_and_saves_it_with_the_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, store = tmp_path / "tissue.png", tmp_path / "store"
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (256, 256), np.uint8)).save(picture)
    (tmp_path / "presses.txt").write_text("0.1 override 1.7\n2.2 capture\n")
    log = logging.getLogger("focusgate")
    words = ["run", "--camera", f"files:{picture}", "--instant", "--seconds", "4", "--store", str(store)]
    try:
        assert main([*words, "--script", str(tmp_path / "presses.txt")]) == 0
    finally:
        log.propagate, log.handlers = True, []
    assert "; FG-204 not calibrated" in capsys.readouterr().err
    (entry,) = (listing := read_listing(store)).entries
    record = read_record(listing.path(entry))
    assert (record.override, record.profile_id, record.profile_sha256) == (True, None, None)
    assert main(["captures", "show", "--store", str(store), entry.capture_id]) == 0
    assert "uncalibrated" in capsys.readouterr().out
