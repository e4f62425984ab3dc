"""What every camera promises, tried on every back end alike. A new camera is one more line in BACK_ENDS."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from device.camera.files import FilesCamera
from device.camera.picamera2 import PiCamera
from device.camera.picamera2_settings import PiCameraSettings
from device.camera.protocol import Camera
from device.camera.simulated import SimulatedCamera
from device.camera.v4l2 import V4l2Camera
from device.clock import MS, FakeClock
from device.frame import Frame
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld

WIDTH, HEIGHT = 320, 256
LUMA_TOLERANCE = 2.0
"""Mean difference (grey levels) between the luma and the still's own: chroma subsampling and rounding, no more."""

OpenCamera = Callable[[Path, FakeClock], Camera]


def _rgb(seed: int) -> NDArray[np.uint8]:
    """Smooth colours with a little noise: compresses as a photograph does."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(seed).integers(0, 12, (HEIGHT, WIDTH))
    planes = [60 + x // 4 + noise, 40 + y // 3 + noise, 180 - x // 4 + noise]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


def _folder(tmp_path: Path, suffix: str) -> Path:
    folder = tmp_path / "stills"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(_rgb(number)).save(folder / f"{number}{suffix}", quality=95)
    return folder


def _video(tmp_path: Path) -> Path:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(3):
        writer.write(_rgb(number)[:, :, ::-1])
    writer.release()
    return path


class _UsbCamera:
    """As much of `cv2.VideoCapture` as a USB camera needs."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.count = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8]]:
        self.clock.advance_ns(66 * MS)
        self.count += 1
        return True, np.ascontiguousarray(_rgb(self.count)[:, :, ::-1])

    def get(self, prop: int) -> float:
        return self.clock.now_ns() / MS if prop == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        """Nothing to give back."""


def usb(_: Path, clock: FakeClock) -> Camera:
    return V4l2Camera("/dev/null", clock, width=WIDTH, height=HEIGHT, open_capture=lambda *_: _UsbCamera(clock))


def load_fake(name: str) -> ModuleType:
    """A library that is only on boards, from tests/fakes."""
    path = Path(__file__).parents[1] / "fakes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fake_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"fake_{name}"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def pi_camera(_: Path, clock: FakeClock) -> Camera:
    sensor = load_fake("picamera2").Sensor(clock, size=(WIDTH, HEIGHT))
    return PiCamera(PiCameraSettings(), clock, load=lambda: sensor)


BACK_ENDS: dict[str, OpenCamera] = {
    "folder of PNG": lambda tmp_path, clock: FilesCamera(_folder(tmp_path, ".png"), clock),
    "folder of JPEG": lambda tmp_path, clock: FilesCamera(_folder(tmp_path, ".jpg"), clock),
    "one still": lambda tmp_path, clock: FilesCamera(_folder(tmp_path, ".jpg") / "0.jpg", clock),
    "video": lambda tmp_path, clock: FilesCamera(_video(tmp_path), clock),
    "v4l2": usb,
    "simulated": lambda _, clock: SimulatedCamera(
        SimulatedWorld(WorldSettings(seed=1, width=WIDTH, height=HEIGHT)), clock
    ),
    "picamera2": pi_camera,
}

FINITE: dict[str, OpenCamera] = {
    "folder": lambda tmp_path, clock: FilesCamera(_folder(tmp_path, ".png"), clock, loop=False),
    "one still": lambda tmp_path, clock: FilesCamera(_folder(tmp_path, ".png") / "0.png", clock, loop=False),
    "video": lambda tmp_path, clock: FilesCamera(_video(tmp_path), clock, loop=False),
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(3_000 * MS)


@pytest.fixture(params=BACK_ENDS)
def camera(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Camera]:
    opened = BACK_ENDS[request.param](tmp_path, clock)
    yield opened
    opened.close()


def frames(camera: Camera, count: int) -> list[Frame]:
    found = []
    for _ in range(count):
        frame = camera.read()
        assert frame is not None
        found.append(frame)
    return found


def test_ids_and_time_stamps_rise_strictly(camera: Camera, clock: FakeClock) -> None:
    with camera:
        found = frames(camera, 7)
    ids = [frame.id for frame in found]
    times = [frame.exposed_ns for frame in found]
    assert ids == sorted(set(ids))
    assert times == sorted(set(times))
    assert times[-1] <= clock.now_ns()


def test_luma_is_a_read_only_8_bit_picture_of_the_size_announced(camera: Camera) -> None:
    with camera, frames(camera, 1)[0] as frame:
        assert frame.luma.shape == (camera.info.height, camera.info.width)
        assert frame.luma.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            frame.luma[0, 0] = 1


def test_the_still_shows_the_pixels_that_the_luma_shows(camera: Camera) -> None:
    with camera:
        for frame in frames(camera, 2):
            with frame:
                still = frame.still()
                assert still.shape == (*frame.luma.shape, 3)
                assert still.dtype == np.uint8
                luma = still.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
                assert np.abs(luma - frame.luma).mean() <= LUMA_TOLERANCE


def test_a_frame_that_is_held_outlives_later_frames_and_the_camera(camera: Camera) -> None:
    frame = frames(camera, 1)[0]
    luma, still = frame.luma.copy(), frame.still().copy()
    for later in frames(camera, 3):
        later.close()
    camera.close()
    assert np.array_equal(frame.luma, luma)
    assert np.array_equal(frame.still(), still)
    frame.close()
    assert frame.released


def test_closing_twice_is_harmless(camera: Camera) -> None:
    frames(camera, 1)[0].close()
    camera.close()
    camera.close()


def test_the_camera_is_its_own_context(camera: Camera) -> None:
    with camera as entered:
        assert entered is camera


def test_info_names_the_camera_on_one_line(camera: Camera) -> None:
    with camera:
        assert camera.info.id
        assert camera.info.id.isprintable()
        assert camera.info.kind in {"files", "v4l2", "simulated", "picamera2"}
        assert camera.info.live == (camera.info.kind != "files")


@pytest.mark.parametrize("kind", FINITE)
def test_a_finite_source_ends_with_none_and_stays_there(kind: str, tmp_path: Path, clock: FakeClock) -> None:
    with FINITE[kind](tmp_path, clock) as camera:
        count = 1 if kind == "one still" else 3
        for frame in frames(camera, count):
            frame.close()
        assert camera.read() is None
        assert camera.read() is None
