"""What the camera tests share: small pictures on disk, a small video, and a USB camera that exists only here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from device.clock import MS, FakeClock

A_CHARACTER_DEVICE = "/dev/null"  # passes for a camera's device node


def noise_rgb(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """A folder of img1, img2, img10 (grey levels 10, 20, 100), of 64×48 px."""
    folder = tmp_path / "stills"
    folder.mkdir()
    for number in (1, 2, 10):
        Image.new("RGB", (64, 48), (10 * number,) * 3).save(folder / f"img{number}.png")
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Five frames of 64×48 px, each brighter than the last, as Motion JPEG."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    assert writer.isOpened()
    for level in (20, 60, 100, 140, 180):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


class FakeCapture:
    """A USB camera as `cv2.VideoCapture` shows it: 15 frames a second, stamped by the driver's monotonic clock."""

    def __init__(self, clock: FakeClock, width: int = 64, height: int = 48) -> None:
        self.clock = clock
        self.size = (width, height)
        self.opened = True
        self.fails = 0  # reads that deliver nothing, from now on
        self.stamp_ms: Callable[[], float] = lambda: (clock.now_ns() - 20 * MS) / MS
        self.asked: dict[int, float] = {}
        self.source: tuple[str, int] | None = None
        self.released = 0
        self.broken: Exception | None = None
        self.picture: Callable[[int], object] = lambda count: noise_rgb(*self.size, seed=count)
        self.count = 0

    def __call__(self, source: str, backend: int) -> FakeCapture:
        self.source = (source, backend)
        return self

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened

    def read(self) -> tuple[bool, object]:
        self.clock.advance_ns(66 * MS)
        if self.broken is not None:
            raise self.broken
        if self.fails:
            self.fails -= 1
            return False, None
        self.count += 1
        return True, self.picture(self.count)

    def get(self, prop: int) -> float:
        return self.stamp_ms() if prop == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return True

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(5_000 * MS)


@pytest.fixture
def capture(clock: FakeClock) -> FakeCapture:
    return FakeCapture(clock)
