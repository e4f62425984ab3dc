"""Figures on held-out synthetic pictures: textures that training never saw, cameras drawn anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.losses import targets
from models.training.network import FocusNet
from models.training.optics import EDGES_PX
from models.training.plan import THRESHOLD
from models.training.samples import UNKNOWN_RADIUS_PX, Samples

BATCH = 64
BINS = 10
MIXED = 0.1  # share of a tile on the other side of an edge from which it belongs to neither
FAR_PX = 4.0
MIN_DETECTABLE = 0.3
LOW_LIGHT_LEVEL = 50.0  # a tile darker than this, or with more noise than the next, counts as low light
LOW_LIGHT_NOISE = 6.0


@dataclass(frozen=True, slots=True)
class Figures:
    """All over tiles whose detail a sharp picture would show and that are of one kind: MIXED of their pixels or more on
    the other side of an edge leave a tile out, as do the "mixed" squares of real data.

    auc_apart                radius < 1 against > 2 px
    false_sharp_from_4_px    of tiles out of focus by 4 px or more and hardly moved, the share called in focus; the next
                             is the same of tiles smeared by motion as much as a defocus of 4 px
    noise_called_in_focus    of tiles of nothing but noise, whether they would be judged or not
    """

    tiles: int
    auc_criterion: float
    auc_apart: float
    auc_apart_low_light: float
    false_sharp_from_4_px: float
    false_sharp_moved: float
    balanced_accuracy: float
    calibration_error: float
    auc_detectable: float
    noise_called_in_focus: float

    def rounded(self) -> dict[str, float | None]:
        """None for a figure of which there is no tile."""
        return {name: None if np.isnan(value) else round(value, 4) for name, value in asdict(self).items()}


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


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if found.size else float("nan")


def figures(network: FocusNet, samples: Samples, criterion_px: float) -> Figures:
    """Figures of `network`; on P(radius <= criterion_px) THRESHOLD counts, on "detectable" MIN_DETECTABLE."""
    cumulative, detectable = logits(network, samples)
    shares, weight, known = (target.numpy() for target in targets(samples))
    usable = (weight > 0.5) & (samples.radius_px < UNKNOWN_RADIUS_PX)
    edge, low, high = (EDGES_PX.index(value) for value in (criterion_px, 1.0, 2.0))
    probability, seen = torch.sigmoid(cumulative).numpy(), torch.sigmoid(detectable).numpy()
    at_criterion, at_low = probability[:, edge], probability[:, EDGES_PX.index(1.5)]
    called = at_criterion >= THRESHOLD
    sharp, blurred = usable & (shares[:, edge] > 1 - MIXED), usable & (shares[:, edge] < MIXED)
    pure = sharp | blurred
    near, away = usable & (shares[:, low] > 1 - MIXED), usable & (shares[:, high] < MIXED)
    apart = near | away
    dim = apart & ((samples.mean < LOW_LIGHT_LEVEL) | (samples.noise > LOW_LIGHT_NOISE))
    far = away & (samples.radius_px >= FAR_PX)
    moved = samples.motion_px**2 / 6 > samples.radius_px**2 / 2  # most of it, see `optics.equivalent_radius_px`
    empty = samples.radius_px == UNKNOWN_RADIUS_PX
    judged = seen >= MIN_DETECTABLE
    return Figures(
        tiles=int(pure.sum()),
        auc_criterion=auc(at_criterion[pure], sharp[pure]),
        auc_apart=auc(at_low[apart], near[apart]),
        auc_apart_low_light=auc(at_low[dim], near[dim]),
        false_sharp_from_4_px=_share((called & judged)[far & ~moved]),
        false_sharp_moved=_share((called & judged)[far & moved]),
        balanced_accuracy=(_share(called[sharp]) + _share(~called[blurred])) / 2,
        calibration_error=calibration_error(at_criterion[usable], shares[:, edge][usable]),
        noise_called_in_focus=_share(called[empty]),
        auc_detectable=auc(seen.ravel(), known.ravel() > 0.5),
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
