"""The report's first try: mean, maximum, minimum of the pixels and maximum / minimum, told apart without a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.study.tasks import Examples

NAMES = ("mean", "maximum", "minimum", "maximum / minimum")
SHOWN = 120
"""Points of each class that a result keeps, for the scatter."""


def feature_run(train: Examples, test: Examples) -> dict[str, Any]:
    """Accuracy of a Gaussian for each class, on the logarithms of each pair (mean, one of the others) and of all four.

    Quadratic discriminant analysis (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 4.3): what a
    scatter plot can show, drawn by the best curve of second order.
    """
    by_pair = {}
    for column in (1, 2, 3):
        by_pair[f"mean, {NAMES[column]}"] = _accuracy(train, test, [0, column])
    found = _told(train, test, [0, 1, 2])
    points = {
        str(target): test.raw[test.targets == target][:SHOWN].round(1).tolist() for target in np.unique(test.targets)
    }
    return {
        "right": int((found == test.targets).sum()),
        "tested": len(test.targets),
        "accuracy": float((found == test.targets).mean()),
        "pairs": by_pair,
        "points": points,
    }


def _accuracy(train: Examples, test: Examples, columns: list[int]) -> float:
    return float((_told(train, test, columns) == test.targets).mean())


def _told(train: Examples, test: Examples, columns: list[int]) -> NDArray[np.int64]:
    known, asked = (np.log(np.maximum(part.raw[:, columns], 1.0)).astype(float) for part in (train, test))
    scores = []
    for target in np.unique(train.targets):
        group = known[train.targets == target]
        centre = group.mean(axis=0)
        covariance = np.cov(group.T) + 1e-6 * np.eye(len(columns))
        away = asked - centre
        distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
        scores.append(-0.5 * (distance + np.linalg.slogdet(covariance)[1]))
    return np.argmax(scores, axis=0).astype(np.int64)
