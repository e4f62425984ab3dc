"""What an aperture alone tells: one threshold on the share of light that a high-pass lets through, and no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.study.physical import radial_energy_share
from models.study.settings import Setting
from models.study.tasks import Examples


def energy_run(setting: Setting, train: Examples, test: Examples) -> dict[str, Any]:
    """More light than the threshold, the best on the training wells, means in focus (class 0)."""
    threshold = best_threshold(_shares(setting, train), train.targets == 0)
    right = (_shares(setting, test) > threshold) == (test.targets == 0)
    return {"right": int(right.sum()), "tested": len(right), "accuracy": float(right.mean()), "threshold": threshold}


def best_threshold(values: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The one between values above which most are positive and below which most are not."""
    order = np.argsort(values)
    sorted_values, hits = values[order], positive[order]
    right = np.concatenate([[0], np.cumsum(~hits)]) + np.concatenate([np.cumsum(hits[::-1])[::-1], [0]])
    best = int(np.argmax(right))
    ends = np.concatenate([[sorted_values[0] - 1.0], sorted_values, [sorted_values[-1] + 1.0]])
    return float((ends[best] + ends[best + 1]) / 2)


def _shares(setting: Setting, examples: Examples) -> NDArray[np.float64]:
    """Of the whole field, faded out towards its edges (Hann), whose jump would be taken for detail."""
    side = examples.images.shape[-1]
    window = torch.hann_window(side, periodic=False)
    images = torch.from_numpy(examples.images[:, None]) * window[:, None] * window[None]
    return radial_energy_share(images, setting.radius_px, setting.binning).numpy().astype(np.float64)
