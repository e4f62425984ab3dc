"""What is noted of what: numbers, digests and random ids; never a name, a path or an identity."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any

from calibration.profile import Profile
from device.config import Config
from device.store.records import CaptureRecord
from models.classifier import Classifier, Judging
from models.focusmap import FocusMap
from models.verdict import verdict_of


def in_force(config: Config, classifier: Classifier, judging: Judging, profile: Profile | None) -> dict[str, Any]:
    """Configuration, model and calibration of a run, by their digests, and the rule that they make."""
    return {
        "software": version("focusgate"),
        "config_sha256": hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
        "model": classifier.name,
        "model_sha256": classifier.sha256,
        "profile_sha256": profile.sha256() if profile is not None else None,
        "camera": config.camera.kind,
        "pins": config.pins.kind,
        "percent": config.gate.percent,
        "criterion_px": judging.criterion_px or classifier.criterion_px,
        "min_judged_percent": judging.min_judged_percent,
    }


def score(focus_map: FocusMap | None, percent: int) -> dict[str, Any]:
    """What the classifier said of a frame; verdict None if it was not asked."""
    if focus_map is None:
        return {"verdict": None}
    verdict = verdict_of(focus_map, percent)
    return {"verdict": verdict.kind.value, "in_focus": focus_map.in_focus, "judged_tiles": focus_map.judged_tiles}


def capture(record: CaptureRecord, seal: str) -> dict[str, Any]:
    """A durable capture. `seal` is what its file carries: with it, the log proves the file."""
    found = record.evidence
    return {
        "capture_id": record.capture_id,
        "session_id": record.session_id,
        "number": record.sequence,
        "seal": seal,
        "override": record.override,
        "verdict": record.verdict.value if record.verdict else None,
        "in_focus": found.in_focus if found else None,
        "judged_tiles": found.judged_tiles if found else None,
        "model_sha256": found.model_sha256 if found else None,
    }
