"""Figures of merit for a score that should be high where a picture is in focus. Rank statistics in NumPy, no scipy.

Throughout, `scores` is float64 (n,), finite, `sharp` is bool (n,), True for what is in focus. A figure is None where
it is not defined, as the area under the curve of a single class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Bools = NDArray[np.bool_]

BINS = 10
RESAMPLES = 1000
COVERED = 0.95
SEED = 7


@dataclass(frozen=True, slots=True)
class Rates:
    """What a decision gets wrong.

    false_sharp        share of what is out of focus that is called in focus
    missed             share of what is in focus that is called out of focus
    balanced_accuracy  1 - (false_sharp + missed) / 2
    """

    false_sharp: float | None
    missed: float | None
    balanced_accuracy: float | None


def auc(scores: Scores, sharp: Bools) -> float | None:
    """Area under the ROC curve: the probability that an in-focus square scores above an out-of-focus one, ties half.

    By the sum of mid-ranks (Mann and Whitney 1947).
    """
    count_in, count_out = int(sharp.sum()), int((~sharp).sum())
    if not count_in or not count_out:
        return None
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - (size - 1) / 2.0
    return float((middle[group][sharp].sum() - count_in * (count_in + 1) / 2.0) / (count_in * count_out))


def rates(called_sharp: Bools, sharp: Bools) -> Rates:
    """Rates of one decision per square."""
    false_sharp = float(called_sharp[~sharp].mean()) if (~sharp).any() else None
    missed = float((~called_sharp[sharp]).mean()) if sharp.any() else None
    if false_sharp is None or missed is None:
        return Rates(false_sharp, missed, None)
    return Rates(false_sharp, missed, 1.0 - (false_sharp + missed) / 2.0)


def roc(scores: Scores, sharp: Bools) -> tuple[Scores, Scores]:
    """The ROC curve from (0, 0) to (1, 1): shares of out- and in-focus squares at or above each distinct score."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.diff(scores[order]) != 0.0, True)
    hits = np.cumsum(sharp[order])[last_of_ties]
    false = np.cumsum(~sharp[order])[last_of_ties]
    return np.append(0.0, false / max(false[-1], 1)), np.append(0.0, hits / max(hits[-1], 1))


def best_threshold(scores: Scores, sharp: Bools) -> tuple[float, float] | None:
    """The threshold with the highest balanced accuracy, and that accuracy: what no threshold could do better.

    Called in focus is what scores at or above; the threshold lies midway between two neighbouring scores.
    """
    if not sharp.any() or sharp.all():
        return None
    false, hits = roc(scores, sharp)
    accuracy = (hits + 1.0 - false) / 2.0
    best = int(accuracy.argmax())
    falling = np.unique(scores)[::-1]
    if best == 0:
        return float(np.nextafter(falling[0], np.inf)), float(accuracy[best])
    above, below = falling[best - 1], falling[min(best, falling.size - 1)]
    middle = float(above + (below - above) / 2.0)
    return (middle if below < middle <= above else float(above)), float(accuracy[best])


@dataclass(frozen=True, slots=True)
class Bin:
    """Squares whose probability lies in [low, high), the last bin with its upper end; None where it is empty."""

    low: float
    high: float
    count: int
    mean_probability: float | None
    share_in_focus: float | None


def reliability(probability: Scores, sharp: Bools) -> list[Bin]:
    """What was said against what is so, in BINS equal bins (DeGroot and Fienberg 1983), empty ones included."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        here = bins == number
        count = int(here.sum())
        said = float(probability[here].mean()) if count else None
        true = float(sharp[here].mean()) if count else None
        found.append(Bin(number / BINS, (number + 1) / BINS, count, said, true))
    return found


def calibration_error(probability: Scores, sharp: Bools) -> float | None:
    """Expected calibration error: mean |mean probability - share in focus| over the bins, weighted by their counts
    (Naeini, Cooper and Hauskrecht 2015)."""
    if not probability.size:
        return None
    gaps = (
        each.count * abs(each.mean_probability - each.share_in_focus)
        for each in reliability(probability, sharp)
        if each.mean_probability is not None and each.share_in_focus is not None
    )
    return sum(gaps) / probability.size


def drawn_scenes(scenes: Sequence[str], *, seed: int = SEED) -> Iterator[NDArray[np.intp]]:
    """RESAMPLES bootstrap samples: positions of the squares of as many scenes as there are, drawn with replacement.

    Nothing with fewer than two scenes: one scene tells nothing about others.
    """
    names, group = np.unique(np.asarray(scenes), return_inverse=True)
    if names.size < 2:
        return
    members = [np.flatnonzero(group == index) for index in range(names.size)]
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.concatenate([members[index] for index in rng.integers(0, names.size, names.size)])


def interval(values: Sequence[float | None]) -> tuple[float, float] | None:
    """The range that COVERED of the bootstrap figures lie in, the undefined ones left out; None if all are."""
    defined = [value for value in values if value is not None]
    if not defined:
        return None
    low, high = np.quantile(defined, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)


def number(value: float | None) -> str:
    """A figure with three digits, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.3f}"
