"""OpenCV's video capture without its chatter: the one place that opens one, for videos and for USB cameras."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from device.frame import Rgb
from models.errors import CameraError
from models.focusmap import Luma

Bgr = NDArray[np.uint8]

SELECT_TIMEOUT_S = 1
"""Longest wait for one frame inside OpenCV's V4L2 back end (whole seconds; its own default is 10). Below what the
camera thread may be silent for (`device.supervision.beats.USUAL_NS`)."""

LOG_SILENT = 0
"""OpenCV's LOG_LEVEL_SILENT."""


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`; tests bring their own."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name

    def read(self) -> tuple[bool, Any]: ...

    def get(self, propId: int, /) -> float: ...  # noqa: N803 - OpenCV's name

    def set(self, propId: int, value: float, /) -> bool: ...  # noqa: N803 - OpenCV's name

    def release(self) -> None: ...


OpenCapture = Callable[[str, int], Capture]


def open_quietly(source: str, backend: int) -> Capture:
    """Open a video file or a device. OpenCV and FFmpeg say nothing on stderr: failures are told by the caller, once."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read at the first use of FFmpeg
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SELECT_TIMEOUT_S))  # read at the first wait
    set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # OpenCV 4, OpenCV 5
    set_log_level(LOG_SILENT)
    return cv2.VideoCapture(source, backend)


def as_bgr(picture: object, where: str) -> Bgr:
    """`picture` if it is an 8-bit BGR image. Raises CameraError if it is anything else."""
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3:
        return picture
    raise CameraError(f"{where}: delivers what is not an 8-bit colour picture; choose another camera, format or file")


def luma_of(bgr: Bgr) -> Luma:
    """BT.601 full-range luma: one pass over the picture, into an array of its own."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def rgb_of(bgr: Bgr) -> Rgb:
    """The same pixels in RGB order."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
