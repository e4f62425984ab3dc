"""What the running device says of itself: faults shared by the threads, rates, and one snapshot for the display."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field

from device.audit.notes import SILENT, Notes
from device.clock import MS, SECOND
from device.frame import ExposureInfo
from device.gate import GateState
from device.pins.protocol import Lamp
from device.supervision.faults import Kind, closes, fault_in, settled
from models.focusmap import FocusMap

log = logging.getLogger("focusgate")


class Faults:
    """What is wrong, by part. Any thread may raise or clear its own; the table says what clears and what stays.

    A message begins with its code (`device.supervision.faults`). Notices are kept too, and close nothing.
    """

    def __init__(self, audit: Notes = SILENT) -> None:
        self._audit = audit
        self._by_part: dict[str, str] = {}
        self._lock = threading.Lock()

    def raise_(self, part: str, message: str) -> None:
        self._see(part, message)

    def clear(self, part: str) -> None:
        self._see(part, None)

    def current(self) -> str | None:
        """All that closes the gate, in one line, or None."""
        with self._lock:
            return "; ".join(filter(closes, self._by_part.values())) or None

    def notices(self) -> tuple[str, ...]:
        """All that does not."""
        with self._lock:
            return tuple(line for line in self._by_part.values() if not closes(line))

    def _see(self, part: str, seen: str | None) -> None:
        with self._lock:
            held = self._by_part.get(part)
            now = settled(held, seen)
            if now == held:
                return
            was = fault_in(held or "")
            if now is None:
                del self._by_part[part]
                self._audit.state("fault", part, raised=False, code=was.code if was is not None else None)
                if was is not None and was.kind is Kind.NOTICE:
                    log.info("%s %s: over", was.code, was.name)
                return
            self._by_part[part] = now
            fault = fault_in(now)
            if fault is not None and fault.kind is Kind.NOTICE and fault is not was:
                log.warning("%s", now)  # what closes the gate is told with its state
            code, is_latched = (fault.code, fault.latched) if fault is not None else (None, False)
            self._audit.state("fault", part, raised=True, code=code, latched=is_latched, message=now)


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
    notices: tuple[str, ...] = ()  # what is wrong and closes nothing, each with its code
    room_low: bool = False  # fewer than 100 captures fit
    captures_left: int | None = None  # that fit before the reserve of the disk; None: the disk does not answer

    def line(self) -> str:
        """The state in one line, for the journal."""
        why = f": {self.gate.reason}" if self.gate.reason else ""
        also = "".join(f"; {notice}" for notice in self.notices)
        return f"{self.gate.mode}{why} ({self.judged_fps:.1f} frames/s, {self.age_ns / MS:.0f} ms){also}"
