"""The terminal around a run: live display and keys, log lines for the journal, signals, and the closing summary."""

from __future__ import annotations

import io
import logging
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console, RenderableType
from rich.live import Live

from device.app import Device, true_fraction
from device.clock import MS
from device.display import screen
from device.keyboard import pending_keys, raw_keys
from device.loops import Judged
from models.errors import InputError

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
    next_ns = 0

    def tick() -> bool:
        nonlocal next_ns
        for key in pending_keys():
            if key == "q":
                return False
            if key == "p" and device.assisting is not None:
                device.assisting.paused = not device.assisting.paused
            if key in _KEYS:
                device.press(_KEYS[key], KEY_HOLD_NS if key == "o" else KEY_PRESS_NS)
        now_ns = device.clock.now_ns()
        if now_ns >= next_ns:
            next_ns = now_ns + REFRESH_NS
            view.update(_drawn(device, percent), refresh=True)
        return True

    with raw_keys(), Live(screen=True, auto_refresh=False) as view:
        yield tick


def _drawn(device: Device, percent: int) -> RenderableType:
    """The display of this moment, with the truth beside it if the world is simulated."""
    status = device.decision.status
    info = device.camera.info
    source = f"{info.kind}  {info.width}×{info.height}"
    frame = device.camera.newest.peek()
    if frame is None:
        return screen(status, percent, None, None, source)
    with frame:
        found = status.focus_map
        truth = true_fraction(device.source, Judged(frame, found, 0)) if found is not None else None
        return screen(status, percent, frame.luma, truth, source)


def save_picture(device: Device, percent: int, path: Path) -> None:
    """The display of this moment as an SVG file. Raises InputError if it cannot be written."""
    console = Console(record=True, width=120, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(_drawn(device, percent))
    picture = console.export_svg(title="focusgate run")
    try:
        # without the web fonts that rich names: a picture must not reach out to a network
        path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot write the picture ({error.strerror}); name a file in a folder of yours"
        ) from None


def summary(device: Device) -> str:
    """How a run went, in one line."""
    status = device.decision.status
    return (
        f"{device.elapsed_s():.1f} s: {status.frames} frames, {status.judged} judged, {status.dropped} dropped; "
        f"gate enabled {status.opened} times; {status.saved} saved, {status.refused} refused"
    )
