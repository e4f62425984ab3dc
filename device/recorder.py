"""The recorder: a bounded queue in front of the store, and what becomes of images that the disk refuses."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calibration.profile import Profile
from device.audit.notes import SILENT, Notes
from device.audit.wording import capture
from device.capture import CaptureContext, CaptureJob, record_of
from device.clock import SECOND, Clock, MonotonicClock
from device.config import StoreConfig
from device.store.catalogue import SHORT_ID, count_plain, default_store
from device.store.examination import Fact, examination_at, read_mark, with_fact, write_mark
from device.store.origin import Origin
from device.store.records import CaptureRecord, new_capture_id
from device.store.sealing import load_recipient
from device.store.space import Room, Space
from device.store.writer import Store
from models.classifier import Classifier, Judging
from models.errors import FocusgateError, StorageError, one_line

__all__ = ["CaptureContext", "CaptureJob", "CaptureResult", "Recorder", "open_recorder"]

log = logging.getLogger("focusgate")

QUEUE_LIMIT = 4
UNSAVED_LIMIT = 3  # images kept in memory when saving fails: some 3 MB each
RETRY_NS = 5 * SECOND
SPACE_NS = SECOND  # how often free space is asked for


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What became of one job. `ok` only if the capture is durable; `message` is one line for the clinician."""

    ok: bool
    record: CaptureRecord | None
    message: str
    frame_id: int


@dataclass(frozen=True, slots=True)
class _Unsaved:
    jpeg: bytes  # already sealed where captures are
    record: CaptureRecord
    frame_id: int


class Recorder:
    """Give jobs with `submit`, read what became of them with `results`; one thread calls `tick` for ever.

    Without a thread, `drain` does all that waits. Which examination an image belongs to is decided here, by when it was
    exposed. `space` is the room as it was last asked for; None while the disk does not answer.
    """

    def __init__(
        self,
        store: Store,
        context: CaptureContext,
        *,
        clock: Clock,
        origin: Origin | None = None,
        queue_limit: int = QUEUE_LIMIT,
        audit: Notes = SILENT,
    ) -> None:
        self._store = store
        self._context = context
        self._clock = clock
        self._audit = audit
        self._origin = origin or Origin()
        self._jobs: queue.Queue[CaptureJob] = queue.Queue(queue_limit)
        self._results: queue.SimpleQueue[CaptureResult] = queue.SimpleQueue()
        self._unsaved: deque[_Unsaved] = deque()
        self._retry_at_ns = 0
        self._ended_ns: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._facts = _facts_of(store, self._origin.boot_id)
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
        """Why a press now could not be saved; None if it could. Never waits for the disk: `tick` asks it."""
        if self._jobs.full():
            return "captures wait to be saved; try again in a second"
        return self.trouble()

    def trouble(self) -> str | None:
        """Why nothing can be saved until somebody looks after the disk; None if something can."""
        if len(self._unsaved) >= UNSAVED_LIMIT:
            return f"saving fails: {UNSAVED_LIMIT} images wait in memory; check the disk, do not switch off"
        return self._no_space

    def tick(self, timeout_s: float = 0.1) -> None:
        """One job if one comes within `timeout_s`; else what failed before is tried again, when it is time."""
        try:
            job = self._jobs.get(timeout=timeout_s) if timeout_s > 0.0 else self._jobs.get_nowait()
        except queue.Empty:
            job = None
        with self._working:
            now_ns = self._clock.now_ns()
            self._hear_of_examinations(now_ns)
            if job is not None:
                self._tell(self._process(job))
            elif self._unsaved and now_ns >= self._retry_at_ns:
                self._retry(now_ns)
            if job is not None or now_ns >= self._space_at_ns:
                self._ask_space()
                self._space_at_ns = now_ns + SPACE_NS

    def drain(self) -> None:
        """Work until nothing waits."""
        while not self._jobs.empty():
            self.tick(0.0)
        self.tick(0.0)

    def close(self) -> None:
        """Finish what waits, try once more what failed, and let go of the store. What is then lost is said."""
        self.drain()
        with self._working:
            self._retry(self._clock.now_ns())
            for lost in self._unsaved:
                self._tell(_result(lost, ok=False, message="lost: it could not be saved before the end"))
            self._unsaved.clear()
            self._store.close()

    def _ask_space(self) -> None:
        try:
            self.space = self._store.space()
        except StorageError as error:
            self.space, self._no_space = None, str(error)
        else:
            self._no_space = self.space.line() if self.space.room is Room.FULL else None

    def _hear_of_examinations(self, now_ns: int) -> None:
        """What a person said since: by the button, or by `focusgate session`."""
        while not self._ended_ns.empty():
            ended = Fact(self._ended_ns.get_nowait(), None)
            self._facts = with_fact(self._facts, ended)
            try:
                write_mark(self._store.folder, self._origin.boot_id, ended, self._store.files)
            except FocusgateError as error:
                message = f"the examination is ended, but not after a restart: {error}"
                self._tell(CaptureResult(ok=False, record=None, message=message, frame_id=0))
        mark = read_mark(self._store.folder, self._origin.boot_id, now_ns)
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
                    sequence=self._store.next_sequence(),
                    now_ns=self._clock.now_ns(),
                )
                jpeg = self._store.encode(frame.still(), record)
            except FocusgateError as error:
                return CaptureResult(ok=False, record=None, message=f"not saved: {error}", frame_id=frame.id)
        image = _Unsaved(jpeg, record, frame.id)
        self._facts = with_fact(self._facts, Fact(record.exposed_ns, session_id))
        if known is None:
            self._audit.note("examination", what="opened", by="capture", session_id=session_id)
        try:
            saved = self._store.save_encoded(jpeg, record)
        except StorageError as error:
            return self._keep(image, error)
        self._audit.note("saved", **capture(saved.record, saved.seal))
        return _result(image, ok=True, message="saved")

    def _tell(self, result: CaptureResult) -> None:
        if not result.ok:
            self._audit.note("failed", message=result.message)
        self._results.put(result)

    def _keep(self, image: _Unsaved, error: StorageError) -> CaptureResult:
        """Hold on to the image. The oldest of too many is given up, and that is said."""
        if len(self._unsaved) >= UNSAVED_LIMIT:
            lost = self._unsaved.popleft()
            self._tell(_result(lost, ok=False, message="lost: it could not be saved, nor kept any longer"))
        self._unsaved.append(image)
        self._retry_at_ns = self._clock.now_ns() + RETRY_NS
        message = f"not saved yet, kept in memory and tried again: {error}"
        return CaptureResult(ok=False, record=None, message=message, frame_id=image.frame_id)

    def _retry(self, now_ns: int) -> None:
        """Each on a new file: after a failed fsync the old one cannot be trusted."""
        self._retry_at_ns = now_ns + RETRY_NS
        while self._unsaved:
            image = self._unsaved[0]
            try:
                saved = self._store.save_encoded(image.jpeg, image.record)
            except StorageError:
                return
            self._unsaved.popleft()
            self._audit.note("saved", **capture(saved.record, saved.seal))
            self._tell(_result(image, ok=True, message="saved after all"))


def open_recorder(
    config: StoreConfig,
    folder: Path | None,
    *,
    classifier: Classifier,
    judging: Judging,
    profile: Profile | None,
    camera_id: str,
    percent: int,
    clock: Clock,
    origin: Origin | None = None,
    audit: Notes = SILENT,
) -> Recorder:
    """The recorder of a run, its store opened and repaired. `folder` goes before the configuration's.

    `clock` is the one that the frames' times are of. Raises StorageError, InputError.
    """
    context = CaptureContext(
        model_sha256=classifier.sha256,
        judging=judging,
        percent=percent,
        camera_id=one_line("".join(c if c.isprintable() else " " for c in camera_id), 200),
        profile_id=profile.name if profile else None,
        profile_sha256=profile.sha256() if profile else None,
    )
    recipient = load_recipient(Path(config.seal_to)) if config.seal_to else None
    store = Store.open(store_folder(config, folder), recipient=recipient)
    for line in store.repair.lines():
        log.warning("store: %s", line)
    plain = count_plain(store.folder) if recipient is not None else 0
    if plain:
        log.warning("store: %d captures from before sealing lie there for all to see; export and delete them", plain)
    origin = origin or origin_of(clock)
    return Recorder(store, context, clock=clock, origin=origin, queue_limit=config.queue, audit=audit)


def store_folder(config: StoreConfig, folder: Path | None = None) -> Path:
    """Where the captures of a run lie, and its audit log: `folder`, else the configuration's, else the user's."""
    return folder or (Path(config.folder) if config.folder else default_store())


def origin_of(clock: Clock) -> Origin:
    """The boot that the times of `clock` belong to: a clock that is not this machine's has a boot of its own."""
    if isinstance(clock, MonotonicClock):
        return Origin()
    began, began_ns = datetime.now(UTC), clock.now_ns()

    def wall_now() -> datetime:
        return began + timedelta(microseconds=(clock.now_ns() - began_ns) // 1000)

    return Origin(boot_id=str(uuid.uuid4()), wall_now=wall_now)


def _facts_of(store: Store, boot_id: str) -> tuple[Fact, ...]:
    """A service that starts again in the midst of an examination goes on with it."""
    newest = store.newest
    if newest is None or newest.boot_id != boot_id or newest.session_id is None:
        return ()
    return (Fact(newest.exposed_ns, newest.session_id),)


def _result(image: _Unsaved, *, ok: bool, message: str) -> CaptureResult:
    record = image.record
    seen = record.verdict or "not judged"
    share = record.evidence.fraction if record.evidence else None
    focus = f", {int(100 * share)} % in focus" if share is not None else ""
    override = "override, " if record.override else ""
    text = f"{message}: {record.capture_id[:SHORT_ID]} ({override}{seen}{focus})"
    return CaptureResult(ok=ok, record=record, message=text, frame_id=image.frame_id)
