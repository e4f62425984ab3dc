"""A start without a camera, with a foreign calibration, or without a model: shown, and the override works."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest

from calibration.profile import Profile
from device.clock import SECOND, FakeClock
from device.pins.protocol import Lamp
from device.pins.simulated import SimulatedPins
from device.supervision.starting import TRY_NS, WAIT_NS, opened
from device.supervision.unjudged import NoClassifier, fitting
from models.classifier import Judging
from models.errors import CameraError, HardwareError, InputError, ModelError


class Tries:
    """A camera that is there at the try of this number."""

    def __init__(self, clock: FakeClock, there_at: int) -> None:
        self.clock, self.there_at, self.times_ns = clock, there_at, []

    def __call__(self) -> str:
        self.times_ns.append(self.clock.now_ns())
        if len(self.times_ns) < self.there_at:
            raise CameraError("no camera found")
        return "camera"


def test_a_camera_that_comes_late_is_waited_for_with_the_lamp_at_fault() -> None:
    clock = FakeClock(SECOND)
    pins, tries = SimulatedPins(clock), Tries(clock, there_at=4)
    assert opened(tries, pins, clock, patient=True) == "camera"  # type: ignore[comparison-overlap, arg-type]
    assert [at_ns - SECOND for at_ns in tries.times_ns] == [0, TRY_NS, 2 * TRY_NS, 3 * TRY_NS]
    assert [(item.output, item.value) for item in pins.history] == [("lamp", Lamp.FAULT.value)]


def test_the_wait_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(SECOND)
    tries = Tries(clock, there_at=10**6)
    with pytest.raises(CameraError, match="no camera found"):
        opened(tries, SimulatedPins(clock), clock, patient=True)  # type: ignore[arg-type]
    assert clock.now_ns() == SECOND + WAIT_NS
    assert caplog.messages == ["FG-101 no camera found; tried again for 4 s"]


def test_on_a_desk_a_missing_camera_is_said_at_once() -> None:
    clock = FakeClock()
    with pytest.raises(CameraError):
        opened(Tries(clock, there_at=2), SimulatedPins(clock), clock, patient=False)  # type: ignore[arg-type]
    assert clock.now_ns() == 0


def test_a_missing_guard_does_not_keep_the_lamp_from_playing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_guard(now_ns: int) -> NoReturn:
        raise HardwareError(f"no guard at {now_ns}")

    clock = FakeClock()
    pins = SimulatedPins(clock)
    monkeypatch.setattr(pins, "tick", no_guard)
    assert opened(Tries(clock, there_at=2), pins, clock, patient=True) == "camera"  # type: ignore[comparison-overlap, arg-type]


def test_without_a_model_every_frame_says_why() -> None:
    model = NoClassifier("FG-201 not signed")
    with pytest.raises(ModelError, match="FG-201 not signed"):
        model.judge(np.zeros((8, 8), np.uint8), Judging())


@pytest.mark.parametrize("key", ["camera_id", "model_sha256"])
def test_a_foreign_calibration_judges_nothing_and_leaves_the_override(key: str) -> None:
    profile = Profile.model_validate({"schema": 1, "name": "bench 3", key: "b" * 64})
    judged = type("Judges", (), {"name": "m", "sha256": "a" * 64, "tile_px": 8, "criterion_px": 1.0})()
    with pytest.raises(InputError, match="profile bench 3: made for"):
        fitting(judged, profile, "this camera", patient=False)
    stand_in, none = fitting(judged, profile, "this camera", patient=True)
    assert none is None
    assert isinstance(stand_in, NoClassifier)
    assert stand_in.why.startswith("FG-203 profile bench 3: made for")


def test_a_calibration_that_fits_is_kept_and_one_without_a_model_is_not_asked() -> None:
    profile = Profile.model_validate({"schema": 1, "name": "bench 3", "camera_id": "this camera"})
    judged = type("Judges", (), {"sha256": "a" * 64})()
    assert fitting(judged, profile, "this camera", patient=True) == (judged, profile)
    assert fitting(judged, None, "this camera", patient=True) == (judged, None)
    no_model = NoClassifier("FG-201 x")
    assert fitting(no_model, profile, "another camera", patient=True) == (no_model, None)
