"""Figures on held-out synthetic pictures: textures that training never saw, cameras drawn anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.losses import targets
from models.training.network import EDGES_PX, FocusNet
from models.training.samples import UNKNOWN_RADIUS_PX, Samples

BATCH = 64
BINS = 10
LOW_LIGHT_LEVEL = 50.0  # a tile darker than this, or with more noise than the next, counts as low light
LOW_LIGHT_NOISE = 6.0


@dataclass(frozen=True, slots=True)
class Figures:
    """All over tiles whose detail a sharp picture would show. `auc_apart`: radius < 1 against > 2 px.

    noise_called_in_focus is over tiles of nothing but noise, whether they would be judged or not.
    """

    tiles: int
    auc_criterion: float
    auc_apart: float
    auc_apart_low_light: float
    false_sharp_from_4_px: float
    calibration_error: float
    auc_detectable: float
    noise_called_in_focus: float

    def rounded(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def logits(network: FocusNet, samples: Samples) -> tuple[Tensor, Tensor]:
    """Cumulative and detectable logits of all samples."""
    network.eval()
    with torch.no_grad():
        parts = [
            network(torch.tensor(samples.luma[start : start + BATCH])[:, None])
            for start in range(0, len(samples), BATCH)
        ]
    network.train()
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def auc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney U); NaN if one class is absent."""
    count = int(positive.sum())
    if count in (0, len(positive)):
        return float("nan")
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def calibration_error(probability: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Expected calibration error over BINS equal bins (Guo et al. 2017)."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [
        abs(probability[bins == number].mean() - truth[bins == number].mean()) * (bins == number).mean()
        for number in range(BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))


def figures(network: FocusNet, samples: Samples, criterion_px: float) -> Figures:
    """Figures of `network`; the threshold on P(radius <= criterion_px) is 0.5."""
    cumulative, detectable = logits(network, samples)
    within, weight, known = targets(samples)
    usable = (weight.numpy() > 0.5) & (samples.radius_px < UNKNOWN_RADIUS_PX)
    edge = EDGES_PX.index(criterion_px)
    probability = torch.sigmoid(cumulative).numpy()
    at_criterion, at_low = probability[:, edge], probability[:, EDGES_PX.index(1.5)]
    radius = samples.radius_px
    apart = usable & ((radius < 1.0) | (radius > 2.0))
    dim = apart & ((samples.mean < LOW_LIGHT_LEVEL) | (samples.noise > LOW_LIGHT_NOISE))
    empty = samples.radius_px == UNKNOWN_RADIUS_PX
    far = usable & (radius >= 4.0)
    return Figures(
        tiles=int(usable.sum()),
        auc_criterion=auc(at_criterion[usable], radius[usable] <= criterion_px),
        auc_apart=auc(at_low[apart], radius[apart] < 1.0),
        auc_apart_low_light=auc(at_low[dim], radius[dim] < 1.0),
        false_sharp_from_4_px=float((at_criterion[far] >= 0.5).mean()),
        calibration_error=calibration_error(at_criterion[usable], within[:, edge].numpy()[usable]),
        noise_called_in_focus=float((at_criterion[empty] >= 0.5).mean()),
        auc_detectable=auc(torch.sigmoid(detectable).numpy().ravel(), known.numpy().ravel() > 0.5),
    )


def fit_temperature(network: FocusNet, samples: Samples) -> None:
    """Scale both kinds of logits so that probabilities are calibrated on `samples` (Platt without a shift)."""
    cumulative, detectable = logits(network, samples)
    within, weight, known = targets(samples)
    usable = (weight > 0.5)[:, None].expand_as(cumulative)
    pairs = ((cumulative[usable], within[usable]), (detectable.flatten(), known.flatten()))
    for number, (logit, truth) in enumerate(pairs):
        scale = torch.zeros((), requires_grad=True)
        solver = torch.optim.LBFGS([scale], max_iter=50)

        def closure(logit: Tensor = logit, truth: Tensor = truth, scale: Tensor = scale) -> Tensor:
            scale.grad = None
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logit * scale.exp(), truth)
            loss.backward()
            return loss

        solver.step(closure)
        with torch.no_grad():
            network.temperature[number] *= scale.exp()
