"""A whole device without hardware: a camera and a classifier that do as they are told, on a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from device.aperture.protocol import Aperture
from device.app import Device
from device.backends import Source
from device.camera.protocol import CameraInfo
from device.clock import MS, FakeClock
from device.decision import TICK_NS, DecisionLoop, Rules
from device.frame import Frame
from device.gate import GateSettings, GateState
from device.loops import CameraLoop, Judged, VisionLoop
from device.mailbox import Queue
from device.pins.simulated import SimulatedPins
from device.recorder import CaptureContext, Recorder
from device.status import Faults
from device.store import CaptureRecord, Store, read_record
from models.classifier import Judging
from models.errors import CameraError, ModelError
from models.focusmap import FocusMap, Luma, TileGrid

SIZE, TILE, PERIOD_NS = 256, 64, 100 * MS
SHA = "a" * 64


@dataclass
class ToldCamera:
    """Delivers frames whose luma says how much of them is sharp; fails when told to."""

    clock: FakeClock
    sharp_percent: int = 100
    failure: str | None = None
    frozen: bool = False
    live: bool = True
    remaining: int | None = None
    opened: int = 1
    held: int = 0
    number: int = 0
    due_ns: int = 0
    name: str = "told"

    @property
    def info(self) -> CameraInfo:
        return CameraInfo(self.name, "told", SIZE, SIZE, self.live)

    def read(self, timeout_s: float = 2.0) -> Frame | None:
        if self.failure is not None:
            raise CameraError(self.failure)
        if self.remaining == 0:
            return None
        self.remaining = None if self.remaining is None else self.remaining - 1
        self.clock.sleep_until_ns(self.due_ns)
        self.due_ns = self.clock.now_ns() + PERIOD_NS
        self.number += 1
        luma = np.full((SIZE, SIZE), self.sharp_percent, np.uint8)
        if not self.frozen:
            luma[::16, ::16] = self.number % 251
            luma[0, 0] = self.sharp_percent
        self.held += 1
        return Frame(
            id=self.number,
            exposed_ns=self.clock.now_ns(),
            luma=luma,
            still=lambda: np.repeat(luma[..., None], 3, axis=2),
            release=self._released,
        )

    def _released(self) -> None:
        self.held -= 1

    def close(self) -> None:
        self.opened -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class ToldClassifier:
    """Calls the share of tiles sharp that the frame itself tells."""

    name: str = "told"
    sha256: str = SHA
    tile_px: int = TILE
    criterion_px: float = 2.0
    failure: str | None = None

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        if self.failure is not None:
            raise ModelError(self.failure)
        grid = TileGrid.of(luma.shape[1], luma.shape[0], TILE)
        tiles = grid.rows * grid.columns
        score = np.zeros(tiles, np.float32)
        score[: round(tiles * int(luma[0, 0]) / 100)] = 1.0
        score = score.reshape(grid.rows, grid.columns)
        return FocusMap(
            grid=grid,
            blur_px=4.0 * (1.0 - score),
            p_in_focus=score,
            cause=np.zeros((grid.rows, grid.columns), np.uint8),
            criterion_px=2.0,
            threshold=0.5,
            model_name=self.name,
            model_sha256=self.sha256,
            frame_id=frame_id,
            exposed_ns=exposed_ns,
        )


@dataclass
class Rig:
    """The loops, wired as `device.app` wires them, and driven by hand."""

    clock: FakeClock
    camera: ToldCamera
    classifier: ToldClassifier
    pins: SimulatedPins
    store: Store
    recorder: Recorder
    faults: Faults
    camera_loop: CameraLoop
    vision: VisionLoop
    decision: DecisionLoop
    traced: list[tuple[Judged, GateState]] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)

    def frames(self, count: int, *, judge: bool = True) -> None:
        """So many frame periods, with a decision every 10 ms."""
        for _ in range(count):
            self.camera_loop.tick()
            if judge:
                self.vision.tick(0.0)
            until_ns = self.clock.now_ns() + PERIOD_NS
            while self.clock.now_ns() < until_ns:
                self.decide()
                self.clock.advance_ns(TICK_NS)

    def decide(self) -> None:
        self.decision.tick()
        self.recorder.drain()

    def saved(self) -> list[tuple[CaptureRecord, Path]]:
        """Every capture on the disk: what its own file says, and where it is."""
        listing = self.store.listing()
        paths = [listing.path(entry) for entry in listing.entries]
        return [(read_record(path), path) for path in paths]

    @property
    def tones(self) -> list[str]:
        return [item.value for item in self.pins.history if item.output == "tone"]

    @property
    def messages(self) -> str:
        return self.decision.status.last_message


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    stores: list[Store] = []

    def make(clock: Any = None, **camera_settings: object) -> Rig:
        clock = clock or FakeClock(1000 * 1000 * MS)
        camera = ToldCamera(clock, **camera_settings)  # type: ignore[arg-type]
        classifier = ToldClassifier()
        pins = SimulatedPins(clock)
        faults = Faults()
        store = Store.open(tmp_path / "store")
        stores.append(store)
        recorder = Recorder(store, CaptureContext(model_sha256=SHA, percent=90, camera_id="told"), clock=clock)

        def reopen() -> ToldCamera:
            if camera.failure is not None:
                raise CameraError(camera.failure)
            camera.opened += 1
            return camera

        loop = CameraLoop(camera, reopen, clock, faults)
        judged: Queue[Judged] = Queue(8)
        vision = VisionLoop(
            classifier=classifier,
            judging=Judging(),
            frames=loop.to_vision,
            judged=judged,
            clock=clock,
            faults=faults,
        )
        traced: list[tuple[Judged, GateState]] = []
        moved: list[int] = []
        decision = DecisionLoop(
            rules=Rules(90, GateSettings()),
            camera=loop,
            vision=vision,
            judged=judged,
            pins=pins,
            recorder=recorder,
            clock=clock,
            faults=faults,
            on_judged=lambda item, state: traced.append((item, state)),
            on_aperture=moved.append,
        )
        return Rig(clock, camera, classifier, pins, store, recorder, faults, loop, vision, decision, traced, moved)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def told_classifier() -> Callable[[], ToldClassifier]:
    return ToldClassifier


@pytest.fixture
def as_device() -> Callable[..., Device]:
    """A whole device of the rig's parts, with this aperture."""

    def make(rig: Rig, aperture: Aperture, **parts: Any) -> Device:
        return Device(
            source=Source(lambda: rig.camera, PERIOD_NS, aperture),
            judging=Judging(),
            profile=None,
            clock=rig.clock,
            pins=rig.pins,
            recorder=rig.recorder,
            faults=rig.faults,
            camera=rig.camera_loop,
            vision=rig.vision,
            decision=rig.decision,
            aperture_steps=Queue(8),
            **parts,
        )

    return make
