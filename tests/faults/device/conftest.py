"""A whole device in simulated time, whose camera and classifier may take any time and fail in any way."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.audit.notes import SILENT
from device.camera.protocol import CameraInfo
from device.clock import MS
from device.decision import DecisionLoop, Rules
from device.frame import Frame
from device.gate import GateSettings
from device.loops import CameraLoop, VisionLoop
from device.mailbox import Queue
from device.pins.simulated import SimulatedPins
from device.recorder import CaptureContext, CaptureResult, Recorder
from device.status import Faults
from device.store import Store
from device.store.origin import Origin
from models.classifier import Judging
from models.onnx_classifier import load_classifier

ROWS_PX, COLUMNS_PX = 64, 96  # six tiles of the tiny model
BANK = np.random.default_rng(3).integers(0, 60, (61, ROWS_PX, COLUMNS_PX)).astype(np.uint8)  # sharp, by the tiny model
ASK_NS = 500 * MS


def virtual_time() -> Any:
    """The module of the clock."""
    name = "virtual_time_of_the_tests"
    if name not in sys.modules:
        path = Path(__file__).parents[2] / "fakes" / "virtual_time.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def picture(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The luma of a sharp frame, unlike that of its neighbours; its number is written into the first four pixels."""
    luma = BANK[number % len(BANK)].copy()
    luma[0, :4] = (number & 63, number >> 6 & 63, number >> 12 & 63, number >> 18 & 63)
    return luma


class HonestCamera:
    """Delivers a sharp frame every `period_ns`, each `latency_ns` after the start of its exposure."""

    def __init__(self, clock: Any, *, period_ns: int = 100 * MS, latency_ns: int = 40 * MS) -> None:
        self.clock, self.period_ns, self.latency_ns = clock, period_ns, latency_ns
        self.info = CameraInfo("faulty", "faulty", COLUMNS_PX, ROWS_PX, live=True)
        self.due_ns = clock.now_ns()
        self.number = 0

    def frame(self, exposed_ns: int, **changes: Any) -> Frame:
        self.number += 1
        luma = picture(self.number)
        values = {"id": self.number, "exposed_ns": exposed_ns, "luma": luma}
        values["still"] = lambda: np.repeat(luma[..., None], 3, axis=2)
        return Frame(**(values | changes))

    def expose(self) -> int:
        """Wait for the next exposure and its read-out; when it began."""
        exposed_ns = max(self.due_ns, self.clock.now_ns())
        self.due_ns = exposed_ns + self.period_ns
        self.clock.sleep_until_ns(exposed_ns + self.latency_ns)
        return exposed_ns

    def read(self, timeout_s: float = 2.0) -> Frame | None:
        return self.frame(self.expose())

    def close(self) -> None:
        pass


class SlowClassifier:
    """The real classifier with the tiny model; `delay_ns` says how long the next judgement takes."""

    def __init__(self, inner: Any, clock: Any, delay_ns: Callable[[], int]) -> None:
        self.inner, self.clock, self.delay_ns = inner, clock, delay_ns
        self.name, self.sha256, self.tile_px = inner.name, inner.sha256, inner.tile_px
        self.criterion_px = inner.criterion_px

    def judge(self, luma: Any, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> Any:
        self.clock.sleep_until_ns(self.clock.now_ns() + self.delay_ns())
        return self.inner.judge(luma, judging, frame_id=frame_id, exposed_ns=exposed_ns)


class World:
    """The loops of the device, wired as `device.app` wires them, on virtual time."""

    def __init__(
        self,
        folder: Path,
        classifier: Any,
        camera_of: Callable[[Any], Any],
        *,
        delay_ns: Callable[[], int] = lambda: 8 * MS,
        audit: Any = SILENT,
        origin: Origin | None = None,
    ) -> None:
        self.clock = clock = virtual_time().VirtualTime(self._on_tick)
        self.pins = SimulatedPins(clock)
        self.faults = Faults(audit)
        self.failures: list[BaseException] = []
        self._ticks = 0
        self.results: list[CaptureResult] = []
        self.presses: list[tuple[int, str, int]] = []
        self.ticked: Callable[[], None] = lambda: None
        self.judged: Queue[Any] = Queue(8)
        context = CaptureContext(model_sha256=classifier.sha256, percent=90, camera_id="faulty")
        self._store: Store | None = Store.open(folder)
        self.recorder = Recorder(self._store, context, clock=clock, origin=origin or Origin("boot"), audit=audit)
        self._results = self.recorder.results
        self.recorder.results = self._hear  # type: ignore[method-assign]
        self.loop = CameraLoop(camera_of(clock), lambda: camera_of(clock), clock, self.faults)
        self.vision = VisionLoop(
            classifier=SlowClassifier(classifier, clock, delay_ns),
            judging=Judging(),
            frames=self.loop.to_vision,
            judged=self.judged,
            clock=clock,
            faults=self.faults,
        )
        self.decision = DecisionLoop(
            rules=Rules(90, GateSettings()),
            camera=self.loop,
            vision=self.vision,
            judged=self.judged,
            pins=self.pins,
            recorder=self.recorder,
            clock=clock,
            faults=self.faults,
            on_judged=lambda _item, _state: None,
            on_aperture=lambda _steps: None,
            audit=audit,
        )

    @property
    def gate(self) -> Any:
        return self.decision.status.gate

    @property
    def messages(self) -> str:
        """What was last told to the clinician."""
        return self.decision.status.last_message

    def run(self, until_ns: int, done: Callable[[], bool] = lambda: False) -> int:
        """Everything until then, or until `done` (asked twice a second); when that was.

        A thread that raises ends the process, as in `device.running`: outputs low first.
        """
        vision = self.clock.start("vision", self._guarded(self._see))

        def read() -> None:
            self.loop.tick()
            self.clock.wake(vision)
            if self.loop.ended:
                self.clock.wait()

        self.clock.start("camera", self._guarded(read))
        while self.clock.now_ns() < until_ns and not self.failures and not done():
            self.clock.sleep_until_ns(min(until_ns, self.clock.now_ns() + ASK_NS))
        self.clock.end()
        self.recorder.close()
        self._store = None
        self.results += self._results()
        return self.clock.now_ns()

    def let_go(self) -> None:
        """Of the store, where `run` was not called or did not come to its end."""
        if self._store is not None:
            self._store.close()

    def _see(self) -> None:
        self.vision.tick(0.0)
        frame = self.loop.to_vision.peek()
        if frame is None:
            self.clock.wait()
        else:
            frame.close()

    def _guarded(self, run: Callable[[], None]) -> Callable[[], None]:
        def once() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - as `run_threads` does
                self._failed(error)
                self.clock.wait()

        return once

    def _failed(self, error: BaseException) -> None:
        self.pins.close_shutter()
        self.failures.append(error)

    def _hear(self) -> list[CaptureResult]:
        found = self._results()
        self.results += found
        return found

    def _on_tick(self) -> None:
        if self.failures:
            return
        now_ns = self.clock.now_ns()
        while self.presses and self.presses[0][0] <= now_ns:
            _, button, hold_ns = self.presses.pop(0)
            self.pins.press(button, hold_ns)
        try:
            self.decision.tick()
            self._ticks += 1
            if not self.recorder._jobs.empty() or self._ticks % 10 == 0:  # its thread hears of a job at once
                self.recorder.drain()
        except Exception as error:  # noqa: BLE001 - as `run_threads` does
            self._failed(error)
        self.ticked()

    def spans(self, output: str, value: str, end_ns: int) -> list[tuple[int, int]]:
        """When an output had this value, from and to."""
        self.pins.shutter_is_high()
        changes = [item for item in self.pins.history if item.output == output]
        ends = [*(item.at_ns for item in changes[1:]), end_ns]
        return [(item.at_ns, to_ns) for item, to_ns in zip(changes, ends, strict=False) if item.value == value]

    def open_spans(self, end_ns: int) -> list[tuple[int, int]]:
        """When the shutter line was high without an override, which is high whatever the camera does."""
        spans = self.spans("shutter", "high", end_ns)
        for armed_ns, until_ns in self.spans("lamp", "armed", end_ns):
            spans = [
                part
                for from_ns, to_ns in spans
                for part in ((from_ns, min(to_ns, armed_ns)), (max(from_ns, until_ns), to_ns))
                if part[0] < part[1]
            ]
        return spans


@pytest.fixture(scope="session")
def sharp_classifier(tmp_path_factory: pytest.TempPathFactory, tiny_bytes: bytes, tiny_values: dict[str, Any]) -> Any:
    """The real classifier on the tiny model."""
    import json

    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.onnx").write_bytes(tiny_bytes)
    (folder / "tiny.json").write_text(json.dumps(tiny_values), encoding="utf-8")
    return load_classifier(folder / "tiny.json", unsigned=True)


@pytest.fixture
def make_world(tmp_path: Path, sharp_classifier: Any) -> Iterator[Callable[..., World]]:
    """Worlds, each with a store of its own."""
    made: list[World] = []

    def make(camera_of: Callable[[Any], Any] = HonestCamera, **settings: Any) -> World:
        settings.setdefault("classifier", sharp_classifier)
        made.append(World(tmp_path / f"store{len(made)}", camera_of=camera_of, **settings))
        return made[-1]

    yield make
    for world in made:
        world.let_go()


@pytest.fixture(scope="session")
def honest_camera() -> type[HonestCamera]:
    return HonestCamera
