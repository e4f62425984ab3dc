"""Any USB camera, through OpenCV's Video4Linux back end.

Luma is not zero-copy here: OpenCV decodes Motion JPEG or YUYV into a BGR picture of its own and does not hand out the
camera's buffer, so luma costs one conversion (and the picture, in return, stays valid for as long as it is held).
"""

from __future__ import annotations

import os
import re
import stat
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from device.camera.opencv import (
    SELECT_TIMEOUT_S,
    Bgr,
    Capture,
    OpenCapture,
    as_bgr,
    luma_of,
    open_quietly,
    rgb_of,
)
from device.camera.protocol import CameraInfo
from device.clock import MS, SECOND, Clock
from device.frame import ExposureInfo, Frame
from models.errors import CameraError, one_line
from models.images import shown

RAW_MAX_PIXELS = 640 * 480
"""Above this USB 2 carries no raw video at a useful rate: Motion JPEG is asked for (UVC, 480 Mbit/s)."""

ATTEMPTS = 3
"""Reads before giving up: the first Motion JPEG pictures after a start are often incomplete."""

MAX_STAMP_AGE_NS = SECOND
"""A driver's time stamp older than this, or in the future, is not of the monotonic clock."""


class V4l2Camera:
    """The camera at /dev/video`device` (or at the path `device`), at exactly the size asked for.

    `exposed_ns` is the driver's time stamp of the frame (UVC: start of exposure, monotonic clock), read through
    CAP_PROP_POS_MSEC. Where it is missing or of another clock, the moment at which the frame was *asked for* is taken
    instead: a frame then seems older than it is, never fresher.

    One wait inside OpenCV is bounded by `opencv.SELECT_TIMEOUT_S` (this back end knows no other time-out), so `read`
    can take that long even if `timeout_s` is shorter. A driver that hangs in the kernel is not bounded by anything:
    the age of evidence closes the gate, and the camera thread's silence ends the process.

    Raises CameraError from the constructor if the device is missing, forbidden, busy, not a camera, or cannot deliver
    the size; from `read` if it vanishes, stays silent, or changes size.
    """

    def __init__(
        self,
        device: int | str,
        clock: Clock,
        *,
        width: int = 2592,
        height: int = 1944,
        fps: float | None = None,
        open_capture: OpenCapture = open_quietly,
    ) -> None:
        self._path = Path(f"/dev/video{device}" if str(device).isdecimal() else str(device))
        self._where = f"camera v4l2:{shown(self._path)}"
        self._clock = clock
        self._size = (width, height)
        self._count = 0
        self._exposed_ns = -1
        _check_device(self._path, self._where)
        self._capture: Capture | None = _open(self._path, self._where, open_capture)
        try:
            _ask_for(self._capture, width, height, fps)
            self._next_picture(self._capture, clock.now_ns() + ATTEMPTS * SECOND)
        except CameraError:
            self.close()
            raise
        self._info = CameraInfo(id=f"v4l2:{shown(self._path)}", kind="v4l2", width=width, height=height, live=True)

    @property
    def info(self) -> CameraInfo:
        return self._info

    def read(self, timeout_s: float = 2.0) -> Frame:
        """The next frame; its pixels are its own, so it stays valid after `close`."""
        if self._capture is None:
            raise CameraError(f"{self._where}: was closed; open it again")
        asked_ns = self._clock.now_ns()
        bgr = self._next_picture(self._capture, asked_ns + round(timeout_s * SECOND))
        stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * MS)
        credible = 0 < stamp_ns <= self._clock.now_ns() <= stamp_ns + MAX_STAMP_AGE_NS
        exposed_ns = stamp_ns if credible else asked_ns
        self._exposed_ns = max(exposed_ns, self._exposed_ns + 1)
        self._count += 1
        return Frame(
            id=self._count,
            exposed_ns=self._exposed_ns,
            luma=luma_of(bgr),
            still=partial(rgb_of, bgr),
            info=ExposureInfo(),
        )

    def close(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _next_picture(self, capture: Capture, deadline_ns: int) -> Bgr:
        for _ in range(ATTEMPTS):
            try:
                ok, picture = capture.read()
            except cv2.error as error:
                raise CameraError(f"{self._where}: OpenCV failed ({one_line(error, 80)}); connect it again") from error
            if ok:
                return self._checked(as_bgr(picture, self._where))
            if not self._path.exists():
                raise CameraError(f"{self._where}: vanished; connect it again")
            if self._clock.now_ns() + SELECT_TIMEOUT_S * SECOND > deadline_ns:  # the next wait could not end in time
                break
        raise CameraError(f"{self._where}: delivers no frames; connect it again, or end what else uses it")

    def _checked(self, bgr: Bgr) -> Bgr:
        size = (bgr.shape[1], bgr.shape[0])
        if size == self._size:
            return bgr
        raise CameraError(
            f"{self._where}: delivers {size[0]} × {size[1]} px where {self._size[0]} × {self._size[1]} were asked for; "
            f"set camera.width and camera.height to a size that it has (`v4l2-ctl --list-formats-ext` lists them)"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_device(path: Path, where: str) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        present = ", ".join(str(node) for node in _video_nodes()) or "none"
        raise CameraError(f"{where}: no such device; present: {present}; connect the camera or name another") from error
    if not stat.S_ISCHR(mode):
        raise CameraError(f"{where}: is not a device; name one such as v4l2:0 (play files with files:PATH)")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraError(f"{where}: no permission; add this user to the group that owns it (usually `video`)")


def _video_nodes() -> list[Path]:
    nodes = [node for node in Path("/dev").glob("video*") if re.fullmatch(r"video\d+", node.name)]
    return sorted(nodes, key=lambda node: int(node.name.removeprefix("video")))


def _open(path: Path, where: str, open_capture: OpenCapture) -> Capture:
    capture = open_capture(str(path), cv2.CAP_V4L2)
    if capture.isOpened():
        return capture
    capture.release()
    raise CameraError(f"{where}: does not open as a camera; it is used by another program or is no video source")


def _ask_for(capture: Capture, width: int, height: int, fps: float | None) -> None:
    """Ask only: drivers answer as they like, so the frames themselves are checked, not the answers."""
    if width * height > RAW_MAX_PIXELS:
        capture.set(cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*"MJPG")))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, float(width))
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, float(height))
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1.0)  # the newest frame, not a queue of old ones
