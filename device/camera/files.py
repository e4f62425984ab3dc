"""A camera that plays files: a folder of images, one still, or a video, at a steady rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from device.camera.opencv import OpenCapture, as_bgr, luma_of, open_quietly, rgb_of
from device.camera.protocol import CameraInfo
from device.clock import SECOND, Clock
from device.frame import ExposureInfo, Frame, Rgb
from models.errors import CameraError, InputError
from models.focusmap import Luma
from models.images import list_images, read_image, shown

MIN_RATE_HZ = 0.5  # one frame within the two seconds that a reader waits by default
MAX_RATE_HZ = 240.0

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mjpg", ".mjpeg", ".mpg", ".mpeg"})
"""What is opened as a video, in any case of letters; any other file is taken for a still."""

Picture = tuple[Luma, Callable[[], Rgb]]
Pass = Generator[Picture, None, None]  # the pictures once, from first to last


class FilesCamera:
    """Plays `path` at `rate_hz`, for ever or (`loop=False`) once.

    A folder is played in natural order of names; its images may differ in size, and the tile grid follows each frame
    (`info` tells the size of the first). Luma is the decoded array itself, never a copy. `exposed_ns` is the moment of
    delivery: a file has no exposure. At most one decoded still is kept, so that a looped still is decoded once.

    Raises CameraError from the constructor if there is nothing to play, from `read` if a file turns out to be broken;
    InputError for a rate out of range.
    """

    def __init__(
        self,
        path: Path | str,
        clock: Clock,
        *,
        rate_hz: float = 10.0,
        loop: bool = True,
        open_capture: OpenCapture = open_quietly,
    ) -> None:
        if not (math.isfinite(rate_hz) and MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ):
            raise InputError(f"camera.rate_hz = {rate_hz} is not possible; allowed: {MIN_RATE_HZ} to {MAX_RATE_HZ}")
        self._clock = clock
        self._period_ns = round(SECOND / rate_hz)
        self._loop = loop
        self._play = _player(Path(path), open_capture)
        self._pictures = self._play()
        self._ahead: Picture | None = self._next_picture()
        self._count = 0
        self._due_ns = clock.now_ns()
        self._exposed_ns = -1
        self._closed = False
        if self._ahead is None:
            raise CameraError(f"camera files:{shown(path)}: holds no picture; give a file that plays elsewhere")
        height, width = self._ahead[0].shape
        self._info = CameraInfo(id=f"files:{shown(path)}", kind="files", width=width, height=height, live=False)

    @property
    def info(self) -> CameraInfo:
        return self._info

    def read(self, timeout_s: float = 2.0) -> Frame | None:
        """The next picture when it is due, or None after the last. Decoding is done before the wait, not after it."""
        if self._closed:
            raise CameraError(f"camera {self._info.id}: was closed; open it again")
        self._ahead = self._ahead or self._next_picture()
        if self._ahead is None:
            return None
        deadline_ns = self._clock.now_ns() + round(timeout_s * SECOND)
        self._clock.sleep_until_ns(min(self._due_ns, deadline_ns))
        if self._due_ns > deadline_ns:
            raise CameraError(f"camera {self._info.id}: no frame is due within {timeout_s:g} s; raise camera.rate_hz")
        luma, still = self._ahead
        self._ahead = None
        now_ns = self._clock.now_ns()
        on_schedule_ns = self._due_ns + self._period_ns
        self._due_ns = on_schedule_ns if now_ns < on_schedule_ns else now_ns + self._period_ns  # no burst to catch up
        self._exposed_ns = max(now_ns, self._exposed_ns + 1)
        self._count += 1
        info = ExposureInfo(sequence=self._count)
        return Frame(id=self._count, exposed_ns=self._exposed_ns, luma=luma, still=still, info=info)

    def close(self) -> None:
        self._closed = True
        self._ahead = None
        self._pictures.close()

    def _next_picture(self) -> Picture | None:
        picture = next(self._pictures, None)
        if picture is None and self._loop:
            self._pictures = self._play()
            picture = next(self._pictures, None)
        return picture

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _player(path: Path, open_capture: OpenCapture) -> Callable[[], Pass]:
    """What starts a pass through `path`. Raises CameraError if there is nothing there."""
    where = f"camera files:{shown(path)}"
    if not path.exists():
        raise CameraError(f"{where}: no such file or folder; check the spelling of the path")
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        return lambda: _video(path, where, open_capture)
    try:
        stills = list_images(path) if path.is_dir() else [path]
    except InputError as error:
        raise CameraError(f"camera files: {error}") from error
    load = lru_cache(maxsize=1)(read_image)

    def play() -> Pass:
        for still in stills:
            try:
                image = load(still)
            except InputError as error:
                raise CameraError(f"camera files: {error}") from error
            yield image.luma, image.rgb

    return play


def _video(path: Path, where: str, open_capture: OpenCapture) -> Pass:
    capture = open_capture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            known = " ".join(sorted(VIDEO_SUFFIXES))
            raise CameraError(f"{where}: cannot be opened as a video; it is damaged or of no known kind ({known})")
        while True:
            ok, picture = capture.read()
            if not ok:
                return
            bgr = as_bgr(picture, where)
            yield luma_of(bgr), partial(rgb_of, bgr)
    finally:
        capture.release()
