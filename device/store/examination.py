"""Which examination an image belongs to: a random number, never a name, and never that of the patient before.

What is known is a handful of facts of this boot, each with its monotonic time: an image was taken in an examination,
one was opened, it was closed. The newest fact before the exposure decides, and one that is 15 minutes old decides
nothing: then the image opens an examination of its own. So whatever goes wrong (a restart, a lost file, a new boot) can
split one examination in two, and cannot join two patients.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from device.clock import SECOND
from device.store.files import EXAMINATION, POSIX, FileOps, check_owner, storage_errors, write_durably
from device.store.records import CaptureId, Count, Line

IDLE_NS = 15 * 60 * SECOND
END_HOLD_NS = 3 * SECOND  # twice the hold that arms an override, and far below that of a stuck button
KEPT = 8  # facts: more than images can wait to be saved


@dataclass(frozen=True, slots=True)
class Fact:
    """At `at_ns` (monotonic) the examination was this one, or was closed (None)."""

    at_ns: int
    session_id: str | None


def examination_at(facts: Iterable[Fact], at_ns: int, idle_ns: int = IDLE_NS) -> str | None:
    """The examination that is open at `at_ns`; None if there is none."""
    newest = newest_fact(facts, at_ns)
    return newest.session_id if newest is not None and at_ns - newest.at_ns < idle_ns else None


def newest_fact(facts: Iterable[Fact], at_ns: int) -> Fact | None:
    """The last that was so at `at_ns`; of two facts at once, closing counts. None if there is none."""
    return max((fact for fact in facts if fact.at_ns <= at_ns), key=_order, default=None)


def with_fact(facts: tuple[Fact, ...], fact: Fact) -> tuple[Fact, ...]:
    """The newest facts, in order."""
    return tuple(sorted({*facts, fact}, key=_order)[-KEPT:])


def hold_ends_it(since_ns: int | None, before_ns: int, now_ns: int) -> bool:
    """True in the one step, from `before_ns` to `now_ns`, in which the capture button has been down for END_HOLD_NS.

    The last image of a patient and the end of the examination are one gesture of one hand, and a tone answers it.
    """
    return since_ns is not None and before_ns - since_ns < END_HOLD_NS <= now_ns - since_ns


def _order(fact: Fact) -> tuple[int, bool, str]:
    return fact.at_ns, fact.session_id is None, fact.session_id or ""


class _Mark(BaseModel):
    """The last word of a person: opened, or closed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    boot_id: Line
    at_ns: Count
    session_id: CaptureId | None


def read_mark(folder: Path, boot_id: str, now_ns: int) -> Fact | None:
    """What a person last said in this boot, if anything. A file that cannot be read counts as "closed just now"."""
    try:
        mark = _Mark.model_validate_json((folder / EXAMINATION).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        return Fact(now_ns, None)
    return Fact(mark.at_ns, mark.session_id) if mark.boot_id == boot_id else None


def write_mark(folder: Path, boot_id: str, fact: Fact, files: FileOps = POSIX) -> None:
    """Say it durably, for the running device and for one that starts later in this boot.

    Raises StorageError, or InputError if the store is somebody else's.
    """
    check_owner(folder)
    text = _Mark(boot_id=boot_id, at_ns=fact.at_ns, session_id=fact.session_id).model_dump_json()
    with storage_errors("write down the examination", folder, "nothing was changed"):
        write_durably(files, folder / EXAMINATION, text.encode())
