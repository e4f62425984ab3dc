"""Word to the service manager: ready, still deciding, and what the state is."""

from __future__ import annotations

from collections.abc import Callable

from device.clock import MS, SECOND
from device.notify import notify
from device.status import Status

WATCHDOG_NS = 500 * MS  # a quarter of the unit's WatchdogSec
STATUS_NS = SECOND


class ServiceWord:
    """Called by the decision loop alone, so that a decision loop that stands still is a watchdog that is not fed."""

    def __init__(self, say: Callable[[str], None] = notify) -> None:
        self._say = say
        self._ready = False
        self._fed_ns: int | None = None
        self._told_ns: int | None = None

    def tick(self, now_ns: int, status: Status, *, alive: bool) -> None:
        """READY at the first frame (model and pins are tested before the camera runs), then WATCHDOG and STATUS.

        `alive`: vision gives signs of life; without them the watchdog is not fed.
        """
        words = []
        if not self._ready and status.frames > 0:
            self._ready = True
            words.append("READY=1")
        if alive and (self._fed_ns is None or now_ns - self._fed_ns >= WATCHDOG_NS):
            self._fed_ns = now_ns
            words.append("WATCHDOG=1")
        if self._told_ns is None or now_ns - self._told_ns >= STATUS_NS:
            self._told_ns = now_ns
            words.append(f"STATUS={status.line()}")
        if words:
            self._say("\n".join(words))
