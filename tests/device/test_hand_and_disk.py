"""What one hand can say without a screen, and what the lamp and the tones say of the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from device.clock import MS, SECOND
from device.gate import Mode
from device.pins.protocol import Lamp
from device.store.files import PosixFiles
from device.store.space import MB

if TYPE_CHECKING:
    from conftest import Rig

MakeRig = Callable[..., "Rig"]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes the disk has free."""
    return lambda count: monkeypatch.setattr(PosixFiles, "free_bytes", lambda *_: count)


def press(rig: Rig, hold_ns: int = 100 * MS) -> None:
    rig.pins.press("capture", hold_ns)
    rig.frames(3 + hold_ns // (100 * MS))


def test_a_hold_of_three_seconds_takes_the_last_image_of_a_patient_and_ends_the_examination(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    press(rig)
    press(rig, 3200 * MS)
    press(rig)
    first, last, next_ = (record.session_id for record, _ in rig.saved())
    assert first == last != next_
    assert rig.tones == ["saved", "saved", "ended", "saved"]


def test_a_hold_while_closed_ends_the_examination_without_an_image(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    press(rig)
    rig.camera.sharp_percent = 50
    press(rig, 3200 * MS)
    rig.camera.sharp_percent = 100
    rig.frames(3)
    press(rig)
    assert len({record.session_id for record, _ in rig.saved()}) == 2
    assert rig.tones == ["saved", "refused", "ended", "saved"]


def test_a_shorter_hold_ends_nothing(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    press(rig, 2900 * MS)
    press(rig)
    assert len({record.session_id for record, _ in rig.saved()}) == 1
    assert "ended" not in rig.tones


def test_a_button_that_is_stuck_ends_one_examination_and_no_more(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.frames(3)
    press(rig, 30 * SECOND)
    assert rig.tones.count("ended") == 1


def test_a_full_disk_shows_before_anybody_presses_and_a_press_is_refused(
    make_rig: MakeRig, free: Callable[[int], None]
) -> None:
    rig = make_rig()
    rig.frames(3)
    assert rig.decision.status.lamp is Lamp.OPEN
    free(150 * MB)
    rig.frames(12)
    status = rig.decision.status
    assert (status.gate.mode, status.lamp, rig.pins.shutter_is_high()) == (Mode.FAULT, Lamp.FAULT, False)
    assert status.gate.reason == "FG-301 the disk is full; export and delete captures"
    press(rig)
    assert rig.saved() == []
    assert rig.tones == ["refused"]
    free(10**12)
    rig.frames(15)
    assert rig.decision.status.lamp is Lamp.OPEN


def test_little_room_is_seen_in_the_lamp_heard_after_each_capture_and_told_in_captures(
    make_rig: MakeRig, free: Callable[[int], None]
) -> None:
    rig = make_rig()
    free(500 * MB)
    rig.frames(12)
    assert rig.decision.status.captures_left == 37
    assert rig.decision.status.lamp is Lamp.OPEN_LOW
    assert rig.decision.status.notices == ("FG-305 fewer than 100 captures fit; export and delete captures",)
    assert "FG-305" in rig.decision.status.line()
    press(rig)
    assert rig.tones == ["saved, room is low"]
    assert len(rig.saved()) == 1


def test_an_image_that_waits_in_memory_is_told_until_it_is_saved_and_the_third_is_a_fault(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: PosixFiles, fd: int, data: memoryview) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    rig, write = make_rig(), PosixFiles.write
    rig.frames(3)
    monkeypatch.setattr(PosixFiles, "write", refuse)
    press(rig)
    status = rig.decision.status
    assert status.notices == ("FG-306 images wait in memory and are tried again; do not switch off",)
    assert (rig.tones, status.saved, status.gate.mode) == (["fault"], 0, Mode.OPEN)
    press(rig)
    press(rig)
    status = rig.decision.status
    assert (status.gate.mode, status.lamp) == (Mode.FAULT, Lamp.FAULT)
    assert status.gate.reason.startswith("FG-303 saving fails: 3 images wait in memory")
    monkeypatch.setattr(PosixFiles, "write", write)
    rig.frames(60)
    status = rig.decision.status
    assert (status.saved, status.notices, status.gate.mode) == (3, (), Mode.OPEN)
    assert len(rig.saved()) == 3
