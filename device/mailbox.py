"""Hand-over between threads: the newest frame wins, results of judging are all kept, in order."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from device.frame import Frame

T = TypeVar("T")


class FrameSlot:
    """Holds the newest frame only. An older one that nobody took is closed, and counted as dropped."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        """Take over the caller's hold of `frame`."""
        with self._changed:
            old, self._frame = self._frame, frame
            self._changed.notify()
            if old is not None:
                self.dropped += 1
        if old is not None:
            old.close()

    def take(self, timeout_s: float = 0.0) -> Frame | None:
        """The newest frame with its hold, or None if none comes within `timeout_s`."""
        with self._changed:
            if self._frame is None and timeout_s > 0.0:
                self._changed.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def peek(self) -> Frame | None:
        """The newest frame with a hold of the caller's own; it also stays here."""
        with self._changed:
            return self._frame.hold() if self._frame is not None else None

    def clear(self) -> None:
        """Let go of the frame, uncounted."""
        frame = self.take()
        if frame is not None:
            frame.close()


class Queue(Generic[T]):
    """Bounded, in order, never blocking."""

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque()
        self._limit = limit
        self._lock = threading.Lock()

    def put(self, item: T) -> bool:
        """False if the queue is full; the item stays the caller's."""
        with self._lock:
            if len(self._items) >= self._limit:
                return False
            self._items.append(item)
            return True

    def take_all(self) -> list[T]:
        with self._lock:
            items = list(self._items)
            self._items.clear()
            return items
