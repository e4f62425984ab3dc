"""From a judged frame to the record of a capture: pure, and the last guard of "never lies" before pixels are a file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import ValidationError

from device.frame import Frame
from device.store.origin import Origin
from device.store.records import CaptureRecord, Evidence, new_capture_id
from models.classifier import Judging
from models.errors import InputError, one_line
from models.focusmap import FocusMap
from models.verdict import DEFAULT_PERCENT, VerdictKind, verdict_of

RULE_TOLERANCE = 1e-6  # relative; room for a classifier that keeps its rule in float32


@dataclass(frozen=True, slots=True)
class CaptureContext:
    """What holds for every capture of a run. A map that was not made by this model under these rules is no evidence.

    criterion_px and threshold of `judging` are checked only where they are given.
    """

    model_sha256: str
    judging: Judging = field(default_factory=Judging)
    percent: int = DEFAULT_PERCENT
    camera_id: str = ""
    profile_id: str | None = None
    profile_sha256: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CaptureJob:
    """One image to keep. `frame` is held for the recorder, which closes it; `focus_map` is of that very frame.

    focus_map    None: not judged, which only an override may be
    pressed_ns   monotonic clock; the exposure is not before it
    """

    frame: Frame
    focus_map: FocusMap | None
    override: bool
    pressed_ns: int


def refusal_of(job: CaptureJob, context: CaptureContext) -> str | None:
    """Why this image may not be kept as asked; None if it may (invariant I1). Pure."""
    if job.frame.exposed_ns < job.pressed_ns:
        return f"frame {job.frame.id} was exposed before the press"
    if job.override:
        return None
    if job.focus_map is None:
        return f"frame {job.frame.id} was not judged"
    foreign = _foreign(job.focus_map, job.frame, context)
    if foreign is not None:
        return foreign
    verdict = verdict_of(job.focus_map, context.percent)
    return None if verdict.kind is VerdictKind.PASS else verdict.reason


def record_of(
    job: CaptureJob, context: CaptureContext, origin: Origin, *, session_id: str, sequence: int, now_ns: int
) -> CaptureRecord:
    """The record of a job in the examination `session_id`, with its verdict worked out anew from its map.

    Raises InputError if it may not be kept. An override without a score, or beside a score that is not of these pixels,
    is "not judged".
    """
    refusal = refusal_of(job, context)
    if refusal is not None:
        raise InputError(f"{refusal}; nothing was saved, press again")
    frame, focus_map = job.frame, job.focus_map
    if focus_map is not None and _foreign(focus_map, frame, context) is not None:
        focus_map = None
    verdict = verdict_of(focus_map, context.percent) if focus_map is not None else None
    height, width = frame.luma.shape
    info = frame.info
    try:
        return CaptureRecord(
            capture_id=new_capture_id(),
            session_id=session_id,
            sequence=sequence,
            boot_id=origin.boot_id,
            exposed_ns=frame.exposed_ns,
            press_ns=job.pressed_ns,
            wall_time=origin.wall_now() - timedelta(microseconds=max(now_ns - frame.exposed_ns, 0) // 1000),
            wall_synchronised=origin.synchronised(),
            width=width,
            height=height,
            override=job.override,
            required_percent=context.percent,
            verdict=verdict.kind if verdict else None,
            reason=verdict.reason if verdict else None,
            evidence=Evidence.of(focus_map) if focus_map is not None else None,
            profile_id=context.profile_id,
            profile_sha256=context.profile_sha256,
            camera_id=context.camera_id,
            exposure_us=_positive(info.exposure_us),
            analogue_gain=_positive(info.analogue_gain),
            f_number=_positive(info.f_number),
            software=origin.software,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise InputError(
            f"frame {frame.id} cannot be recorded ({where}: {one_line(first['msg'], 120)}); nothing was saved"
        ) from None


def _foreign(focus_map: FocusMap, frame: Frame, context: CaptureContext) -> str | None:
    """Why the map is no evidence of this frame; None if it is."""
    if (focus_map.frame_id, focus_map.exposed_ns) != (frame.id, frame.exposed_ns):
        return f"the score at hand is of frame {focus_map.frame_id}, not of frame {frame.id}"
    if focus_map.model_sha256 != context.model_sha256:
        return "the score at hand is of another model than the one in force"
    asked = context.judging
    for name in ("criterion_px", "threshold", "min_judged_percent"):
        wanted = getattr(asked, name)
        if wanted is not None and not math.isclose(getattr(focus_map, name), wanted, rel_tol=RULE_TOLERANCE):
            return f"the score at hand was made with another {name} than the one in force"
    return None


def _positive(value: float | None) -> float | None:
    """What a camera says of itself can be nonsense; then it is not known, and the image is kept."""
    return float(value) if value is not None and 0.0 < value < float("inf") else None
