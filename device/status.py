"""What the running device says of itself: faults shared by the threads, rates, and one snapshot for the display."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from device.audit.notes import SILENT, Notes
from device.clock import MS, SECOND
from device.frame import ExposureInfo
from device.gate import GateState
from device.pins.protocol import Lamp
from models.focusmap import FocusMap


class Faults:
    """Why the gate cannot work, by part. Any thread may raise or clear its own."""

    def __init__(self, audit: Notes = SILENT) -> None:
        self._audit = audit
        self._by_part: dict[str, str] = {}
        self._lock = threading.Lock()

    def raise_(self, part: str, message: str) -> None:
        with self._lock:
            if self._by_part.get(part) != message:
                self._audit.state("fault", part, raised=True, message=message)
            self._by_part[part] = message

    def clear(self, part: str) -> None:
        with self._lock:
            if self._by_part.pop(part, None) is not None:
                self._audit.state("fault", part, raised=False)

    def current(self) -> str | None:
        """All of them in one line, or None."""
        with self._lock:
            return "; ".join(self._by_part.values()) or None


class Rate:
    """Events a second over the last few."""

    def __init__(self, window: int = 20) -> None:
        self._times_ns: deque[int] = deque(maxlen=window)

    def mark(self, now_ns: int) -> None:
        self._times_ns.append(now_ns)

    def per_second(self, now_ns: int) -> float:
        """0 when the newest is older than two seconds: a rate of the past is no rate."""
        times = tuple(self._times_ns)
        if len(times) < 2 or now_ns - times[-1] > 2 * SECOND or times[-1] == times[0]:
            return 0.0
        return (len(times) - 1) * SECOND / (times[-1] - times[0])


@dataclass(frozen=True, slots=True)
class Status:
    """One consistent moment of the device, for the display and the log; replaced whole, never changed."""

    gate: GateState = field(default_factory=GateState)
    focus_map: FocusMap | None = None
    lamp: Lamp = Lamp.OFF
    shutter_high: bool = False
    camera_fps: float = 0.0
    judged_fps: float = 0.0
    dropped: int = 0
    judge_ns: int = 0  # time the classifier took for the last frame
    age_ns: int = 0  # start of exposure to gate state, last frame
    f_number: float | None = None
    exposure: ExposureInfo | None = None
    last_capture: str = ""
    last_message: str = ""
    frames: int = 0
    judged: int = 0
    opened: int = 0
    saved: int = 0
    refused: int = 0
    audit_trouble: str | None = None  # why the audit log is not written now; captures go on without it
    captures_left: int | None = None  # that fit before the reserve of the disk; None: the disk does not answer

    def line(self) -> str:
        """The state in one line, for the journal."""
        why = f": {self.gate.reason}" if self.gate.reason else ""
        audit = "; the audit log is not written" if self.audit_trouble else ""
        return f"{self.gate.mode}{why} ({self.judged_fps:.1f} frames/s, {self.age_ns / MS:.0f} ms){audit}"
