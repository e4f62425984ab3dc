"""The recorder: a bounded queue in front of the store, and what becomes of images that the disk refuses."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from device.audit.notes import SILENT, Notes
from device.audit.wording import capture
from device.capture import CaptureContext, CaptureJob, record_of
from device.clock import SECOND, Clock
from device.store.examination import Fact, examination_at, read_mark, with_fact, write_mark
from device.store.origin import Origin
from device.store.records import new_capture_id
from device.store.space import Room, Space
from device.store.writer import Saved, Store
from device.supervision.beats import Beat
from device.supervision.faults import (
    DISK_FULL,
    DISK_SILENT,
    IMAGE_LOST,
    NOT_SAVED,
    QUEUE_FULL,
    SAVING_FAILS,
    STORE_CLOSED,
    coded,
    fault_in,
)
from device.unsaved import NO_NUMBER, CaptureResult, ClosedStore, Unsaved, facts_of, kept, numbered, result_of
from models.errors import FocusgateError, StorageError

__all__ = ["CaptureContext", "CaptureJob", "CaptureResult", "ClosedStore", "Recorder"]

log = logging.getLogger("focusgate")

QUEUE_LIMIT = 4
UNSAVED_LIMIT = 3  # images kept in memory when saving fails: some 3 MB each
RETRY_NS = 5 * SECOND
SPACE_NS = SECOND  # how often free space is asked for
SLOW_NS = 5 * SECOND  # cards pause for a second or two to tidy up; longer is told
DISK_NS = 30 * SECOND  # a card that has not answered by then never will; encoding takes a fraction of a second


class Recorder:
    """Give jobs with `submit`, read what became of them with `results`; one thread calls `tick` for ever.

    Without a thread, `drain` does all that waits. Which examination an image belongs to is decided here, by when it was
    exposed. `space` is the room as it was last asked for; None while the disk does not answer. A store that is closed
    is tried again and again; meanwhile the last images are kept in memory.
    """

    def __init__(
        self,
        store: Store | ClosedStore,
        context: CaptureContext,
        *,
        clock: Clock,
        origin: Origin | None = None,
        queue_limit: int = QUEUE_LIMIT,
        audit: Notes = SILENT,
    ) -> None:
        self._store = store if isinstance(store, Store) else None
        self._closed = store if isinstance(store, ClosedStore) else None
        self._context = context
        self._clock = clock
        self._audit = audit
        self._origin = origin or Origin()
        self._jobs: queue.Queue[CaptureJob] = queue.Queue(queue_limit)
        self._results: queue.SimpleQueue[CaptureResult] = queue.SimpleQueue()
        self._unsaved: deque[Unsaved] = deque()
        self._retry_at_ns = clock.now_ns() + RETRY_NS if self._store is None else 0
        self._ended_ns: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._facts = facts_of(self._store, self._origin.boot_id) if self._store is not None else ()
        self.beat = Beat("recorder", clock.now_ns())
        self._busy_since_ns: int | None = None
        self.space: Space | None = None
        self._no_space: str | None = None
        self._space_at_ns = clock.now_ns()
        self._ask_space()
        self._working = threading.Lock()  # `drain` at the end may meet a thread that is still in `tick`

    def submit(self, job: CaptureJob) -> bool:
        """Take the job over, at once. False if the queue is full: frame and refusal stay the caller's."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def results(self) -> list[CaptureResult]:
        """What became of jobs since the last call, in order."""
        return [self._results.get_nowait() for _ in range(self._results.qsize())]

    def end_examination(self, now_ns: int) -> None:
        """What is exposed later belongs to the next examination. Returns at once; `tick` makes it durable."""
        self._ended_ns.put(now_ns)

    def cannot_save(self) -> str | None:
        """Why a press now could not be saved; None if it could, or would be kept in memory until there is a store.

        Never waits for the disk: `tick` asks it.
        """
        if self._jobs.full():
            return coded(QUEUE_FULL, "captures wait to be saved; try again in a second")
        trouble = self.trouble()
        return None if trouble is not None and fault_in(trouble) is STORE_CLOSED else trouble

    def trouble(self) -> str | None:
        """Why nothing can be saved until somebody looks after the disk, with its code; None if something can."""
        busy_ns = self._busy_since_ns
        if len(self._unsaved) >= UNSAVED_LIMIT:
            waiting = f"saving fails: {UNSAVED_LIMIT} images wait in memory; check the disk, do not switch off"
            return coded(SAVING_FAILS, waiting)
        if self._closed is not None:
            return self._closed.why
        if busy_ns is not None and self._clock.now_ns() - busy_ns >= SLOW_NS:
            return coded(DISK_SILENT, f"the disk has not answered for {SLOW_NS // SECOND} s; do not switch off")
        return self._no_space

    def waiting(self) -> int:
        """Images that were not saved and wait in memory to be tried again."""
        return len(self._unsaved)

    def tick(self, timeout_s: float = 0.1) -> None:
        """One job if one comes within `timeout_s`; else what failed before is tried again, when it is time."""
        try:
            job = self._jobs.get(timeout=timeout_s) if timeout_s > 0.0 else self._jobs.get_nowait()
        except queue.Empty:
            job = None
        with self._working:
            now_ns = self._clock.now_ns()
            self.beat.mark(now_ns, DISK_NS)
            if self._closed is not None and now_ns >= self._retry_at_ns:
                self._open(self._closed, now_ns)
            self._hear_of_examinations(now_ns)
            if job is not None:
                self._tell(self._process(job))
            elif self._unsaved and now_ns >= self._retry_at_ns:
                self._retry(now_ns)
            if job is not None or now_ns >= self._space_at_ns:
                self._ask_space()
                self._space_at_ns = now_ns + SPACE_NS
            self.beat.mark(self._clock.now_ns())

    def drain(self) -> None:
        """Work until nothing waits."""
        while not self._jobs.empty():
            self.tick(0.0)
        self.tick(0.0)

    def close(self) -> None:
        """Finish what waits, try once more what failed, and let go of the store. What is then lost is said."""
        self.drain()
        with self._working:
            if self._closed is not None:
                self._open(self._closed, self._clock.now_ns())
            self._retry(self._clock.now_ns())
            for lost in self._unsaved:
                self._tell(
                    result_of(lost, ok=False, message=coded(IMAGE_LOST, "lost: it could not be saved before the end"))
                )
            self._unsaved.clear()
            if self._store is not None:
                self._store.close()

    @contextmanager
    def _at_the_disk(self) -> Iterator[None]:
        """What takes its time in here is the disk's fault, and told as such."""
        self._busy_since_ns = self._clock.now_ns()
        try:
            yield
        finally:
            self._busy_since_ns = None

    def _open(self, closed: ClosedStore, now_ns: int) -> None:
        """Try the store again; what was kept meanwhile gets its number and its form."""
        self._retry_at_ns = now_ns + RETRY_NS
        try:
            with self._at_the_disk():
                store = closed.open()
        except FocusgateError as error:
            self._closed = replace(closed, why=coded(STORE_CLOSED, error))
            return
        log.warning("the store is open: %d images of memory are saved now", len(self._unsaved))
        self._store, self._closed, self._retry_at_ns = store, None, now_ns
        for fact in facts_of(store, self._origin.boot_id):
            self._facts = with_fact(self._facts, fact)
        for _ in range(len(self._unsaved)):
            image = self._unsaved.popleft()
            try:
                self._unsaved.append(numbered(image, store))
            except FocusgateError as error:
                self._tell(result_of(image, ok=False, message=coded(IMAGE_LOST, f"lost: {error}")))
        self._ask_space()

    def _ask_space(self) -> None:
        if self._store is None:
            return
        try:
            with self._at_the_disk():
                self.space = self._store.space()
        except StorageError as error:
            self.space, self._no_space = None, coded(DISK_SILENT, error)
        else:
            self._no_space = coded(DISK_FULL, self.space.line()) if self.space.room is Room.FULL else None

    def _hear_of_examinations(self, now_ns: int) -> None:
        """What a person said since: by the button, or by `focusgate session`."""
        while not self._ended_ns.empty():
            ended = Fact(self._ended_ns.get_nowait(), None)
            self._facts = with_fact(self._facts, ended)
            try:
                if self._store is None:
                    raise StorageError("there is no store now")
                write_mark(self._store.folder, self._origin.boot_id, ended, self._store.files)
            except FocusgateError as error:
                message = coded(NOT_SAVED, f"the examination is ended, but not after a restart: {error}")
                self._tell(CaptureResult(ok=False, record=None, message=message, frame_id=0))
        mark = read_mark(self._store.folder, self._origin.boot_id, now_ns) if self._store is not None else None
        if mark is not None:
            self._facts = with_fact(self._facts, mark)

    def _process(self, job: CaptureJob) -> CaptureResult:
        with job.frame as frame:
            known = examination_at(self._facts, frame.exposed_ns)
            session_id = known or new_capture_id()
            try:
                record = record_of(
                    job,
                    self._context,
                    self._origin,
                    session_id=session_id,
                    sequence=self._store.next_sequence() if self._store is not None else NO_NUMBER,
                    now_ns=self._clock.now_ns(),
                )
                image = kept(frame, record, self._store)
            except FocusgateError as error:
                message = coded(NOT_SAVED, f"not saved: {error}")
                return CaptureResult(ok=False, record=None, message=message, frame_id=frame.id)
        self._facts = with_fact(self._facts, Fact(record.exposed_ns, session_id))
        if known is None:
            self._audit.note("examination", what="opened", by="capture", session_id=session_id)
        try:
            saved = self._save(image)
        except StorageError as error:
            return self._keep(image, error)
        self._audit.note("saved", **capture(saved.record, saved.seal))
        return result_of(image, ok=True, message="saved")

    def _save(self, image: Unsaved) -> Saved:
        if self._store is None or image.data is None:
            raise StorageError(self._closed.why if self._closed is not None else "the image has no number yet")
        with self._at_the_disk():
            return self._store.save_encoded(image.data, image.record)

    def _tell(self, result: CaptureResult) -> None:
        if not result.ok:
            self._audit.note("failed", message=result.message)
        self._results.put(result)

    def _keep(self, image: Unsaved, error: StorageError) -> CaptureResult:
        """Hold on to the image. The oldest of too many is given up, and that is said."""
        if len(self._unsaved) >= UNSAVED_LIMIT:
            lost = self._unsaved.popleft()
            self._tell(
                result_of(lost, ok=False, message=coded(IMAGE_LOST, "lost: it could not be saved, nor kept any longer"))
            )
        self._unsaved.append(image)
        self._retry_at_ns = self._clock.now_ns() + RETRY_NS
        message = coded(NOT_SAVED, f"not saved yet, kept in memory and tried again: {error}")
        return CaptureResult(ok=False, record=None, message=message, frame_id=image.frame_id)

    def _retry(self, now_ns: int) -> None:
        """Each on a new file: after a failed fsync the old one cannot be trusted."""
        self._retry_at_ns = now_ns + RETRY_NS
        while self._unsaved:
            image = self._unsaved[0]
            try:
                saved = self._save(image)
            except StorageError:
                return
            self._unsaved.popleft()
            self._audit.note("saved", **capture(saved.record, saved.seal))
            self._tell(result_of(image, ok=True, message="saved after all"))
