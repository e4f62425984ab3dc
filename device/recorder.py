"""The recorder: a bounded queue in front of the store, and what becomes of images that the disk refuses."""

from __future__ import annotations

import queue
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from calibration.profile import Profile
from device.capture import CaptureContext, CaptureJob, record_of
from device.clock import SECOND, Clock
from device.config import StoreConfig
from device.store.catalogue import SHORT_ID, default_store
from device.store.jpeg import encode
from device.store.origin import Origin
from device.store.records import CaptureRecord
from device.store.writer import Store
from models.classifier import Classifier, Judging
from models.errors import FocusgateError, StorageError, one_line

__all__ = ["CaptureContext", "CaptureJob", "CaptureResult", "Recorder", "open_recorder"]

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
    jpeg: bytes
    record: CaptureRecord
    frame_id: int


class Recorder:
    """Give jobs with `submit`, read what became of them with `results`; one thread calls `tick` for ever.

    Without a thread, `drain` does all that waits. The session of a job, like its evidence, is the caller's to know.
    """

    def __init__(
        self,
        store: Store,
        context: CaptureContext,
        *,
        clock: Clock,
        origin: Origin | None = None,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self._store = store
        self._context = context
        self._clock = clock
        self._origin = origin or Origin()
        self._jobs: queue.Queue[CaptureJob] = queue.Queue(queue_limit)
        self._results: queue.SimpleQueue[CaptureResult] = queue.SimpleQueue()
        self._unsaved: deque[_Unsaved] = deque()
        self._retry_at_ns = 0
        self._space_at_ns = clock.now_ns()
        self._no_space = store.refusal()
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

    def cannot_save(self) -> str | None:
        """Why a press now could not be saved; None if it could. Never waits for the disk: `tick` asks it."""
        if self._jobs.full():
            return "captures wait to be saved; try again in a second"
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
            if job is not None:
                self._results.put(self._process(job))
            elif self._unsaved and now_ns >= self._retry_at_ns:
                self._retry(now_ns)
            if job is not None or now_ns >= self._space_at_ns:
                self._no_space = self._store.refusal()
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
                self._results.put(_result(lost, ok=False, message="lost: it could not be saved before the end"))
            self._unsaved.clear()
            self._store.close()

    def _process(self, job: CaptureJob) -> CaptureResult:
        with job.frame as frame:
            try:
                record = record_of(
                    job,
                    self._context,
                    self._origin,
                    sequence=self._store.next_sequence(),
                    now_ns=self._clock.now_ns(),
                )
                jpeg = encode(frame.still(), record)
            except FocusgateError as error:
                return CaptureResult(ok=False, record=None, message=f"not saved: {error}", frame_id=frame.id)
        image = _Unsaved(jpeg, record, frame.id)
        try:
            self._store.save_encoded(jpeg, record)
        except StorageError as error:
            return self._keep(image, error)
        return _result(image, ok=True, message="saved")

    def _keep(self, image: _Unsaved, error: StorageError) -> CaptureResult:
        """Hold on to the image. The oldest of too many is given up, and that is said."""
        if len(self._unsaved) >= UNSAVED_LIMIT:
            lost = self._unsaved.popleft()
            self._results.put(_result(lost, ok=False, message="lost: it could not be saved, nor kept any longer"))
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
                self._store.save_encoded(image.jpeg, image.record)
            except StorageError:
                return
            self._unsaved.popleft()
            self._results.put(_result(image, ok=True, message="saved after all"))


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
    store = Store.open(folder or (Path(config.folder) if config.folder else default_store()))
    return Recorder(store, context, clock=clock, queue_limit=config.queue)


def _result(image: _Unsaved, *, ok: bool, message: str) -> CaptureResult:
    record = image.record
    seen = record.verdict or "not judged"
    share = record.evidence.fraction if record.evidence else None
    focus = f", {int(100 * share)} % in focus" if share is not None else ""
    override = "override, " if record.override else ""
    text = f"{message}: {record.capture_id[:SHORT_ID]} ({override}{seen}{focus})"
    return CaptureResult(ok=ok, record=record, message=text, frame_id=image.frame_id)
