"""The terminal around a run: live display and keys, log lines for the journal, signals, and the closing summary."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.live import Live

from device.app import Device, true_fraction
from device.clock import MS
from device.display import screen
from device.keyboard import pending_keys, raw_keys
from device.loops import Judged

REFRESH_NS = 125 * MS
KEY_PRESS_NS = 100 * MS
KEY_HOLD_NS = 1700 * MS  # a terminal tells no key-up: one key stands for the whole hold that arms the override
_KEYS = {" ": "capture", "o": "override", "[": "aperture_open", "]": "aperture_close"}


def stop_on_signals() -> None:
    """SIGTERM ends a run as Ctrl-C does: outputs safe, captures finished."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def log_lines(*, quiet: bool) -> None:
    """One line per change of state to standard error, without a time: the journal has its own."""
    handler: logging.Handler = logging.NullHandler() if quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("focusgate")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@contextmanager
def live(device: Device, percent: int) -> Iterator[Callable[[], bool]]:
    """The live display; yields what the main loop calls at every tick. It answers False when the user quits."""
    source = f"{device.camera.info.kind}  {device.camera.info.width}×{device.camera.info.height}"
    next_ns = 0

    def tick() -> bool:
        nonlocal next_ns
        for key in pending_keys():
            if key == "q":
                return False
            if key in _KEYS:
                device.pins.press(_KEYS[key], KEY_HOLD_NS if key == "o" else KEY_PRESS_NS)
        now_ns = device.clock.now_ns()
        if now_ns >= next_ns:
            next_ns = now_ns + REFRESH_NS
            _draw(device, percent, source, view)
        return True

    with raw_keys(), Live(screen=True, auto_refresh=False) as view:
        yield tick


def _draw(device: Device, percent: int, source: str, view: Live) -> None:
    status = device.decision.status
    frame = device.camera.newest.peek()
    try:
        found = status.focus_map
        truth = None
        if found is not None and frame is not None:
            truth = true_fraction(device.source, Judged(frame, found, 0))
        view.update(screen(status, percent, frame.luma if frame is not None else None, truth, source), refresh=True)
    finally:
        if frame is not None:
            frame.close()


def summary(device: Device) -> str:
    """How a run went, in one line."""
    status = device.decision.status
    return (
        f"{device.elapsed_s():.1f} s: {status.frames} frames, {status.judged} judged, {status.dropped} dropped; "
        f"gate enabled {status.opened} times; {status.saved} saved, {status.refused} refused"
    )
