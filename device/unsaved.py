"""Images on their way to the disk: what waits, in which form, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.frame import Frame
from device.store.catalogue import SHORT_ID
from device.store.examination import Fact
from device.store.records import CaptureRecord
from device.store.writer import Store

NO_NUMBER = 1  # of an image whose store is not open yet; it gets its own when it is


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What became of one job. `ok` only if the capture is durable; `message` is one line for the clinician."""

    ok: bool
    record: CaptureRecord | None
    message: str
    frame_id: int


@dataclass(frozen=True, slots=True)
class ClosedStore:
    """A store that could not be opened: why (one line with its code), and how to try again (raises StorageError)."""

    why: str
    open: Callable[[], Store]


@dataclass(frozen=True, slots=True, eq=False)
class Unsaved:
    """`data` is the file of the image, sealed already where captures are; None while no store has given it a number,
    and then `rgb` (H×W×3, uint8) is kept instead."""

    record: CaptureRecord
    frame_id: int
    data: bytes | None = None
    rgb: NDArray[np.uint8] | None = None


def kept(frame: Frame, record: CaptureRecord, store: Store | None) -> Unsaved:
    """The image, free of the camera's buffer: as its file, or as its pixels while no store says what form it has.

    Raises InputError as `device.store.jpeg.encode`, and what the camera raises.
    """
    if store is None:
        return Unsaved(record, frame.id, rgb=frame.still().copy())
    return Unsaved(record, frame.id, data=store.encode(frame.still(), record))


def numbered(image: Unsaved, store: Store) -> Unsaved:
    """The image with its number and its form, now that there is a store. Raises InputError as `kept`."""
    if image.rgb is None:
        return image
    record = image.record.model_copy(update={"sequence": store.next_sequence()})
    return Unsaved(record, image.frame_id, data=store.encode(image.rgb, record))


def facts_of(store: Store, boot_id: str) -> tuple[Fact, ...]:
    """A service that starts again in the midst of an examination goes on with it."""
    newest = store.newest
    if newest is None or newest.boot_id != boot_id or newest.session_id is None:
        return ()
    return (Fact(newest.exposed_ns, newest.session_id),)


def result_of(image: Unsaved, *, ok: bool, message: str) -> CaptureResult:
    record = image.record
    seen = record.verdict or "not judged"
    share = record.evidence.fraction if record.evidence else None
    focus = f", {int(100 * share)} % in focus" if share is not None else ""
    override = "override, " if record.override else ""
    text = f"{message}: {record.capture_id[:SHORT_ID]} ({override}{seen}{focus})"
    return CaptureResult(ok=ok, record=record, message=text, frame_id=image.frame_id)
