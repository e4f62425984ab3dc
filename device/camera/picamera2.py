"""A Raspberry Pi camera, through picamera2 (from the system's packages, with libcamera).

One configuration for the life of the process: switching modes allocates contiguous memory anew and fails after days.
The stream is YUV 4:2:0 at the sensor's full size, so that luma is the first plane of the buffer: it is mapped once and
looked at where it lies. Luma and still are of one request, held until the frame is let go.

There is no thread here: picamera2 is started without its own event loop, and `read` is that loop. A loop that fails
then fails in `read`, where it is seen, and `close` waits for nobody.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import mmap
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from device.camera.libcamera_errors import explained
from device.camera.picamera2_settings import PiCameraSettings
from device.camera.protocol import CameraInfo
from device.camera.yuv import bytes_of, luma_in, rgb_in
from device.clock import SECOND, Clock
from device.frame import ExposureInfo, Frame
from models.errors import CameraError, one_line

log = logging.getLogger("focusgate")

NOISE_REDUCTION_FAST = 1
"""libcamera's draft::NoiseReductionModeFast; the high-quality mode halves the frame rate of a Pi 4 at full size."""

MAX_STAMP_AGE_NS = SECOND
"""A sensor time stamp older than this, or in the future, is not of the monotonic clock."""

# What picamera2 and libcamera's bindings raise, from an absent camera to a driver that gave up.
FAILURES = (RuntimeError, OSError, LookupError, ValueError, AttributeError, AssertionError, CancelledError)


def load_picamera2() -> Any:
    """picamera2's class. Raises CameraError where it is missing or cannot start."""
    try:
        return importlib.import_module("picamera2").Picamera2
    except ImportError as error:
        raise CameraError(
            f"camera picamera2: cannot be loaded ({one_line(error, 100)}); install python3-picamera2 from the system's "
            "packages, and make the environment with --system-site-packages"
        ) from error
    except FAILURES as error:
        raise CameraError(f"camera picamera2: {explained(error)}") from error


class PiCamera:
    """The camera that `settings` name, at exactly the size asked for.

    `exposed_ns` is SensorTimestamp less the exposure time: the stamp is taken when the first row is read out. A frame
    may seem older than it is, never fresher. While more frames are held than the sensor can spare, the next ones are
    copies: a slow disk costs a copy, never the stream. A driver that hangs in the kernel is not bounded by anything
    here: the age of evidence closes the gate.

    Raises CameraError from the constructor for no camera, several without a name, one that is busy or forbidden, too
    little memory, a size or control that the camera has not; from `read` if no frame comes, or what comes cannot be
    used.
    """

    def __init__(
        self,
        settings: PiCameraSettings,
        clock: Clock,
        *,
        load: Callable[[], Any] = load_picamera2,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._where = "camera picamera2"
        self._camera: Any = None
        self._job: Any = None
        self._maps: dict[int, NDArray[np.uint8]] = {}
        self._held = 0
        self._lock = threading.Lock()
        self._count = 0
        self._exposed_ns = -1
        picamera2 = load()
        try:
            with self._telling():
                self._open(picamera2)
        except CameraError:
            self.close()
            raise

    def _open(self, picamera2: Any) -> None:
        index, name = _chosen(picamera2.global_camera_info(), self._settings.name)
        self._where = f"camera picamera2:{name}"
        self._camera = camera = picamera2(index)
        size = (
            self._settings.width or camera.sensor_resolution[0],
            self._settings.height or camera.sensor_resolution[1],
        )
        configuration = camera.create_still_configuration(  # stills: full-range luma, and no stream to be displayed
            main={"format": self._settings.layout, "size": size},
            raw=None,
            buffer_count=self._settings.buffers,
            queue=False,  # a frame that waited for us is an old frame
            controls=self._controls(camera.camera_controls),
        )
        camera.configure(configuration)
        main = camera.camera_configuration()["main"]
        if tuple(main["size"]) != size or main["format"] != self._settings.layout:
            found = "{} × {} px {}".format(*main["size"], main["format"])
            raise CameraError(
                f"{self._where}: delivers {found} where {size[0]} × {size[1]} px {self._settings.layout} were asked "
                "for; set camera.width and camera.height to a size of its own ('rpicam-hello --list-cameras')"
            )
        self._stride = int(main["stride"])
        self._info = CameraInfo(id=f"picamera2:{name}", kind="picamera2", width=size[0], height=size[1], live=True)
        camera.start(show_preview=None)

    def _controls(self, known: dict[str, Any]) -> dict[str, Any]:
        """The controls asked for; one that the camera has not is an error, unless nobody asked for it."""
        wanted = self._settings.controls()
        own = {"FrameDurationLimits"}  # of ours: fps is a wish
        missing = sorted(set(wanted) - set(known) - own)
        if missing:
            raise CameraError(f"{self._where}: has no {', '.join(missing)}; leave its setting out of [camera]")
        wanted["NoiseReductionMode"] = NOISE_REDUCTION_FAST
        return {name: value for name, value in wanted.items() if name in known}

    @property
    def info(self) -> CameraInfo:
        return self._info

    def read(self, timeout_s: float = 2.0) -> Frame:
        """The next frame; it stays valid after `close`. What waited while nobody read is passed over, not delivered."""
        if self._camera is None:
            raise CameraError(f"{self._where}: was closed; open it again")
        deadline_ns = self._clock.now_ns() + round(timeout_s * SECOND)
        for _ in range(self._settings.buffers + 1):
            with self._telling():
                request = self._next_request(self._camera, deadline_ns)
            try:
                with self._telling():
                    metadata = request.get_metadata()
                    if self._is_credible(metadata):
                        return self._frame(request, metadata)
            except CameraError:
                self._release(request)
                raise
            self._release(request)
        stamps = f"{metadata.get('SensorTimestamp')} at {self._clock.now_ns()} ns"
        raise CameraError(
            f"{self._where}: its time stamps are not of the monotonic clock ({stamps}), so no frame can be trusted "
            "to be fresh; update libcamera, or use another camera"
        )

    def _is_credible(self, metadata: dict[str, Any]) -> bool:
        age_ns = self._clock.now_ns() - int(metadata.get("SensorTimestamp", 0))
        return 0 <= age_ns <= MAX_STAMP_AGE_NS

    def _next_request(self, camera: Any, deadline_ns: int) -> Any:
        """Turn picamera2's event loop until it has a frame for us. An unanswered wish is kept for the next call."""
        if self._job is None:
            self._job = camera.capture_request(wait=False)
        while True:
            job, self._job = self._job, None
            try:
                return job.get_result(timeout=0)
            except TimeoutError:
                self._job = job
            wait_s = max(0, deadline_ns - self._clock.now_ns()) / SECOND
            ready, _, _ = select.select([camera.notifyme_r], [], [], wait_s)
            if not ready:
                raise CameraError(
                    f"{self._where}: delivers no frames; check the cable, or end what else uses it; it is restarted"
                )
            camera.notifymeread.read()
            camera.process_requests(self)

    def render_request(self, request: Any) -> None:
        """picamera2's event loop would display it here."""

    def _frame(self, request: Any, metadata: dict[str, Any]) -> Frame:
        exposure_us = metadata.get("ExposureTime")
        buffer = next(iter(request.request.buffers.values()))
        memory = self._mapped(buffer)
        with self._lock:
            spare = self._held < self._settings.held_at_most
            self._held += spare
        release: Callable[[], None] | None = partial(self._let_go, request)
        if not spare:
            memory = memory.copy()
            release = None
        width, height = self._info.width, self._info.height
        began_ns = int(metadata["SensorTimestamp"]) - round(1000 * (exposure_us or 0))
        self._exposed_ns = max(began_ns, self._exposed_ns + 1)
        self._count += 1
        frame = Frame(
            id=self._count,
            exposed_ns=self._exposed_ns,
            luma=luma_in(memory, width, height, self._stride),
            still=partial(rgb_in, memory, width, height, self._stride, self._settings.layout),
            info=ExposureInfo(
                exposure_us=exposure_us,
                analogue_gain=metadata.get("AnalogueGain"),
                lens_position_dioptre=metadata.get("LensPosition"),
                sequence=getattr(buffer.metadata, "sequence", None),
            ),
            release=release,
        )
        if not spare:
            self._release(request)
        return frame

    def _mapped(self, buffer: Any) -> NDArray[np.uint8]:
        """All planes of the buffer, one after the other. Mapped once: the buffers stay for the life of the process.

        The mapping is our own, so that it outlives picamera2's, which goes at `close`. The processor's cache is
        synchronised by picamera2 for as long as the request is held.
        """
        planes = list(buffer.planes)
        key = int(planes[0].fd)
        if key not in self._maps:
            length = sum(int(plane.length) for plane in planes)
            needed = bytes_of(self._info.height, self._stride)
            if length < needed:
                raise CameraError(
                    f"{self._where}: its buffers hold {length} bytes where a picture has {needed}; update libcamera"
                )
            memory = mmap.mmap(key, length, mmap.MAP_SHARED, mmap.PROT_READ)
            self._maps[key] = np.frombuffer(memory, np.uint8)
        return self._maps[key]

    def _let_go(self, request: Any) -> None:
        with self._lock:
            self._held -= 1
        self._release(request)

    def _release(self, request: Any) -> None:
        """Give the buffer back; after `close` or in a camera that is failing there is nobody to give it to."""
        try:
            request.release()
        except FAILURES as error:
            log.debug("%s: a buffer was not taken back (%s)", self._where, one_line(error))

    def close(self) -> None:
        camera, self._camera = self._camera, None
        self._job = None
        self._maps = {}  # frames still held keep their own
        if camera is None:
            return
        try:
            camera.close()
        except FAILURES as error:
            log.warning("%s: did not close (%s)", self._where, explained(error))

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise CameraError(f"{self._where}: {explained(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _chosen(found: list[dict[str, Any]], name: str | None) -> tuple[int, str]:
    """Index and name of the camera; the index counts in this very list, not by its "Num".

    Raises CameraError if there is none, or several to choose from.
    """
    names = [f"{item.get('Model', 'unknown')}:{item['Id']}" for item in found]
    fitting = [index for index, each in enumerate(names) if name is None or name in each]
    if len(fitting) == 1:
        return fitting[0], names[fitting[0]]
    wanted = "camera picamera2" if name is None else f"camera picamera2:{name}"
    present = ", ".join(names) or "none"
    if not fitting:
        raise CameraError(
            f"{wanted}: no such camera; present: {present}; check the cable, then 'rpicam-hello --list-cameras'"
        )
    raise CameraError(f"{wanted}: there are several ({present}); set camera.name to a part of one name alone")
