"""The shipped model on the study's pictures: its ONNX file as it is, its blur radius put on the study's levels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import Judging
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.study.scoring import in_focus_scores, scores
from models.study.simulated import IN_FOCUS
from models.study.stacks import Stacks
from models.study.tasks import Examples, Task

WHITE_SHARE = 0.999
"""As `models.images` scales pictures of 16 bits."""
SAMPLE = 60
"""Fields of the training wells from which levels are put on the scale of blur radii."""


def shipped_run(stacks: Stacks, train: Examples, test: Examples, task: Task) -> dict[str, Any]:
    """Levels by the nearest median blur radius of each level on the training wells; nothing else is fitted."""
    model = load_classifier()
    known, _ = _radii(model, stacks, np.unique(train.rows)[:SAMPLE], task)
    medians = np.array([np.median(known[level]) for level in range(len(task.classes))])
    asked, milliseconds = _radii(model, stacks, np.unique(test.rows), task)
    targets = np.concatenate([np.full(len(radii), level) for level, radii in asked.items()])
    radii = np.concatenate(list(asked.values()))
    found = np.abs(radii[:, None] - medians[None]).argmin(axis=1)
    return {
        **scores(found, targets, len(task.classes)),
        **in_focus_scores(found, targets),
        "medians_px": medians.round(2).tolist(),
        "parameters": None,
        "frame_cpu_ms": milliseconds * 520 * 696 / float(np.prod(stacks.images.shape[2:])),
    }


def luma_of(picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Linear from 0 to the 99.9th percentile, as the product reads pictures of 16 bits (decision 6)."""
    white = max(float(np.quantile(picture, WHITE_SHARE)), 255.0)
    return np.clip(picture / white * 255.0, 0.0, 255.0).astype(np.uint8)


def _radii(
    model: OnnxClassifier, stacks: Stacks, rows: NDArray[np.int64], task: Task
) -> tuple[dict[int, NDArray[np.float64]], float]:
    """Mean blur radius (px) of the judged tiles by class, one value a field, and the median CPU time in ms."""
    judging = Judging(model.criterion_px)
    found: dict[int, NDArray[np.float64]] = {}
    times = []
    for level, group in enumerate(task.classes):
        values = []
        for number, row in enumerate(rows):
            plane = group.planes[number % len(group.planes)] - IN_FOCUS + stacks.in_focus
            luma = luma_of(np.asarray(stacks.images[row, plane]))
            started = time.process_time()
            judged = model.judge(luma, judging)
            times.append(time.process_time() - started)
            seen = judged.blur_px[judged.judged]
            values.append(float(seen.mean() if seen.size else judged.blur_px.mean()))
        found[level] = np.array(values)
    return found, 1000 * float(np.median(times))
