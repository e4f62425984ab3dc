"""Days of work on a fake clock: a million frames and twenty thousand captures leave no memory, descriptor or thread."""

from __future__ import annotations

import copy
import gc
import logging
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.audit.journal import Journal
from device.audit.log import AuditLog
from device.audit.verify import verify_log
from device.camera.protocol import CameraInfo
from device.clock import MS, SECOND, FakeClock
from device.decision import TICK_NS, DecisionLoop, Rules
from device.frame import Frame
from device.gate import GateSettings
from device.loops import CameraLoop, VisionLoop
from device.mailbox import Queue
from device.pins.simulated import SimulatedPins
from device.recorder import CaptureContext, Recorder
from device.status import Faults
from device.store import Store
from device.store.catalogue import read_listing
from device.store.files import AUDIT
from device.store.origin import Origin
from models.classifier import Judging
from models.focusmap import FocusMap, TileGrid

FRAMES, FRAMES_IN_FULL = 4_000, 1_000_000
TRACED, TRACED_IN_FULL = 1_500, 100_000
FRAMES_A_CAPTURE = 50
WARM_SHARE = 0.2  # of the run, at least until the caches of SQLite and of the audit log are full
GROWTH_BYTES = 2 << 20
SIZE_PX, TILE_PX = 32, 16
KEEP_BYTES, FILE_BYTES = 8 << 20, 1 << 20
RUSTLE = np.random.default_rng(1).integers(0, 256, (251, SIZE_PX, SIZE_PX)).astype(np.uint8)
GRID = TileGrid.of(SIZE_PX, SIZE_PX, TILE_PX)
SHARP = np.ones((GRID.rows, GRID.columns), np.float32)


class Camera:
    """A tiny picture at every step of the decision loop; counts the frames that are not given back."""

    info = CameraInfo("soak", "soak", SIZE_PX, SIZE_PX, live=True)

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.number, self.held = clock, 0, 0

    def read(self, timeout_s: float = 2.0) -> Frame:
        self.clock.advance_ns(TICK_NS)
        self.number += 1
        self.held += 1
        luma = RUSTLE[self.number % len(RUSTLE)]
        return Frame(
            id=self.number,
            exposed_ns=self.clock.now_ns() - 5 * MS,
            luma=luma,
            still=lambda: np.repeat(luma[..., None], 3, axis=2),
            release=self._back,
        )

    def _back(self) -> None:
        self.held -= 1

    def close(self) -> None:
        pass


class Sharp:
    """Calls everything sharp, but for one frame in a thousand."""

    name, sha256, tile_px, criterion_px = "sharp", "a" * 64, TILE_PX, 2.0

    def __init__(self) -> None:
        cause = np.zeros(SHARP.shape, np.uint8)
        self.good, self.bad = (
            FocusMap(GRID, 4 * (1 - share), share, cause, 2.0, 0.5, self.name, self.sha256)
            for share in (SHARP, 0.0 * SHARP)
        )

    def judge(self, luma: Any, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        found = copy.copy(self.good if frame_id % 1000 else self.bad)
        object.__setattr__(found, "frame_id", frame_id)
        object.__setattr__(found, "exposed_ns", exposed_ns)
        return found


class Soak:
    """Gate, mailboxes, recorder, store and audit log, wired as in `device.app`, and driven as fast as they go."""

    def __init__(self, folder: Path) -> None:
        self.clock = clock = FakeClock(1000 * SECOND)
        self.folder = folder
        origin = Origin("boot")
        self.audit = Journal(
            lambda: AuditLog(folder / AUDIT, origin, file_bytes=FILE_BYTES, keep_bytes=KEEP_BYTES), clock, origin
        )
        self.pins = SimulatedPins(clock)
        context = CaptureContext(model_sha256="a" * 64, percent=90, camera_id="soak")
        self.recorder = Recorder(Store.open(folder), context, clock=clock, origin=origin, audit=self.audit)
        self.camera, faults, judged = Camera(clock), Faults(self.audit), Queue[Any](8)
        self.loop = CameraLoop(self.camera, lambda: self.camera, clock, faults)
        self.vision = VisionLoop(
            classifier=Sharp(), judging=Judging(), frames=self.loop.to_vision, judged=judged, clock=clock, faults=faults
        )
        self.decision = DecisionLoop(
            rules=Rules(90, GateSettings()),
            camera=self.loop,
            vision=self.vision,
            judged=judged,
            pins=self.pins,
            recorder=self.recorder,
            clock=clock,
            faults=faults,
            on_judged=lambda _item, _state: None,
            on_aperture=lambda _steps: None,
            audit=self.audit,
        )

    def frames(self, count: int) -> None:
        for number in range(count):
            self.loop.tick()
            self.vision.tick(0.0)
            if number % FRAMES_A_CAPTURE == FRAMES_A_CAPTURE // 2:
                self.pins.press("capture", 60 * MS)
            self.decision.tick()
            if number % 10 == 0 or not self.recorder._jobs.empty():  # their threads come round ten times a second
                self.recorder.tick(0.0)
                self.audit.tick(0.0)
            if number % 1000 == 0:
                self.pins.history.clear()  # the simulated pins', who remember everything

    def close(self) -> None:
        self.loop.close()
        self.recorder.close()
        self.audit.close()


def rss_bytes() -> int:
    """Memory of this process that is its own: what tmpfs holds for it does not count."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def descriptors() -> list[str]:
    """What is open, by name; the descriptor of this very listing is gone by then."""
    found = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        except FileNotFoundError:
            continue
    return sorted(found)


@pytest.fixture
def soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Soak:
    monkeypatch.setattr(logging.getLogger("focusgate"), "level", logging.ERROR)  # pytest keeps every line
    return Soak(tmp_path / "store")


def grown(soak: Soak, frames: int, measure: Callable[[], int], so_far: Callable[[float], None]) -> list[int]:
    """`measure` after the first WARM_SHARE of the frames, and then at each tenth of the rest."""
    warm = int(frames * WARM_SHARE)
    soak.frames(warm)
    found = [measure()]
    for part in range(10):
        soak.frames((frames - warm) // 10)
        found.append(measure())
        so_far(WARM_SHARE + (1 - WARM_SHARE) * (part + 1) / 10)
    return found


def test_frames_and_captures_without_end_leave_neither_memory_nor_descriptors_nor_threads(
    soak: Soak, promise: Callable[..., None], so_far: Callable[[float], None], *, full: bool
) -> None:
    frames = FRAMES_IN_FULL if full else FRAMES
    soak.frames(3 * FRAMES_A_CAPTURE)
    open_before, threads_before = descriptors(), threading.active_count()
    sizes = grown(soak, frames - 3 * FRAMES_A_CAPTURE, rss_bytes, so_far)
    growth_bytes = max(sizes[1:]) - sizes[0]
    leaked, threads = len(descriptors()) - len(open_before), threading.active_count() - threads_before
    saved = soak.decision.status.saved
    soak.close()
    promise(
        "soak: growth of resident memory",
        soak.camera.number,
        f"{growth_bytes / (1 << 20):.2f} MiB",
        "2 MiB",
        met=growth_bytes <= GROWTH_BYTES,
    )
    promise(
        "soak: captures saved",
        soak.camera.number // FRAMES_A_CAPTURE,
        f"{saved} saved",
        "19,500 or more" if full else "97 %",
        met=saved >= 0.97 * frames / FRAMES_A_CAPTURE,
    )
    promise(
        "soak: descriptors and threads leaked",
        soak.camera.number,
        f"{leaked} and {threads}",
        "0 and 0",
        met=(leaked, threads) == (0, 0),
    )
    assert (leaked, threads) == (0, 0)
    assert soak.camera.held == 0
    assert saved >= 0.97 * frames / FRAMES_A_CAPTURE
    assert len(read_listing(soak.folder).entries) == saved
    assert verify_log(soak.folder / AUDIT).problems == []
    assert not full or growth_bytes <= GROWTH_BYTES


def test_frames_and_captures_without_end_leave_no_objects(
    soak: Soak, promise: Callable[..., None], so_far: Callable[[float], None], *, full: bool
) -> None:
    frames = TRACED_IN_FULL if full else TRACED
    tracemalloc.start()
    try:
        sizes = grown(soak, frames, traced_bytes, so_far)
    finally:
        tracemalloc.stop()
        soak.close()
    growth_bytes = max(sizes[1:]) - sizes[0]
    promise(
        "soak: growth of Python's memory (tracemalloc)",
        frames,
        f"{growth_bytes / (1 << 20):.2f} MiB",
        "2 MiB",
        met=growth_bytes <= GROWTH_BYTES,
    )
    assert growth_bytes <= GROWTH_BYTES
