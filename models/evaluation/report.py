"""From scores to figures: the model at its shipped threshold, the classical measures at one chosen on other scenes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.criteria import figures_by_criterion
from models.evaluation.datasets import Label, by_image
from models.evaluation.metrics import (
    Bools,
    Scores,
    auc,
    best_threshold,
    calibration_error,
    drawn_scenes,
    interval,
    rates,
    reliability,
)
from models.evaluation.scoring import Scored

MIN_FRAME_SQUARES = 10
"""Labelled squares in a frame from which on its in-focus fraction is worth comparing."""

BASELINE_THRESHOLD = 0.5
"""Where their authors draw the line: the likelier class."""

FIGURES = ("auc", "balanced_accuracy", "best_balanced_accuracy", "false_sharp", "missed", "calibration_error")
Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One method on the squares that count for it.

    scores     higher is sharper; NaN where the method has no score
    called     what it decides; NaN (as float) where no threshold could be chosen, else 1 in focus, 0 out
    counted    squares that count: labelled in or out, and scored
    threshold  the fixed one; None for leave-one-scene-out
    """

    name: str
    scores: Scores
    called: Scores
    counted: Bools
    threshold: float | None
    probability: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one method on some squares; None where not defined. Intervals only for pooled figures."""

    count_in: int
    count_out: int
    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


def methods_of(scored: Scored) -> list[Method]:
    """The model on the squares it judges, the model on all; every classical measure and baseline on the former.

    Baselines twice: as a classical measure, at the threshold that is best on all other scenes, and at
    BASELINE_THRESHOLD.
    """
    clear = ~scored.mixed
    scenes = np.array([square.scene for square in scored.squares])
    judged = clear & scored.judged
    anywhere = clear & np.isfinite(scored.p_any)
    methods = [
        Method("model", scored.p_judged, _called(scored.p_judged, scored.threshold), judged, scored.threshold, True),
        Method(
            "model, causes ignored",
            scored.p_any,
            _called(scored.p_any, scored.threshold),
            anywhere,
            scored.threshold,
            True,
        ),
    ]
    for name, scores in scored.classical.items():
        called = leave_one_scene_out(scores, scored.sharp, scenes, judged)
        methods.append(Method(name, scores, called, judged, None, False))
    for name, scores in scored.baselines.items():
        counted = judged & np.isfinite(scores)
        at_half, half = _called(scores, BASELINE_THRESHOLD), BASELINE_THRESHOLD
        elsewhere = leave_one_scene_out(scores, scored.sharp, scenes, counted)
        methods.append(Method(name, scores, elsewhere, counted, None, True))
        methods.append(Method(f"{name}, p ≥ {half:g}", scores, at_half, counted, half, True))
    return methods


def _called(scores: Scores, threshold: float) -> Scores:
    return np.where(np.isfinite(scores), (scores >= threshold).astype(np.float64), np.nan)


def leave_one_scene_out(scores: Scores, sharp: Bools, scenes: NDArray[np.str_], counted: Bools) -> Scores:
    """Decisions per scene at the threshold that is best on all other scenes together; NaN where there is none."""
    called = np.full(scores.size, np.nan)
    for scene in np.unique(scenes[counted]):
        others = counted & (scenes != scene)
        found = best_threshold(scores[others], sharp[others])
        if found is not None:
            here = counted & (scenes == scene)
            called[here] = scores[here] >= found[0]
    return called


def figures_at(method: Method, sharp: Bools, positions: Positions) -> Figures:
    """Figures on the counted squares among `positions`, which may repeat (bootstrap); no intervals."""
    positions = positions[method.counted[positions]]
    scores, truth, called = method.scores[positions], sharp[positions], method.called[positions]
    best = best_threshold(scores, truth)
    decided = np.isfinite(called)
    found = rates(called[decided] > 0.5, truth[decided])
    values = {
        "auc": auc(scores, truth),
        "balanced_accuracy": found.balanced_accuracy,
        "best_balanced_accuracy": best[1] if best else None,
        "false_sharp": found.false_sharp,
        "missed": found.missed,
        "calibration_error": calibration_error(scores, truth) if method.probability else None,
    }
    return Figures(int(truth.sum()), int((~truth).sum()), values, {})


def pooled(method: Method, sharp: Bools, scenes: list[str]) -> Figures:
    """Figures over all scenes, with bootstrap intervals by scene."""
    every = np.flatnonzero(method.counted)
    found = figures_at(method, sharp, every)
    kept = [scenes[position] for position in every]
    draws = [figures_at(method, sharp, every[drawn]).values for drawn in drawn_scenes(kept)]
    intervals = {name: interval([draw[name] for draw in draws]) for name in FIGURES}
    return Figures(found.count_in, found.count_out, found.values, intervals)


def over_scenes(per_scene: dict[str, Figures]) -> dict[str, dict[str, float | None]]:
    """Mean and worst over the scenes in which a figure is defined; the worst balanced accuracy is the lowest."""
    result: dict[str, dict[str, float | None]] = {}
    for name in FIGURES:
        values = [value for figures in per_scene.values() if (value := figures.values[name]) is not None]
        lower_is_worse = name.endswith("accuracy") or name == "auc"
        worst = (min(values) if lower_is_worse else max(values)) if values else None
        result[name] = {"mean": math.fsum(values) / len(values) if values else None, "worst": worst}
    return result


def fraction_error(scored: Scored) -> tuple[float | None, int]:
    """Mean |share called in focus - share labelled in focus| over frames, and the number of frames that count."""
    counted, sharp = scored.judged & ~scored.mixed, scored.sharp
    errors = []
    for members in by_image(scored.squares).values():
        positions = np.array(members)[counted[members]]
        if positions.size >= MIN_FRAME_SQUARES:
            called = scored.p_judged[positions] >= scored.threshold
            errors.append(abs(float(called.mean()) - float(sharp[positions].mean())))
    return (math.fsum(errors) / len(errors) if errors else None), len(errors)


def report_of(scored: Scored, left_out: int, model: dict[str, str], *, crops: bool) -> dict[str, Any]:
    """Everything as one JSON object; `focusgate eval --json` prints it, the table and the page show it."""
    sharp = scored.sharp
    scenes = [square.scene for square in scored.squares]
    labels = [square.label for square in scored.squares]
    judged = scored.judged
    error, frames = fraction_error(scored)
    clear = judged & ~scored.mixed
    methods = []
    for method in methods_of(scored):
        per_scene = {
            scene: figures_at(method, sharp, np.flatnonzero(np.array(scenes) == scene)) for scene in sorted(set(scenes))
        }
        methods.append(
            {
                "name": method.name,
                "threshold": method.threshold if method.threshold is not None else "leave-one-scene-out",
                "pooled": _as_json(pooled(method, sharp, scenes)),
                "over_scenes": over_scenes(per_scene),
                "scenes": {scene: _as_json(figures) for scene, figures in per_scene.items()},
            }
        )
    return {
        "model": model,
        "criterion_px": scored.criterion_px,
        "threshold": scored.threshold,
        "crops": crops,
        "images": len(by_image(scored.squares)),
        "squares": len(scored.squares),
        "left_out": left_out,
        "labels": {label.value: labels.count(label) for label in Label},
        "cannot_judge": {
            label.value: sum(found is label and not known for found, known in zip(labels, judged, strict=True))
            for label in Label
        },
        "cannot_judge_by_scene": {
            scene: sum(found == scene and not known for found, known in zip(scenes, judged, strict=True))
            for scene in sorted(set(scenes))
        },
        "fraction_error": {"mean": error, "frames": frames},
        "criteria": figures_by_criterion(scored),
        "reliability": [asdict(each) for each in reliability(scored.p_judged[clear], sharp[clear])],
        "methods": methods,
    }


def _as_json(figures: Figures) -> dict[str, Any]:
    return {"in": figures.count_in, "out": figures.count_out, **figures.values, "intervals": figures.intervals}
