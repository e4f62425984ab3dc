"""The model's figures at several criteria: what "in focus" is taken to mean is the device's choice, not the weights'.

Labels stay what they are, so this shows where the labels' own idea of "in focus" lies on the model's scale.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from models.errors import InputError
from models.evaluation.datasets import Label
from models.evaluation.metrics import auc, rates
from models.evaluation.scoring import AtCriterion, Scored
from models.scores import TAIL
from models.verdict import VerdictKind

DEFAULT_CRITERIA_PX = (1.0, 1.5, 2.0, 2.5, 3.5, 5.0)
"""Radii in px from what only a very good lens reaches to what no screen hides; the shipped model's own edges."""

MOST_CRITERIA = 16
"""Each costs one more run of the model an image."""


def default_criteria(edges_px: tuple[float, ...]) -> tuple[float, ...]:
    """Those of DEFAULT_CRITERIA_PX that a model with these edges can answer (`models.scores.limits`)."""
    return tuple(each for each in DEFAULT_CRITERIA_PX if each <= TAIL * edges_px[-1])


def parse_criteria(text: str) -> tuple[float, ...]:
    """Radii in px from "1,1.5,2", rising, each once. Raises InputError, one line, for anything else."""
    words = text.split(",")
    try:
        values = sorted({float(word) for word in words})
    except ValueError:
        values = []
    if not values or len(words) > MOST_CRITERIA or not all(math.isfinite(each) and each > 0.0 for each in values):
        raise InputError(
            f"--criteria {text!r}: allowed are 1 to {MOST_CRITERIA} blur radii in px, above 0, parted by commas, "
            "as 1,1.5,2.5"
        )
    return tuple(values)


def figures_by_criterion(scored: Scored) -> list[dict[str, Any]]:
    """AUC, balanced accuracy, false-sharp and missed at the threshold in force, one entry per criterion.

    `verdicts` counts what the product itself says of whole images, by label; None where there are none. There, every
    answer but "pass" refuses the image: false_sharp is the share of out-of-focus images that pass, missed that of
    in-focus images that do not.
    """
    return [_figures(each, scored) for each in scored.at]


def _figures(at: AtCriterion, scored: Scored) -> dict[str, Any]:
    counted = np.isfinite(at.p_judged) & ~scored.mixed
    p, sharp = at.p_judged[counted], scored.sharp[counted]
    found = rates(p >= scored.threshold, sharp)
    return {
        "criterion_px": at.criterion_px,
        "in": int(sharp.sum()),
        "out": int((~sharp).sum()),
        "auc": auc(p, sharp),
        "balanced_accuracy": found.balanced_accuracy,
        "false_sharp": found.false_sharp,
        "missed": found.missed,
        "verdicts": _verdicts(at, scored),
    }


def _verdicts(at: AtCriterion, scored: Scored) -> dict[str, Any] | None:
    """Counts by label and verdict over whole images, and the two rates of error."""
    whole = np.array([verdict is not None for verdict in at.verdicts])
    if not whole.any():
        return None
    counts = Counter((square.label, verdict) for square, verdict in zip(scored.squares, at.verdicts, strict=True))
    clear = whole & ~scored.mixed
    passed = np.array([verdict is VerdictKind.PASS for verdict in at.verdicts])
    found = rates(passed[clear], scored.sharp[clear])
    return {
        **{label.value: {kind.value: counts[label, kind] for kind in VerdictKind} for label in Label},
        "false_sharp": found.false_sharp,
        "missed": found.missed,
    }
