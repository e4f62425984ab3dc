"""The recorder of a run, from its configuration: which folder, which boot, and what if the folder cannot be had."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calibration.profile import Profile
from device.audit.notes import SILENT, Notes
from device.capture import CaptureContext
from device.clock import Clock, MonotonicClock
from device.config import StoreConfig
from device.recorder import ClosedStore, Recorder
from device.store.catalogue import count_plain, default_store
from device.store.origin import Origin
from device.store.sealing import load_recipient
from device.store.writer import Store
from device.supervision.faults import STORE_CLOSED, STORE_REPAIRED, coded
from models.classifier import Classifier, Judging
from models.errors import StorageError, one_line

log = logging.getLogger("focusgate")


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
    patient: bool = False,
) -> Recorder:
    """The recorder of a run, its store opened and repaired. `folder` goes before the configuration's.

    `clock` is the one that the frames' times are of. `patient`: a folder that cannot be opened now is a fault that is
    shown and tried again, not the end of the run. Raises InputError, and StorageError unless `patient`.
    """
    context = CaptureContext(
        model_sha256=classifier.sha256,
        judging=judging,
        percent=percent,
        camera_id=_nameless(camera_id),
        profile_id=profile.name if profile else None,
        profile_sha256=profile.sha256() if profile else None,
    )
    recipient = load_recipient(Path(config.seal_to)) if config.seal_to else None
    place = store_folder(config, folder)

    def open_store() -> Store:
        store = Store.open(place, recipient=recipient)
        for line in store.repair.lines():
            log.warning("%s", coded(STORE_REPAIRED, f"store: {line}"))
        plain = count_plain(store.folder) if recipient is not None else 0
        if plain:
            log.warning(
                "store: %d captures from before sealing lie there for all to see; export and delete them", plain
            )
        return store

    origin = origin or origin_of(clock)
    try:
        store: Store | ClosedStore = open_store()
    except StorageError as error:
        if not patient:
            raise
        store = ClosedStore(coded(STORE_CLOSED, error), open_store)
        log.warning("%s; it is tried again", store.why)
    return Recorder(store, context, clock=clock, origin=origin, queue_limit=config.queue, audit=audit)


def _nameless(camera_id: str) -> str:
    """As it stands in every image: of a folder of pictures only that it is one; it may be named after a patient."""
    if camera_id.startswith("files:"):
        return "files"
    return one_line("".join(c if c.isprintable() else " " for c in camera_id), 200)


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
