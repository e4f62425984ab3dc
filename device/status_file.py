"""The status file: what the running service says of itself, once a second, for `focusgate status` and other watchers.

It lies in memory (/run), is replaced whole, and carries the boot and the monotonic time of writing, so that a reader
can tell a service that works from one that has stopped saying anything. It holds no picture and nobody's name.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from device.clock import MS, SECOND
from device.status import Status
from device.store.origin import read_boot_id
from models.errors import InputError, one_line

STATUS_FILE = Path("/run/focusgate/status.json")
STATUS_VARIABLE = "FOCUSGATE_STATUS"  # the units name the file by it; without it a run writes none
WRITE_NS = 1 * SECOND
STALE_NS = 3 * SECOND  # two writings missed


class StatusRecord(BaseModel):
    """One moment of the service. Times are monotonic, ns; rates are per second; `fraction` None: nothing judged."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    written_ns: int
    boot_id: str
    pid: int
    mode: str
    reason: str
    shutter_high: bool
    lamp: str
    in_focus: int | None
    judged_tiles: int | None
    fraction: float | None
    camera_fps: float
    judged_fps: float
    dropped: int
    judge_ms: float
    age_ms: float
    f_number: float | None
    frames: int
    judged: int
    opened: int
    saved: int
    refused: int
    last_capture: str
    last_message: str
    captures_left: int | None = None
    audit_trouble: str | None = None
    notices: tuple[str, ...] = ()


def record_of(status: Status, now_ns: int, boot_id: str) -> StatusRecord:
    """What is told of `status`."""
    found = status.focus_map
    return StatusRecord(
        written_ns=now_ns,
        boot_id=boot_id,
        pid=os.getpid(),
        mode=status.gate.mode,
        reason=status.gate.reason,
        shutter_high=status.shutter_high,
        lamp=status.lamp.value,
        in_focus=found.in_focus if found is not None else None,
        judged_tiles=found.judged_tiles if found is not None else None,
        fraction=found.fraction if found is not None else None,
        camera_fps=round(status.camera_fps, 2),
        judged_fps=round(status.judged_fps, 2),
        dropped=status.dropped,
        judge_ms=round(status.judge_ns / MS, 1),
        age_ms=round(status.age_ns / MS, 1),
        f_number=status.f_number,
        frames=status.frames,
        judged=status.judged,
        opened=status.opened,
        saved=status.saved,
        refused=status.refused,
        last_capture=status.last_capture,
        last_message=status.last_message,
        captures_left=status.captures_left,
        audit_trouble=status.audit_trouble,
        notices=status.notices,
    )


def write_status(path: Path, status: Status, now_ns: int, boot_id: str | None = None) -> None:
    """Replace the file at `path`, readable by everybody; not synced, as /run is memory. Raises OSError."""
    record = record_of(status, now_ns, boot_id if boot_id is not None else read_boot_id())
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(record.model_dump_json() + "\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


@dataclass
class StatusWriter:
    """Writes at most once in WRITE_NS; a file that cannot be written is said once and never stops the gate."""

    path: Path
    boot_id: str
    next_ns: int = 0
    broken: bool = False

    def tick(self, status: Status, now_ns: int) -> str | None:
        """Write if it is time. Returns what went wrong, the first time that it does, for the log."""
        if now_ns < self.next_ns:
            return None
        self.next_ns = now_ns + WRITE_NS
        try:
            write_status(self.path, status, now_ns, self.boot_id)
        except OSError as error:
            first, self.broken = not self.broken, True
            return f"{self.path}: the status cannot be written ({error.strerror})" if first else None
        self.broken = False
        return None


def status_writer() -> StatusWriter | None:
    """The writer of this run: where FOCUSGATE_STATUS says, else none."""
    named = os.environ.get(STATUS_VARIABLE)
    return StatusWriter(Path(named), read_boot_id()) if named else None


def read_status(path: Path) -> StatusRecord:
    """The record in `path`. Raises InputError, one line, if it is absent, unreadable or no status file."""
    try:
        return StatusRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{path}: no status file: the service is not running; 'sudo systemctl start focusgate' starts it, "
            "'journalctl -u focusgate -e' says why it stopped"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a status file of yours") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{path}: no status file: {key}: {one_line(first['msg'], 120)}; name one that the service wrote"
        ) from None


def stale(record: StatusRecord, now_ns: int, boot_id: str) -> str | None:
    """Why the record no longer says how things are; None if it does."""
    if record.boot_id != boot_id:
        return "written before the last start of this machine"
    age_ns = now_ns - record.written_ns
    if age_ns > STALE_NS:
        return f"last written {age_ns / SECOND:.0f} s ago"
    return None


def as_json(record: StatusRecord, why_stale: str | None) -> str:
    """The record with `stale`: why it is, or null."""
    return json.dumps(record.model_dump() | {"stale": why_stale})
