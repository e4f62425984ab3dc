"""picamera2 and the sensor behind it, as far as one configuration and its event loop go; loaded by path.

Buffers are memory files that the sensor fills while they are queued, requests are counted, completed requests wait
for `process_requests`, and with `queue=False` none is kept for later: all as in picamera2 0.3.31 to 0.3.38.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MS = 1_000_000


def smooth_rgb(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Smooth colours with a little noise that chroma subsampling keeps."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).integers(0, 12, (height, width))
    planes = [60 + x // 4 + noise, 40 + y // 3 + noise, 180 - x // 4 + noise]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


def yuv_bytes(rgb: NDArray[np.uint8], stride: int, layout: str) -> bytes:
    """Full-range BT.601 in rows of `stride` bytes; what lies between the rows is 0xAA, as nobody clears it."""
    height, width = rgb.shape[:2]
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    half = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in (blue, red)]
    rows = np.full((height, stride), 0xAA, np.uint8)
    rows[:, :width] = luma
    if layout == "NV12":
        chroma = np.full((height // 2, stride), 0xAA, np.uint8)
        chroma[:, 0:width:2], chroma[:, 1:width:2] = half
    else:
        chroma = np.full((2, height // 2, stride // 2), 0xAA, np.uint8)
        chroma[0, :, : width // 2], chroma[1, :, : width // 2] = half
    return rows.tobytes() + chroma.tobytes()


@dataclass
class Sensor:
    """The world of the fake: what is plugged in, how it behaves, and what was asked of it."""

    clock: Any
    size: tuple[int, int] = (320, 256)
    stride: int = 352
    period_ns: int = 66 * MS
    cameras: list[dict[str, Any]] = field(
        default_factory=lambda: [{"Model": "ov5647", "Id": "/base/soc/i2c0mux/i2c@1/ov5647@36", "Num": 0}]
    )
    known_controls: tuple[str, ...] = ("FrameDurationLimits", "NoiseReductionMode", "ExposureTime", "AnalogueGain")
    metadata: dict[str, Any] = field(default_factory=lambda: {"ExposureTime": 20_000, "AnalogueGain": 2.5})
    stamp: Callable[[int], int] = lambda now_ns: now_ns - 5 * MS  # ns: time of the first row's readout
    two_planes: bool = False
    adjusts_to: dict[str, Any] = field(default_factory=dict)  # what `configure` changes of what was asked for
    short_bytes: int = 0  # how much too small the buffers are
    silent: bool = False
    bad_frames: int = 0  # so many fail their transfer before a good one
    breaks: dict[str, Exception] = field(default_factory=dict)  # by the name of the call

    opened: list[int] = field(default_factory=list)
    alive: int = 0
    started: int = 0
    configuration: dict[str, Any] = field(default_factory=dict)
    show_preview: Any = "not started"
    frames: int = 0
    free: int = 0  # buffers that wait for the sensor

    def check(self, call: str) -> None:
        if call in self.breaks:
            raise self.breaks[call]

    def __call__(self, index: int) -> FakePicamera2:
        return FakePicamera2(self, index)

    def global_camera_info(self) -> list[dict[str, Any]]:
        self.check("global_camera_info")
        return self.cameras


class FakePicamera2:
    """One opened camera."""

    def __init__(self, sensor: Sensor, index: int) -> None:
        sensor.check("Picamera2")
        sensor.opened.append(index)
        sensor.alive += 1
        self.sensor = sensor
        self.is_open = True
        self.sensor_resolution = sensor.size
        self.camera_controls = dict.fromkeys(sensor.known_controls, (0, 1, 0))
        self.notifyme_r, self._notify_w = os.pipe2(os.O_NONBLOCK)
        self.notifymeread = os.fdopen(self.notifyme_r, "rb")
        self._jobs: list[Job] = []
        self._new: list[FakeRequest] = []
        self._fds: list[int] = []
        self.queued: list[FakeBuffer] = []

    def create_still_configuration(self, **asked: Any) -> dict[str, Any]:
        self.sensor.check("create_still_configuration")
        return {"colour_space": "Sycc", "display": None, **asked}

    def configure(self, configuration: dict[str, Any]) -> None:
        sensor = self.sensor
        sensor.check("configure")
        assert not sensor.configuration, "configured twice: memory is allocated anew"
        main = {**configuration["main"], "stride": sensor.stride, **sensor.adjusts_to}
        sensor.configuration = {**configuration, "main": main}
        height = main["size"][1]
        self.length = main["stride"] * height * 3 // 2 - sensor.short_bytes
        for _ in range(configuration["buffer_count"]):
            fd = os.memfd_create("frame")
            os.ftruncate(fd, self.length)
            self._fds.append(fd)
            luma = main["stride"] * height
            lengths = [luma, self.length - luma] if sensor.two_planes else [self.length]
            self.queued.append(FakeBuffer([SimpleNamespace(fd=fd, offset=0, length=each) for each in lengths]))
        sensor.free = len(self.queued)

    def camera_configuration(self) -> dict[str, Any]:
        return self.sensor.configuration

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        self.sensor.check("start")
        assert config is None
        self.sensor.show_preview = show_preview
        self.sensor.started += 1

    def capture_request(self, wait: Any = None) -> Job:
        self.sensor.check("capture_request")
        assert wait is False, "anything else would wait for an event loop that is ours to turn"
        job = Job()
        self._jobs.append(job)
        self._expose()
        return job

    def process_requests(self, display: Any) -> None:
        self.sensor.check("process_requests")
        new, self._new = self._new, []
        for request in new:
            if request.failed:
                request.release()
            elif self._jobs:
                self._jobs.pop(0).future.set_result(request)
            else:
                request.release()
        if self._jobs:
            self._expose()

    def close(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.sensor.alive -= 1
        self.sensor.configuration = {}
        for fd in self._fds:
            os.close(fd)
        self.notifymeread.close()
        os.close(self._notify_w)
        self.sensor.check("close")

    def _expose(self) -> None:
        sensor = self.sensor
        if sensor.silent or not self.queued:
            return
        sensor.clock.advance_ns(sensor.period_ns)
        buffer = self.queued.pop(0)
        sensor.free = len(self.queued)
        sensor.frames += 1
        buffer.metadata.sequence = sensor.frames
        main = sensor.configuration["main"]
        picture = yuv_bytes(smooth_rgb(*main["size"], seed=sensor.frames), main["stride"], main["format"])
        os.pwrite(buffer.planes[0].fd, picture[: self.length], 0)
        metadata = {"SensorTimestamp": sensor.stamp(sensor.clock.now_ns()), **sensor.metadata}
        failed = sensor.bad_frames > 0
        sensor.bad_frames -= failed
        self._new.append(FakeRequest(self, buffer, metadata, failed=failed))
        os.write(self._notify_w, b"\0")


class Job:
    """A wish for the next request."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()

    def get_result(self, timeout: float | None = None) -> Any:
        return self.future.result(timeout=timeout)


@dataclass
class FakeBuffer:
    planes: list[Any]
    metadata: Any = field(default_factory=lambda: SimpleNamespace(sequence=0))


class FakeRequest:
    """A completed request: counted once, gives its buffer back when it is released."""

    def __init__(self, camera: FakePicamera2, buffer: FakeBuffer, metadata: dict[str, Any], *, failed: bool) -> None:
        self.camera, self.buffer, self.metadata, self.failed = camera, buffer, metadata, failed
        self.request: Any = SimpleNamespace(buffers={"a stream": buffer})

    def get_metadata(self) -> dict[str, Any]:
        return self.metadata

    def release(self) -> None:
        if self.request is None:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self.request = None
        if not self.camera.is_open:
            raise OSError(errno.EBADF, "Bad file descriptor")  # its cache is synchronised through a closed descriptor
        self.camera.queued.append(self.buffer)
        self.camera.sensor.free = len(self.camera.queued)


@contextlib.contextmanager
def plugged_in(clock: Any, **settings: Any) -> Iterator[Sensor]:
    """A sensor; at the end no camera may be left open."""
    sensor = Sensor(clock, **settings)
    yield sensor
    assert sensor.alive == 0, "a camera was left open"
