"""Frames taken apart: by condition, by their true fraction, tiles by their blur, and the worst to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluation.frames import IN_ABOVE, OUT_BELOW, RATIOS, JudgedFrame, Mean, Rate, means_of, rates_of

PARTS = 3
"""Thirds of a condition."""


@dataclass(frozen=True, slots=True)
class Part:
    """Figures of some of the frames; `low` and `high` are the smallest and largest value of what divides them."""

    name: str
    low: float
    high: float
    frames: int
    means: dict[str, Mean]
    rates: dict[str, Rate]


def part_of(name: str, values: Sequence[float], frames: Sequence[JudgedFrame]) -> Part:
    """The figures of these frames, at least one, whose dividing values are `values`."""
    return Part(name, min(values), max(values), len(frames), means_of(frames), rates_of(frames))


def by_condition(frames: Sequence[JudgedFrame], name: str) -> list[Part]:
    """The frames in thirds of a condition; frames of equal value stay together, so that thirds may be unequal."""
    values = np.array([frame.conditions[name] for frame in frames])
    cuts = np.quantile(values, [part / PARTS for part in range(1, PARTS)], method="lower")
    third = np.searchsorted(cuts, values, side="left")
    return [
        part_of(name, [float(values[position]) for position in chosen], [frames[position] for position in chosen])
        for number in range(PARTS)
        if (chosen := np.flatnonzero(third == number).tolist())
    ]


def by_truth(frames: Sequence[JudgedFrame]) -> list[Part]:
    """The frames in bands of the true fraction: 0, up to 50 %, below 80 %, below 90 %, up to 97 %, more."""

    def band(share: float) -> int:
        if share == 0.0:
            return 0
        limits = (share > 0.5, share >= OUT_BELOW, share >= 0.9, share > IN_ABOVE)
        return 1 + sum(limits)

    shares = [frame.true_fraction for frame in frames]
    bands = np.array([band(share) for share in shares])
    return [
        part_of("true fraction", [shares[position] for position in chosen], [frames[position] for position in chosen])
        for number in range(bands.max() + 1)
        if (chosen := np.flatnonzero(bands == number).tolist())
    ]


def by_blur(frames: Sequence[JudgedFrame]) -> list[tuple[float, float, int, float | None]]:
    """Per bin of true blur over criterion: its edges, the judged tiles in it, and the share called in focus."""
    totals = np.array([frame.called for frame in frames], int).reshape(-1, len(RATIOS) - 1, 2).sum(axis=0)
    return [
        (low, high, int(judged), float(sharp / judged) if judged else None)
        for low, high, (judged, sharp) in zip(RATIOS[:-1], RATIOS[1:], totals, strict=True)
    ]


def worst_errors(frames: Sequence[JudgedFrame], count: int) -> list[JudgedFrame]:
    """The judged frames whose fraction is farthest out, worst first, one to a scene.

    By `sure_error`: where the truth itself hangs by a thread, there is nothing to learn from a picture.
    """
    ordered = sorted((f for f in frames if f.can_judge), key=lambda f: (-abs(f.sure_error), f.seed, f.number))
    first = {frame.seed: frame for frame in reversed(ordered)}
    return [frame for frame in ordered if first[frame.seed] is frame][:count]


def false_opens(frames: Sequence[JudgedFrame], count: int) -> list[JudgedFrame]:
    """The frames that open though out of focus, the least sharp first."""
    wrong = (frame for frame in frames if frame.opens and frame.true_fraction < OUT_BELOW)
    return sorted(wrong, key=lambda f: (f.true_fraction, f.seed, f.number))[:count]
