"""The loops together: what a person in front of the device sees, hears and finds on the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from device.clock import MS, SECOND
from device.gate import Mode
from device.loops import GIVE_UP_NS
from models.errors import CameraError, HardwareError
from models.verdict import VerdictKind

if TYPE_CHECKING:
    from conftest import Rig

MakeRig = Callable[..., "Rig"]


def test_it_opens_on_the_third_sharp_frame_and_the_line_follows(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(2)
    assert not rig.pins.shutter_is_high()
    rig.frames(1)
    assert rig.pins.shutter_is_high()
    assert rig.decision.status.gate.mode is Mode.OPEN
    rig.camera.sharp_percent = 50
    rig.frames(1)
    assert not rig.pins.shutter_is_high()
    assert [item.value for item in rig.pins.history if item.output == "lamp"] == ["closed", "open", "closed"]


def test_a_press_while_open_saves_that_very_frame_and_sounds_when_it_is_durable(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    rig.pins.press("capture", 100 * MS)
    rig.frames(3)
    ((record, _),) = rig.saved()
    assert (record.verdict, record.override) == (VerdictKind.PASS, False)
    assert record.evidence is not None
    assert record.evidence.fraction == 1.0
    assert rig.tones == ["saved"]
    assert rig.decision.status.saved == 1
    pressed_ns = 1000 * 1000 * MS + 300 * MS
    assert record.exposed_ns >= pressed_ns


def test_a_press_while_closed_saves_nothing_and_says_why(make_rig: MakeRig) -> None:
    rig = make_rig(sharp_percent=50)
    rig.frames(3)
    rig.pins.press("capture", 100 * MS)
    rig.frames(2)
    assert rig.saved() == []
    assert rig.tones == ["refused"]
    assert rig.messages == "refused: FG-501 only 50 % in focus (90 % needed)"


def test_an_override_saves_one_marked_so_with_the_score_that_it_overruled(make_rig: MakeRig) -> None:
    rig = make_rig(sharp_percent=50)
    rig.frames(1)
    rig.pins.press("override", 1700 * MS)
    rig.frames(18)
    assert rig.decision.status.gate.mode is Mode.OVERRIDE_ARMED
    rig.pins.press("capture", 100 * MS)
    rig.frames(2)
    ((record, _),) = rig.saved()
    assert record.override
    assert record.verdict is VerdictKind.FAIL
    assert rig.tones == ["armed", "saved"]
    assert rig.decision.status.gate.mode is Mode.CLOSED


def test_an_override_works_with_a_broken_classifier_and_says_not_judged(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.classifier.failure = "the model gave scores that are not finite; gate stays closed"
    rig.frames(2)
    assert rig.decision.status.gate.mode is Mode.FAULT
    rig.pins.press("override", 1700 * MS)
    rig.frames(18)
    rig.pins.press("capture", 100 * MS)
    rig.frames(5)
    ((record, _),) = rig.saved()
    assert (record.override, record.verdict, record.evidence) == (True, None, None)


def test_a_model_that_recovers_opens_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.classifier.failure = "broken"
    rig.frames(2)
    rig.classifier.failure = None
    rig.frames(3)
    assert rig.decision.status.gate.mode is Mode.OPEN


def test_a_classifier_that_hangs_closes_the_gate_within_300_ms(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    rig.frames(4, judge=False)
    assert rig.decision.status.gate.reason == "no frame judged in the last 300 ms"
    assert not rig.pins.shutter_is_high()


def test_no_frame_is_ever_lost_or_kept(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(5)
    rig.frames(5, judge=False)
    rig.pins.press("capture", 100 * MS)
    rig.frames(5)
    assert rig.decision.status.dropped == 5
    rig.camera_loop.close()
    assert rig.camera.held == 0


def test_a_frozen_picture_is_a_fault_of_a_live_camera_and_none_of_a_file(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    rig.camera.frozen = True
    rig.frames(3)
    assert "the picture is frozen" in rig.decision.status.gate.reason
    assert not rig.pins.shutter_is_high()


def test_a_repeated_picture_is_no_new_exposure_and_is_never_saved(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    rig.camera.frozen = True
    rig.frames(1)  # unlike the one before
    rig.pins.press("capture", 100 * MS)
    rig.frames(2)
    assert rig.saved() == []
    assert rig.decision.status.frames == 4
    assert rig.camera.held <= 1


def test_a_still_may_repeat(make_rig: MakeRig) -> None:
    rig = make_rig(frozen=True, live=False)
    rig.frames(6)
    assert rig.decision.status.gate.mode is Mode.OPEN


def test_a_camera_that_fails_is_closed_reopened_and_works_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    rig.camera.failure = "camera told: unplugged; plug it in"
    rig.camera_loop.tick()
    rig.decide()
    assert rig.decision.status.gate.reason == "FG-101 camera told: unplugged; plug it in"
    assert not rig.pins.shutter_is_high()
    rig.camera.failure = None
    rig.frames(3)
    assert rig.decision.status.gate.mode is Mode.OPEN
    assert rig.camera.opened == 1


def test_a_camera_that_counts_anew_after_it_was_opened_again_is_judged_at_once(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(30)
    rig.camera.failure = "camera told: unplugged; plug it in"
    rig.camera_loop.tick()
    rig.camera.failure, rig.camera.number = None, 0
    rig.frames(3)
    assert rig.decision.status.gate.mode is Mode.OPEN
    rig.pins.press("capture", 100 * MS)
    rig.frames(3)
    assert rig.decision.status.saved == 1


@pytest.mark.parametrize(
    ("number", "ahead_ns", "said"),
    [(-1, 0, "not newer"), (-2, 0, "not newer"), (0, -200 * MS, "not newer"), (0, 200 * MS, "of the future")],
)
def test_a_frame_out_of_order_or_of_the_future_is_a_fault_of_the_camera(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, number: int, ahead_ns: int, said: str
) -> None:
    rig = make_rig()
    rig.frames(3)
    read = rig.camera.read

    def wrong(timeout_s: float = 2.0) -> Any:
        frame = read(timeout_s)
        frame.id, frame.exposed_ns = frame.id + number, frame.exposed_ns + ahead_ns
        return frame

    monkeypatch.setattr(rig.camera, "read", wrong)
    rig.camera_loop.tick()
    rig.decide()
    assert said in rig.decision.status.gate.reason
    assert not rig.pins.shutter_is_high()
    assert rig.camera.held == 0


@pytest.mark.parametrize("part", [np.s_[:128], np.s_[:, :128], np.s_[:0], np.s_[0]])
def test_a_live_camera_that_delivers_another_size_is_a_fault(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, part: Any
) -> None:
    rig = make_rig()
    rig.frames(3)
    read = rig.camera.read

    def cut(timeout_s: float = 2.0) -> Any:
        frame = read(timeout_s)
        frame.luma = frame.luma[part]
        return frame

    monkeypatch.setattr(rig.camera, "read", cut)
    rig.camera_loop.tick()
    rig.decide()
    assert "where uint8 (256, 256) was due" in rig.decision.status.gate.reason
    assert not rig.pins.shutter_is_high()


def test_another_camera_in_the_place_of_the_first_is_not_used(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    other = replace(rig.camera)
    other.name = "other"
    rig.camera_loop._reopen = lambda: other
    rig.camera.failure = "camera told: unplugged"
    rig.frames(4)
    assert "camera other: is not the one in use, told" in rig.decision.status.gate.reason
    assert not rig.pins.shutter_is_high()


def test_a_camera_that_stays_away_ends_the_run_with_its_own_words(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(1)
    rig.camera.failure = "camera told: unplugged"
    started_ns = rig.clock.now_ns()

    def wait_for_ever() -> None:
        while True:
            rig.camera_loop.tick()

    with pytest.raises(CameraError, match="unplugged"):
        wait_for_ever()
    assert GIVE_UP_NS <= rig.clock.now_ns() - started_ns <= GIVE_UP_NS + 5 * SECOND


def test_a_file_that_cannot_be_read_ends_the_run_at_once(make_rig: MakeRig) -> None:
    rig = make_rig(live=False)
    rig.frames(1)
    rig.camera.failure = "photo.jpg: truncated"
    with pytest.raises(CameraError, match="truncated"):
        rig.camera_loop.tick()


def test_a_finite_source_ends(make_rig: MakeRig) -> None:
    rig = make_rig(remaining=3)
    rig.frames(4)
    assert rig.camera_loop.ended
    assert rig.decision.status.frames == 3


def test_two_presses_are_two_captures_and_a_bouncing_one_is_one(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    for _ in range(2):
        rig.pins.press("capture", 60 * MS)
        rig.frames(4)
    assert len(rig.saved()) == 2
    for _ in range(5):
        rig.pins.press("capture", 5 * MS)
        rig.clock.advance_ns(TICK)
        rig.decide()
        rig.clock.advance_ns(TICK)
        rig.decide()
    rig.frames(3)
    assert len(rig.saved()) == 2


TICK = 10 * MS


def test_a_stuck_button_is_said_and_the_gate_works_on(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.pins.press("capture", 30 * SECOND)
    rig.frames(110)
    assert "the capture button is stuck" in rig.messages
    assert rig.decision.status.gate.mode is Mode.OPEN


def test_an_unused_override_says_so(make_rig: MakeRig) -> None:
    rig = make_rig(sharp_percent=0)
    rig.pins.press("override", 1600 * MS)
    rig.frames(120)
    assert rig.messages == "override expired unused"


def test_aperture_buttons_ask_for_one_step_each(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.pins.press("aperture_close", 100 * MS)
    rig.frames(4)
    rig.pins.press("aperture_open", 100 * MS)
    rig.frames(2)
    assert rig.moved == [1, -1]


def test_every_judged_frame_is_traced_with_the_state_it_led_to(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(4)
    assert [item.focus_map.frame_id for item, _ in rig.traced] == [1, 2, 3, 4]
    assert [state.enabled for _, state in rig.traced] == [False, False, True, True]


def test_the_saved_pixels_are_those_of_the_judged_frame(make_rig: MakeRig) -> None:
    rig = make_rig(sharp_percent=95)
    rig.frames(3)
    rig.pins.press("capture", 100 * MS)
    rig.frames(3)
    ((record, path),) = rig.saved()
    with Image.open(path) as image:
        luma = np.asarray(image.convert("L"))
    assert record.exposed_ns in [item.focus_map.exposed_ns for item, _ in rig.traced]
    judged = next(item for item, _ in rig.traced if item.focus_map.exposed_ns == record.exposed_ns)
    assert abs(int(luma[8, 8]) - 95) <= 3
    assert abs(int(luma[16, 16]) - judged.focus_map.frame_id % 251) <= 30


def test_a_dead_shutter_line_is_a_fault_while_lamp_tones_and_override_go_on(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    rig.frames(3)
    played: list[int] = []

    def tick(now_ns: int) -> None:
        played.append(now_ns)
        raise HardwareError("shutter guard: is not there; start it")

    def renew(_: int) -> None:
        raise HardwareError("shutter guard: is not there; start it")

    with monkeypatch.context() as broken:
        broken.setattr(rig.pins, "tick", tick)
        broken.setattr(rig.pins, "renew_shutter", renew)
        rig.frames(1)
        assert rig.decision.status.gate.mode is Mode.FAULT
        rig.pins.press("override", 1600 * MS)
        rig.frames(17)
        assert rig.decision.status.gate.mode is Mode.OVERRIDE_ARMED
        rig.pins.press("capture", 100 * MS)
        rig.frames(3)
        assert [record.override for record, _ in rig.saved()] == [True]
        assert len(played) == 21 * 10
    rig.frames(4)
    assert rig.decision.status.gate.mode is Mode.OPEN
    assert rig.pins.shutter_is_high()
