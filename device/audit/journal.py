"""Between the device and its audit log: a bounded queue, so that no disk holds up a decision or a capture.

All is written and synced at once, except the state of the gate, which flutters: it follows within a second, and at most
one record a second is made of it. What the queue cannot take is counted and recorded as a gap. While the disk refuses,
the records wait in memory and the trouble is shown.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from device.audit.log import AuditLog, Note
from device.audit.notes import bounded
from device.clock import MS, SECOND, Clock
from device.store.origin import Origin
from device.supervision.beats import Beat
from device.supervision.faults import end_of
from models.errors import ExitCode, FocusgateError

log = logging.getLogger("focusgate")

QUEUE_LIMIT = 4096  # some minutes of the worst that the device can tell, 2 MB
BATCH = 250  # notes written at once: below the largest file even if each were as long as a line may be
FLUSH_NS = 500 * MS  # how long the state of the gate may wait for its sync
STATE_NS = SECOND  # one record of a state in this time: 86,400 a day of 0.4 kB if it never rests
RETRY_NS = 5 * SECOND
CLOCK_NS = SECOND  # how often the wall clock is compared with the monotonic one
CLOCK_STEP_NS = SECOND  # slewing stays far below this
DISK_NS = 30 * SECOND  # a disk that has not answered by then never will
SLOW = ("gate",)  # kinds that may wait for FLUSH_NS


@dataclass(frozen=True, slots=True)
class _Told:
    note: Note
    part: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """One state: when it was last recorded, what it is since, and how often it changed meanwhile."""

    recorded_ns: int | None = None
    waiting: Note | None = None
    changes: int = 0

    def due(self, now_ns: int) -> bool:
        """Whether it is to be recorded now."""
        return self.waiting is not None and (self.recorded_ns is None or now_ns - self.recorded_ns >= STATE_NS)


class Journal:
    """`note` and `state` for any thread; one thread calls `tick` for ever. `trouble` is why nothing is written now.

    open_log   opens the log when there is something to write; tried again while it fails
    private    strings that never reach the log
    """

    def __init__(
        self,
        open_log: Callable[[], AuditLog],
        clock: Clock,
        origin: Origin,
        *,
        private: Iterable[str] = (),
        limit: int = QUEUE_LIMIT,
    ) -> None:
        self.trouble: str | None = None
        self.begun = False  # something was told
        self._open_log = open_log
        self._clock = clock
        self._origin = origin
        self._private = tuple(private)
        self._limit = limit
        self._told: queue.Queue[_Told] = queue.Queue(limit)
        self._count_lock = threading.Lock()
        self._lost = 0
        self._log: AuditLog | None = None
        self._pending: list[Note] = []
        self._urgent = False
        self._held: dict[tuple[str, str], Held] = {}
        self._retry_at_ns: int | None = None
        self._clock_at_ns = clock.now_ns()
        self._offset_ns, self._synchronised = self._wall()
        self._working = threading.Lock()
        self.beat = Beat("audit", clock.now_ns())

    def note(self, kind: str, /, **data: object) -> None:
        self._tell(kind, None, data)

    def state(self, kind: str, part: str, /, **data: object) -> None:
        self._tell(kind, part, {"part": part} | data)

    def tick(self, timeout_s: float = 0.1) -> None:
        """Take what was told, waiting at most `timeout_s` for something; write what is due."""
        self.beat.mark(self._clock.now_ns())
        first = self._first(timeout_s)
        with self._working:
            now_ns = self._clock.now_ns()
            if first is not None:
                self._take(first, now_ns)
            self._work(now_ns)
            old = self._pending and now_ns - self._pending[0].at_ns >= FLUSH_NS
            if (self._urgent or old) and (self._retry_at_ns is None or now_ns >= self._retry_at_ns):
                self._write(now_ns)

    def close(self) -> None:
        """Write all that waits. What cannot be written is lost, and said."""
        with self._working:
            now_ns = self._clock.now_ns()
            while True:
                self._work(now_ns)
                self._release(now_ns)
                waiting = len(self._pending)
                if waiting:
                    self._write(now_ns)
                if not waiting or self._pending:
                    break
            if self._pending:
                log.error("audit: %d records are lost: %s", len(self._pending), self.trouble)
            if self._log is not None:
                log.info("audit: %s", self._log.head)

    def _tell(self, kind: str, part: str | None, data: dict[str, object]) -> None:
        self.begun = True
        held = {name: bounded(value, self._private) for name, value in data.items()}
        try:
            self._told.put_nowait(_Told(Note(kind, self._clock.now_ns(), held), part))
        except queue.Full:
            with self._count_lock:
                self._lost += 1

    def _first(self, timeout_s: float) -> _Told | None:
        if len(self._pending) >= self._limit:  # the disk refuses, and memory is bounded: the queue may fill up
            time.sleep(timeout_s)
            return None
        try:
            return self._told.get(timeout=timeout_s) if timeout_s > 0.0 else self._told.get_nowait()
        except queue.Empty:
            return None

    def _work(self, now_ns: int) -> None:
        while len(self._pending) < self._limit:
            try:
                self._take(self._told.get_nowait(), now_ns)
            except queue.Empty:
                break
        if len(self._pending) >= self._limit:
            return  # what is lost is counted on; what is so will still be so
        with self._count_lock:
            lost, self._lost = self._lost, 0
        if lost:
            self._add(Note("gap", now_ns, {"lost": lost}))
        for key, held in self._held.items():
            if held.due(now_ns):
                self._record(key, held, now_ns)
        if now_ns - self._clock_at_ns >= CLOCK_NS:
            self._watch_clock(now_ns)

    def _take(self, told: _Told, now_ns: int) -> None:
        """A state waits for its time; whatever else happened comes after the states that were before it."""
        if told.part is None:
            self._release(now_ns)
            self._add(told.note)
            return
        key = (told.note.kind, told.part)
        held = self._held.get(key, Held())
        self._held[key] = held = replace(held, waiting=told.note, changes=held.changes + 1)
        if held.due(now_ns):
            self._record(key, held, now_ns)

    def _release(self, now_ns: int) -> None:
        """Record every state that waits, in the order in which they came to be."""
        waiting = [(held.waiting.at_ns, key) for key, held in self._held.items() if held.waiting is not None]
        for _, key in sorted(waiting):
            self._record(key, self._held[key], now_ns)

    def _record(self, key: tuple[str, str], held: Held, now_ns: int) -> None:
        if held.waiting is None:
            return
        note = held.waiting
        if held.changes > 1:
            note = replace(note, data={**note.data, "changes": held.changes})
        self._held[key] = Held(recorded_ns=now_ns)
        self._add(note)

    def _add(self, note: Note) -> None:
        self._pending.append(note)
        self._urgent = self._urgent or note.kind not in SLOW

    def _watch_clock(self, now_ns: int) -> None:
        self._clock_at_ns = now_ns
        offset_ns, synchronised = self._wall()
        step_ns = offset_ns - self._offset_ns
        if abs(step_ns) >= CLOCK_STEP_NS or synchronised != self._synchronised:
            self._add(Note("clock", now_ns, {"step_s": round(step_ns / SECOND, 3), "synchronised": synchronised}))
        self._offset_ns, self._synchronised = offset_ns, synchronised

    def _wall(self) -> tuple[int, bool]:
        """How far the wall clock is ahead of the monotonic one (ns), and whether a time server set it."""
        return round(self._origin.wall_now().timestamp() * SECOND) - self._clock.now_ns(), self._origin.synchronised()

    def _write(self, now_ns: int) -> None:
        self.beat.mark(now_ns, DISK_NS)
        try:
            if self._log is None:
                self._log = self._open_log()
            while self._pending:
                self._log.append(self._pending[:BATCH], now_ns)
                del self._pending[:BATCH]
        except FocusgateError as error:
            if self.trouble is None:
                log.warning("audit: %s; %d records wait in memory", error, len(self._pending))
            self.trouble, self._retry_at_ns = str(error), now_ns + RETRY_NS
        else:
            if self.trouble is not None:
                log.warning("audit: written again")
            self.trouble, self._retry_at_ns, self._urgent = self._log.trouble, None, False
        self.beat.mark(self._clock.now_ns())


@contextmanager
def kept(journal: Journal, folder: Path) -> Iterator[None]:
    """Around a run: says at its end how it ended, and writes what waits.

    A run that could not even start is told only to a log that is there already, in `folder`.
    """
    reason, code, fault = "ended", ExitCode.OK, None
    try:
        yield
    except BaseException as error:
        end = end_of(error)
        fault, code = end.code, end.exit_code or ExitCode.INTERNAL
        match error:
            case KeyboardInterrupt():
                reason = "interrupted"
            case FocusgateError():
                reason = str(error)
            case _:
                reason = f"defect: {type(error).__name__}"
        raise
    finally:
        if journal.begun or folder.is_dir():
            journal.note("stop", reason=reason, exit_code=int(code), code=fault)
        journal.close()
