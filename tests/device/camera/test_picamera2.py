"""The Raspberry Pi camera over a picamera2 that hands out real memory, counts its requests and can fail anywhere."""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from device.camera import picamera2 as driver
from device.camera.libcamera_errors import explained
from device.camera.picamera2 import PiCamera, load_picamera2
from device.camera.picamera2_settings import PiCameraSettings
from device.clock import MS, FakeClock
from models.errors import CameraError

FAKE = Path(__file__).parents[2] / "fakes" / "picamera2.py"


@pytest.fixture(scope="module")
def fake() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_picamera2", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_picamera2"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sensor(fake: ModuleType, clock: FakeClock) -> Iterator[Any]:
    with fake.plugged_in(clock) as plugged:
        yield plugged


@pytest.fixture
def opened(sensor: Any, clock: FakeClock) -> Iterator[Callable[..., PiCamera]]:
    """Opens the camera with these settings; closes it after the test."""
    cameras: list[PiCamera] = []

    def open_with(**settings: Any) -> PiCamera:
        cameras.append(PiCamera(PiCameraSettings(**settings), clock, load=lambda: sensor))
        return cameras[-1]

    yield open_with
    for camera in cameras:
        camera.close()


def test_it_is_configured_once_at_full_size_in_full_range_yuv_without_a_queue(
    opened: Callable[..., PiCamera], sensor: Any
) -> None:
    camera = opened()
    for _ in range(20):
        camera.read().close()
    asked = sensor.configuration
    assert (asked["main"]["size"], asked["main"]["format"]) == ((320, 256), "YUV420")
    assert (asked["colour_space"], asked["buffer_count"], asked["queue"], asked["raw"]) == ("Sycc", 6, False, None)
    assert (sensor.started, sensor.show_preview) == (1, None)


def test_luma_is_the_cameras_own_memory_and_no_copy_of_it(opened: Callable[..., PiCamera], sensor: Any) -> None:
    with opened().read() as frame:
        assert frame.luma.strides == (352, 1)
        fd = frame._release.args[0].buffer.planes[0].fd  # type: ignore[union-attr]
        os.pwrite(fd, b"\x07\x08\x09", 2 * 352)
        assert frame.luma[2, :3].tolist() == [7, 8, 9]


@pytest.mark.parametrize("layout", ["YUV420", "NV12"])
@pytest.mark.parametrize("two_planes", [False, True])
def test_luma_and_still_are_the_picture_that_was_taken(
    opened: Callable[..., PiCamera], sensor: Any, fake: ModuleType, layout: str, two_planes: bool
) -> None:
    sensor.two_planes = two_planes
    camera = opened(layout=layout)
    for count in range(1, 9):
        taken = fake.smooth_rgb(320, 256, seed=count)
        with camera.read() as frame:
            assert np.array_equal(frame.luma, cv2.cvtColor(taken, cv2.COLOR_RGB2YCrCb)[:, :, 0])
            assert np.abs(frame.still().astype(int) - taken).mean() < 2.0
            assert frame.still().shape == (256, 320, 3)


def test_the_frame_carries_the_start_of_its_exposure_and_what_the_sensor_said(
    opened: Callable[..., PiCamera], sensor: Any, clock: FakeClock
) -> None:
    sensor.metadata["LensPosition"] = 8.5
    with opened().read() as frame:
        assert frame.exposed_ns == clock.now_ns() - 5 * MS - 20 * MS
        assert frame.info.exposure_us == 20_000
        assert frame.info.analogue_gain == 2.5
        assert frame.info.lens_position_dioptre == 8.5
        assert frame.info.sequence == 1


def test_a_camera_that_does_not_tell_its_exposure_is_taken_at_its_time_stamp(
    opened: Callable[..., PiCamera], sensor: Any, clock: FakeClock
) -> None:
    sensor.metadata.clear()
    with opened().read() as frame:
        assert frame.exposed_ns == clock.now_ns() - 5 * MS
        assert frame.info.exposure_us is None


@pytest.mark.parametrize("stamp", [lambda now: now + 1, lambda now: now - 1001 * MS, lambda _: 0])
def test_a_frame_whose_age_cannot_be_known_is_an_error_and_goes_back(
    opened: Callable[..., PiCamera], sensor: Any, stamp: Callable[[int], int]
) -> None:
    camera = opened()
    sensor.stamp = stamp
    with pytest.raises(CameraError, match="not of the monotonic clock"):
        camera.read()
    assert sensor.free == 6


def test_time_never_stands_still_even_if_the_exposure_jumps(opened: Callable[..., PiCamera], sensor: Any) -> None:
    camera = opened()
    with camera.read() as first:
        sensor.metadata["ExposureTime"] = 900_000
        with camera.read() as second:
            assert second.exposed_ns == first.exposed_ns + 1


def test_closing_a_frame_gives_its_buffer_back(opened: Callable[..., PiCamera], sensor: Any) -> None:
    camera = opened()
    frame = camera.read()
    assert sensor.free == 5
    frame.close()
    assert sensor.free == 6


def test_however_many_frames_are_held_the_sensor_keeps_its_buffers(
    opened: Callable[..., PiCamera], sensor: Any
) -> None:
    camera = opened()
    held = [camera.read() for _ in range(20)]
    assert sensor.free == 3
    lumas = [frame.luma.copy() for frame in held]
    for _ in range(20):
        camera.read().close()
    assert all(np.array_equal(frame.luma, luma) for frame, luma in zip(held, lumas, strict=True))
    assert len({frame.luma.tobytes() for frame in held}) == 20
    for frame in held:
        frame.close()
    assert sensor.free == 6
    with camera.read():
        assert sensor.free == 5  # in the camera's own memory again, no copy


def test_frames_that_waited_while_nobody_read_are_passed_over(
    opened: Callable[..., PiCamera], sensor: Any, clock: FakeClock
) -> None:
    camera = opened()
    for _ in range(5):
        camera._camera._expose()
    clock.advance_ns(3000 * MS)
    with camera.read() as frame:
        assert clock.now_ns() - frame.exposed_ns < 100 * MS
    assert sensor.free == 6


def test_frames_that_failed_their_transfer_are_passed_over(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.bad_frames = 4
    with opened().read() as frame:
        assert frame.info.sequence == 5
    assert sensor.free == 6


def test_silence_is_an_error_in_time_and_the_wish_is_kept(opened: Callable[..., PiCamera], sensor: Any) -> None:
    camera = opened()
    sensor.silent = True
    for _ in range(3):
        with pytest.raises(CameraError, match="delivers no frames"):
            camera.read(timeout_s=0.001)
    sensor.silent = False
    camera._camera._expose()
    camera.read().close()
    assert sensor.free == 6


def test_frames_outlive_the_camera(opened: Callable[..., PiCamera]) -> None:
    camera = opened()
    frame = camera.read()
    luma, still = frame.luma.copy(), frame.still()
    camera.close()
    camera.close()
    assert np.array_equal(frame.luma, luma)
    assert np.array_equal(frame.still(), still)
    frame.close()
    with pytest.raises(CameraError, match="was closed"):
        camera.read()


def test_it_opens_again_after_a_failure_while_old_frames_are_held(opened: Callable[..., PiCamera], sensor: Any) -> None:
    first = opened()
    old = first.read()
    kept = old.luma.copy()
    sensor.breaks["process_requests"] = RuntimeError("Camera frontend has timed out!")
    with pytest.raises(CameraError, match="RuntimeError: Camera frontend has timed out!"):
        first.read()
    first.close()
    sensor.breaks.clear()
    with opened().read() as new:
        assert not np.array_equal(new.luma, kept)
        assert np.array_equal(old.luma, kept)
    old.close()


INIT_FAILED = RuntimeError("Camera __init__ sequence did not complete.")
INIT_FAILED.__cause__ = RuntimeError("Failed to acquire camera: Device or resource busy")


@pytest.mark.parametrize(
    "call", ["global_camera_info", "Picamera2", "create_still_configuration", "configure", "start"]
)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (INIT_FAILED, "is used by another program"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "not enough contiguous memory"),
        (RuntimeError("Could not open any dmaHeap device"), "no /dev/dma_heap may be opened"),
        (PermissionError(errno.EACCES, "Permission denied"), "add this user to the group video"),
        (IndexError("list index out of range"), "IndexError: list index out of range"),
        (RuntimeError("Camera(s) not found (Do not forget to disable legacy camera)."), "check the cable"),
    ],
)
def test_every_failure_at_the_start_is_one_line_that_helps_and_leaves_no_camera_open(
    opened: Callable[..., PiCamera], sensor: Any, call: str, error: Exception, words: str
) -> None:
    sensor.breaks[call] = error
    with pytest.raises(CameraError, match=words.replace("(", r"\(")) as caught:
        opened()
    assert "\n" not in str(caught.value)
    assert sensor.alive == 0


@pytest.mark.parametrize("call", ["capture_request", "process_requests"])
def test_a_failure_while_running_is_one_line_too(opened: Callable[..., PiCamera], sensor: Any, call: str) -> None:
    camera = opened()
    sensor.breaks[call] = OSError(errno.ENODEV, "No such device")
    with pytest.raises(CameraError, match=r"camera picamera2:ov5647:.*: no camera is found; check the cable"):
        camera.read()


def test_the_camera_is_its_own_context(opened: Callable[..., PiCamera], sensor: Any) -> None:
    with opened() as camera:
        assert sensor.alive == 1
        assert (camera.info.width, camera.info.height, camera.info.live) == (320, 256, True)
    assert sensor.alive == 0


def test_a_camera_that_does_not_close_is_only_told(
    opened: Callable[..., PiCamera], sensor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    camera = opened()
    sensor.breaks["close"] = RuntimeError("Failed to release camera")
    camera.close()
    assert "did not close" in caplog.text


def test_no_camera_is_told_as_such(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.cameras.clear()
    with pytest.raises(CameraError, match="camera picamera2: no such camera; present: none; check the cable"):
        opened()


def test_of_several_cameras_one_must_be_named_and_is_opened_by_its_place_in_the_list(
    opened: Callable[..., PiCamera], sensor: Any
) -> None:
    sensor.cameras.append({"Model": "imx708", "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a", "Num": 5})
    with pytest.raises(CameraError, match="there are several"):
        opened()
    with pytest.raises(CameraError, match=r"camera picamera2:ov9281: no such camera; present: ov5647:.*, imx708:"):
        opened(name="ov9281")
    camera = opened(name="imx708")
    assert sensor.opened == [1]
    assert camera.info.id == "picamera2:imx708:/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a"


def test_a_size_that_the_camera_changes_is_refused(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.adjusts_to = {"size": (320, 240)}
    with pytest.raises(CameraError, match="delivers 320 × 240 px YUV420 where 320 × 256 px YUV420 were asked for"):
        opened()


def test_a_layout_that_the_camera_changes_is_refused(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.adjusts_to = {"format": "NV12"}
    with pytest.raises(CameraError, match="delivers 320 × 256 px NV12"):
        opened()


def test_buffers_that_cannot_hold_a_picture_are_an_error(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.short_bytes = 1
    camera = opened()
    with pytest.raises(CameraError, match="its buffers hold 135167 bytes where a picture has 135168"):
        camera.read()
    assert sensor.free == 6


def test_controls_are_given_in_libcameras_words(opened: Callable[..., PiCamera], sensor: Any) -> None:
    sensor.known_controls += ("ColourGains", "AfMode", "LensPosition")
    opened(
        fps=10.0, exposure_us=8000, analogue_gain=2.0, white_balance=(1.5, 1.75), lens_position_dioptre=9.0, width=320
    )
    assert sensor.configuration["controls"] == {
        "FrameDurationLimits": (100_000, 100_000),
        "ExposureTime": 8000,
        "AnalogueGain": 2.0,
        "ColourGains": (1.5, 1.75),
        "AfMode": 0,
        "LensPosition": 9.0,
        "NoiseReductionMode": 1,
    }


def test_a_control_that_the_camera_has_not_is_refused_if_it_was_asked_for(
    opened: Callable[..., PiCamera], sensor: Any
) -> None:
    with pytest.raises(CameraError, match="has no AfMode, LensPosition; leave its setting out"):
        opened(lens_position_dioptre=9.0)
    sensor.known_controls = ()
    opened()
    assert sensor.configuration["controls"] == {}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("No module named 'libcamera'"), "install python3-picamera2"),
        (RuntimeError("numpy.dtype size changed"), "numpy.dtype size changed"),
    ],
)
def test_a_library_that_does_not_load_is_told_in_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: str) -> ModuleType:
        raise error

    monkeypatch.setattr(driver.importlib, "import_module", failing)
    with pytest.raises(CameraError, match=words) as caught:
        load_picamera2()
    assert "\n" not in str(caught.value)


def test_the_library_is_taken_from_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("picamera2")
    library.Picamera2 = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", library)
    assert load_picamera2() is library.Picamera2


def test_causes_that_run_in_a_ring_come_to_an_end() -> None:
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    assert "RuntimeError: second" in explained(first)
