"""Run as a script: a whole device on the real clock; its pins are a fake board, its shutter line is a real guard's.

    python frozen_child.py GUARD_SOCKET FOLDER THREAD

As soon as FOLDER/freeze exists, THREAD (main, decision, vision, camera, recorder) stands still where it comes by next,
and FOLDER/frozen says since when (ns).
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device import app
from device.clock import MonotonicClock
from device.config import parse_config
from device.guard_client import GuardClient
from device.pins.reserve import PinMap
from device.pins.rpi import RpiGpio, RpiPins
from device.recording import open_recorder
from device.running import run_threads
from models.classifier import Judging
from models.errors import FocusgateError
from models.focusmap import FocusMap, TileGrid

FAKE = Path(__file__).parents[2] / "fakes" / "rpi_gpio.py"
FOR_EVER_S = 3600.0
TILE_PX = 64


class Sharp:
    """Calls everything sharp."""

    name, sha256, tile_px, criterion_px = "sharp", "a" * 64, TILE_PX, 2.0

    def judge(self, luma: Any, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        grid = TileGrid.of(luma.shape[1], luma.shape[0], TILE_PX)
        shape = (grid.rows, grid.columns)
        blur, sharp, cause = np.zeros(shape, np.float32), np.ones(shape, np.float32), np.zeros(shape, np.uint8)
        return FocusMap(grid, blur, sharp, cause, 2.0, 0.5, self.name, self.sha256, frame_id, exposed_ns)


def fake_pins(socket: str, clock: MonotonicClock) -> RpiPins:
    spec = importlib.util.spec_from_file_location("fake_rpi_gpio", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_rpi_gpio"] = module
    spec.loader.exec_module(module)
    return RpiPins(clock, RpiGpio(module.FakeRpiGpio), GuardClient(socket), PinMap())


def main(socket: str, folder: Path, thread: str) -> None:
    clock = MonotonicClock()
    config = parse_config({"camera": {"kind": "simulated", "width": 256, "height": 256, "fps": 20.0}}, "child")
    app.pins_of = lambda _config, clock: fake_pins(socket, clock)
    device = app.build(
        config,
        Sharp(),
        lambda judging, profile, camera_id: open_recorder(
            config.store,
            folder / "store",
            classifier=Sharp(),
            judging=judging,
            profile=profile,
            camera_id=camera_id,
            percent=config.gate.percent,
            clock=clock,
        ),
        clock,
    )
    flag = folder / "freeze"

    def freezing(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            if flag.exists():
                (folder / "frozen").write_text(str(clock.now_ns()), encoding="ascii")
                time.sleep(FOR_EVER_S)
            return call(*arguments, **named)

        return called

    part: Any = {
        "main": device,
        "decision": device.decision,
        "vision": device.vision,
        "camera": device.camera,
        "recorder": device.recorder,
    }[thread]
    name = "supervise" if thread == "main" else "tick"
    setattr(part, name, freezing(getattr(part, name)))
    try:
        run_threads(device, None, lambda: True)
    finally:
        device.close()


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
    except FocusgateError as error:
        sys.exit(str(error))
