"""What a command at the keyboard does to a store, noted in the same log as what the device does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device.audit.log import AuditLog, Note
from device.audit.notes import LIST_LIMIT
from device.clock import MonotonicClock
from device.store.files import AUDIT, check_owner
from device.store.origin import Origin
from models.errors import StorageError


def note_now(store: Path, kind: str, *told: Mapping[str, Any]) -> str | None:
    """Write one record for each of `told`, durable when this returns; works beside the running device.

    Returns why it could not be written, or None. Raises InputError if the store is somebody else's.
    """
    check_owner(store)
    now_ns = MonotonicClock().now_ns()
    try:
        AuditLog(store / AUDIT, Origin()).append([Note(kind, now_ns, data) for data in told], now_ns)
    except StorageError as error:
        return str(error)
    return None


def of_deletion(capture_ids: Sequence[str], sessions: int) -> list[dict[str, Any]]:
    """A deletion of any number of captures, in records of bounded size."""
    return [
        {"captures": list(capture_ids[at : at + LIST_LIMIT]), "of": len(capture_ids), "sessions": sessions}
        for at in range(0, len(capture_ids), LIST_LIMIT)
    ]
