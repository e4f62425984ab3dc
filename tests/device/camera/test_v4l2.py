"""A USB camera asks for what it needs, believes only what it gets, and names what is wrong in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from device.camera.opencv import SELECT_TIMEOUT_S
from device.camera.v4l2 import V4l2Camera
from device.clock import MS, SECOND, FakeClock
from device.loops import READ_S
from device.supervision.beats import USUAL_NS
from models.errors import CameraError

DEVICE = "/dev/null"  # a character device that always exists


def opened(capture: Any, clock: FakeClock, **options: Any) -> V4l2Camera:
    return V4l2Camera(DEVICE, clock, **{"width": 64, "height": 48} | options, open_capture=capture)


def test_it_asks_for_the_size_the_rate_and_the_newest_frame(capture: Any, clock: FakeClock) -> None:
    opened(capture, clock, fps=15.0).close()
    assert capture.source == (DEVICE, cv2.CAP_V4L2)
    assert capture.asked == {
        cv2.CAP_PROP_FRAME_WIDTH: 64,
        cv2.CAP_PROP_FRAME_HEIGHT: 48,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


def test_large_frames_are_asked_for_as_motion_jpeg(capture: Any, clock: FakeClock) -> None:
    capture.size = (2592, 1944)
    with V4l2Camera(DEVICE, clock, open_capture=capture) as camera:
        assert (camera.info.width, camera.info.height) == (2592, 1944)
    assert capture.asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")


def test_another_size_than_asked_for_is_refused_and_the_device_given_back(capture: Any, clock: FakeClock) -> None:
    capture.size = (32, 24)
    with pytest.raises(CameraError, match="delivers 32 × 24 px where 64 × 48 were asked for"):
        opened(capture, clock)
    assert capture.released == 1


def test_luma_is_the_bt601_luma_of_the_still(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera, camera.read() as frame:
        expected = frame.still().astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        assert np.abs(frame.luma - expected).max() <= 1


def test_the_drivers_time_stamp_is_taken_when_it_is_of_the_monotonic_clock(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera, camera.read() as frame:
        assert frame.exposed_ns == clock.now_ns() - 20 * MS


@pytest.mark.parametrize("stamp_ms", [0.0, -5.0, 1.0, 1_700_000_000_000.0])
def test_a_stamp_of_another_clock_makes_the_frame_as_old_as_the_request(
    capture: Any, clock: FakeClock, stamp_ms: float
) -> None:
    capture.stamp_ms = lambda: stamp_ms
    with opened(capture, clock) as camera:
        asked_ns = clock.now_ns()
        assert camera.read().exposed_ns == asked_ns


def test_stamps_that_stand_still_rise_all_the_same(capture: Any, clock: FakeClock) -> None:
    fixed_ms = clock.now_ns() / MS + 50
    capture.stamp_ms = lambda: fixed_ms
    with opened(capture, clock) as camera:
        times = [camera.read().exposed_ns for _ in range(3)]
    assert times[0] < times[1] < times[2]


def test_an_incomplete_picture_or_two_are_passed_over(capture: Any, clock: FakeClock) -> None:
    capture.fails = 2
    with opened(capture, clock) as camera:
        capture.fails = 2
        assert camera.read().id == 1


def test_a_camera_that_falls_silent_is_an_error(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera:
        capture.fails = 1000
        with pytest.raises(CameraError, match="delivers no frames"):
            camera.read()


def test_it_does_not_try_again_after_the_time_out(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera:
        capture.fails = 1000
        before_ns = clock.now_ns()
        with pytest.raises(CameraError):
            camera.read(timeout_s=0.01)
        assert clock.now_ns() - before_ns == 66 * MS


def test_a_camera_that_is_unplugged_has_vanished(
    capture: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(capture, clock) as camera:
        capture.fails = 1000
        monkeypatch.setattr(Path, "exists", lambda *_: False)
        with pytest.raises(CameraError, match="vanished; connect it again"):
            camera.read()


def test_an_exception_inside_opencv_is_a_camera_error(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera:
        capture.broken = cv2.error("many\nlines\nof OpenCV")
        with pytest.raises(CameraError, match="many lines of OpenCV"):
            camera.read()


@pytest.mark.parametrize("picture", [None, np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.uint16), "text"])
def test_what_is_not_an_eight_bit_colour_picture_is_refused(capture: Any, clock: FakeClock, picture: object) -> None:
    capture.picture = lambda _: picture
    with pytest.raises(CameraError, match="not an 8-bit colour picture"):
        opened(capture, clock)


def test_a_size_that_changes_while_running_is_refused(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera:
        capture.size = (128, 96)
        with pytest.raises(CameraError, match="delivers 128 × 96 px"):
            camera.read()


def test_a_busy_device_is_refused_and_released(capture: Any, clock: FakeClock) -> None:
    capture.opened = False
    with pytest.raises(CameraError, match="used by another program"):
        opened(capture, clock)
    assert capture.released == 1


def test_a_device_that_does_not_exist_is_refused_before_opencv_is_asked(capture: Any, clock: FakeClock) -> None:
    with pytest.raises(CameraError, match="/dev/video63: no such device; present: ") as refusal:
        V4l2Camera(63, clock, open_capture=capture)
    assert capture.source is None
    assert "\n" not in str(refusal.value)


def test_the_devices_that_are_there_are_named_in_order(
    capture: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [Path("/dev/video10"), Path("/dev/video2"), Path("/dev/video-dec")]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(nodes))
    with pytest.raises(CameraError, match="present: /dev/video2, /dev/video10;"):
        V4l2Camera("63", clock, open_capture=capture)


def test_a_file_is_not_a_camera(capture: Any, clock: FakeClock, tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(CameraError, match="is not a device"):
        V4l2Camera(str(tmp_path / "video0"), clock, open_capture=capture)


def test_a_device_that_may_not_be_used_says_which_group_to_join(
    capture: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.camera.v4l2.os.access", lambda *_: False)
    with pytest.raises(CameraError, match="add this user to the group"):
        opened(capture, clock)


def test_a_device_that_is_no_camera_is_refused_without_noise(
    clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CameraError, match="does not open as a camera"):
        V4l2Camera(DEVICE, clock)
    assert capfd.readouterr().err == ""


def test_reading_after_close_is_an_error(capture: Any, clock: FakeClock) -> None:
    camera = opened(capture, clock)
    camera.close()
    camera.close()
    assert capture.released == 1
    with pytest.raises(CameraError, match="was closed"):
        camera.read()


def test_a_silent_camera_is_told_before_its_thread_counts_as_standing_still(capture: Any, clock: FakeClock) -> None:
    with opened(capture, clock) as camera:
        capture.read = lambda: (clock.advance_ns(SELECT_TIMEOUT_S * SECOND), (False, None))[1]
        before_ns = clock.now_ns()
        with pytest.raises(CameraError, match="delivers no frames"):
            camera.read(READ_S)
        assert clock.now_ns() - before_ns < USUAL_NS
