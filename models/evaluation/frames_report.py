"""The figures of whole frames as one JSON object, with the goals they are held to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.evaluation.frames import JudgedFrame, Mean, Rate, means_of, rates_of
from models.evaluation.frames_parts import by_blur, by_condition, by_truth
from models.focusmap import Cause
from models.verdict import DEFAULT_PERCENT

LARGEST_ERROR = 0.05
MOST_FALSE_OPEN = 0.01
MOST_FALSE_REFUSE = 0.05

GOALS = (
    ("error", "mean error of the in-focus fraction", LARGEST_ERROR),
    ("false_open", "false open (true fraction < 80 %)", MOST_FALSE_OPEN),
    ("false_refuse_judged", "false refuse (true fraction > 97 %), though judged", MOST_FALSE_REFUSE),
    ("false_refuse", "false refuse, for any reason", MOST_FALSE_REFUSE),
)
"""Name of the figure, its words, and the most that is allowed."""

WORDS = {
    "error": "error of the fraction: |estimated − true|, all tiles of the field",
    "bias": "bias: estimated − true, all tiles of the field",
    "judged_error": "error against the truth of the judged tiles only",
    "judged_bias": "bias against the truth of the judged tiles only",
    "sure_error": "error beyond what the truth leaves open",
    "false_open": "false open: true fraction < 80 %",
    "false_open_judged": "… of the judged tiles",
    "false_open_sure": "… beyond what the truth leaves open",
    "false_refuse": "false refuse: true fraction > 97 %, any reason",
    "false_refuse_judged": "… though judged",
    "false_refuse_sure": "… though judged, beyond what the truth leaves open",
    "cannot_judge": "frames that cannot be judged",
}


WHOLE_COUNTS = ("field_tiles", "judged_tiles", "in_focus", "true_tiles", "true_judged_tiles", "opens")
"""What a record keeps of the tiles wholly within the field."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for: scenes, frames of each, size in px, first seed, apertures, and by how much the truth may be
    out."""

    scenes: int
    frames_per_scene: int
    width: int
    height: int
    seed: int
    f_numbers: tuple[float, ...]
    tolerance: float


def report_of(
    frames: Sequence[JudgedFrame], run: Run, model: dict[str, str], criterion_px: float, threshold: float
) -> dict[str, Any]:
    """Everything as one JSON object; the terminal and the page show it. `frames` must not be empty."""
    means, rates = means_of(frames), rates_of(frames)
    whole = [frame.whole for frame in frames if frame.whole is not None]
    return {
        "model": model,
        "criterion_px": criterion_px,
        "threshold": threshold,
        "percent": DEFAULT_PERCENT,
        **asdict(run),
        "frames": len(frames),
        "means": {name: asdict(mean) for name, mean in means.items()},
        "rates": {name: asdict(rate) for name, rate in rates.items()},
        "whole_tiles": {
            "means": {name: asdict(mean) for name, mean in means_of(whole).items()},
            "rates": {name: asdict(rate) for name, rate in rates_of(whole).items()},
            "by_blur": _blur_rows(whole),
        },
        "goals": [_goal(name, words, most, means | rates) for name, words, most in GOALS],
        "not_judged_frames": {
            cause.name.lower(): sum(not frame.can_judge and frame.cause is cause for frame in frames)
            for cause in Cause
            if cause is not Cause.JUDGED
        },
        "tiles": {cause.name.lower(): sum(frame.causes[cause] for frame in frames) for cause in Cause},
        "by_condition": {name: [asdict(part) for part in by_condition(frames, name)] for name in frames[0].conditions},
        "by_truth": [asdict(part) for part in by_truth(frames)],
        "by_blur": _blur_rows(frames),
        "records": [_record(frame) for frame in frames],
    }


def _goal(name: str, words: str, most: float, figures: dict[str, Mean | Rate]) -> dict[str, Any]:
    figure = figures[name]
    value = figure.mean if isinstance(figure, Mean) else figure.rate
    met = None if value is None else value <= most
    return {"figure": name, "words": words, "most": most, "found": value, "interval": figure.interval, "met": met}


def _blur_rows(frames: Sequence[JudgedFrame]) -> list[dict[str, Any]]:
    return [
        {"from": low, "below": None if math.isinf(high) else high, "judged": judged, "called_sharp": share}
        for low, high, judged, share in by_blur(frames)
    ]


def _record(frame: JudgedFrame) -> dict[str, Any]:
    values = asdict(replace(frame, whole=None))
    whole = None if frame.whole is None else {name: getattr(frame.whole, name) for name in WHOLE_COUNTS}
    return values | {"verdict": frame.verdict.value, "cause": frame.cause.name.lower(), "whole": whole}
