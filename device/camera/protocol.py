"""What every camera does. A driver contains no threads: it is read."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from device.frame import Frame


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Who delivers the frames.

    id       stable name of this camera (model and serial, device path, or folder), matched against the profile
    live     True if two identical frames in a row mean a frozen sensor; False for files
    """

    id: str
    kind: str
    width: int
    height: int
    live: bool


class Camera(Protocol):
    """Delivers frames one after the other; `read` blocks for the next, at most `timeout_s`."""

    @property
    def info(self) -> CameraInfo: ...

    def read(self, timeout_s: float = 2.0) -> Frame | None:
        """The next frame, held once for the caller; None at the end of a finite source.

        `id` and `exposed_ns` rise strictly from frame to frame. Raises CameraError if no frame comes within
        `timeout_s`, if the device vanished, or if what it delivers is not a picture.
        """
        ...

    def close(self) -> None:
        """Give the device back. Frames still held stay valid. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
