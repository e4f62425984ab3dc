"""What is counted of the answers, and how sure the counts are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Result = dict[str, Any]
Z_95 = 1.959964
"""Of the normal distribution, two-sided 95 %."""


def wilson(right: int, tested: int) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share (J. Am. Stat. Assoc. 22, 1927); (0, 1) of nothing."""
    if tested == 0:
        return 0.0, 1.0
    share, z2 = right / tested, Z_95**2
    centre = (share + z2 / (2 * tested)) / (1 + z2 / tested)
    half = Z_95 / (1 + z2 / tested) * math.sqrt(share * (1 - share) / tested + z2 / (4 * tested**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # rounding must not leave it out


def scores(found: NDArray[np.int64], targets: NDArray[np.int64], classes: int) -> Result:
    """Accuracy, mean F-score over classes, counts by class, and how many are within one class."""
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (targets, np.minimum(found, classes - 1)), 1)
    hit = np.diag(confusion)
    f_scores = 2 * hit / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    return {
        "right": int(hit.sum()),
        "tested": len(targets),
        "accuracy": float(hit.sum() / len(targets)),
        "f_score": float(f_scores.mean()),
        "within_one": float((np.abs(found - targets) <= 1).mean()),
        "confusion": confusion.tolist(),
    }


def in_focus_scores(found: NDArray[np.int64], targets: NDArray[np.int64]) -> Result:
    """The eleven levels as two: planes 15 to 17 are in focus, as the report has it."""
    said, true = found <= 1, targets <= 1
    hits = int((said & true).sum())
    return {
        "binary_accuracy": float((said == true).mean()),
        "binary_f": 2 * hits / max(int(said.sum() + true.sum()), 1),
    }
