"""Training and testing of one network: Adam, crops and flips drawn at random, accuracy on wells never seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.study.physical import FourierAperture
from models.study.tasks import Examples

Progressing = Callable[[int, int], None]
APERTURE_RATE = 30.0
"""How much faster an aperture learns than weights: its phases are radians and must turn by one, weights are tenths."""
CHECKS = 6
"""How often the test accuracy is looked at on the way, for the curves; nothing is chosen by it."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a network is trained. `regression` fits the class's number; the learning rate falls to 0 over `settling`."""

    batch: int
    steps: int
    learning_rate: float
    crop_px: int
    regression: bool = False
    patches: int = 1
    settling: float = 0.0


@dataclass(frozen=True, slots=True)
class Trained:
    """`curve`: after how many steps, mean training loss since the last look, accuracy on the test set."""

    curve: tuple[tuple[int, float, float], ...]


def device() -> torch.device:
    """The first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(network: nn.Module, train: Examples, test: Examples, plan: Fit, *, seed: int, progress: Progressing) -> Trained:
    """Train in place. Random draws depend on `seed` alone."""
    rng = np.random.default_rng([seed, 1])
    where = device()
    network.to(where).train()
    optimiser = torch.optim.Adam(_groups(network, plan.learning_rate))
    rates = [group["lr"] for group in optimiser.param_groups]
    settled = int(plan.steps * (1 - plan.settling))
    every = max(1, plan.steps // CHECKS)
    curve, losses = [], []
    for step in range(1, plan.steps + 1):
        if step > settled:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * (plan.steps + 1 - step) / (plan.steps - settled)
        chosen = rng.integers(0, len(train.targets), plan.batch)
        images = torch.from_numpy(_augmented(train.images[chosen], plan.crop_px, rng)).to(where)
        targets = torch.from_numpy(train.targets[chosen]).to(where)
        loss = _loss(network(images), targets, regression=plan.regression)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if step % every == 0 or step == plan.steps:
            right = float((classes_of(answers(network, test, plan)) == test.targets).mean())
            curve.append((step, float(np.mean(losses)), right))
            losses = []
            network.train()
            progress(step, plan.steps)
    network.eval()
    return Trained(tuple(curve))


def _groups(network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
    """Weights, and apart from them what an aperture learns, faster: see APERTURE_RATE."""
    aperture = {
        parameter
        for layer in network.modules()
        if isinstance(layer, FourierAperture)
        for parameter in layer.parameters()
        if parameter.requires_grad
    }
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad and parameter not in aperture]
    groups: list[dict[str, Any]] = [{"params": weights, "lr": learning_rate}]
    if aperture:
        groups.append({"params": list(aperture), "lr": learning_rate * APERTURE_RATE})
    return groups


def answers(network: nn.Module, examples: Examples, plan: Fit) -> NDArray[np.float32]:
    """Probabilities (n, classes), or for a regression (n, 1) numbers of classes.

    Several patches of one picture count by their certainty, 1 - entropy / log(classes), as Yang et al. 2018 weigh
    them; patches of a regression count alike.
    """
    network.eval()
    found = []
    for corner in corners(examples.images.shape[-1], plan.crop_px, plan.patches):
        top, left = corner
        cut = examples.images[:, None, top : top + plan.crop_px, left : left + plan.crop_px]
        found.append(_forward(network, np.ascontiguousarray(cut), regression=plan.regression))
    stacked = np.stack(found)
    if plan.regression:
        mean: NDArray[np.float32] = stacked.mean(axis=0)
        return mean
    certain = certainty(stacked)[..., None]
    weighted: NDArray[np.float32] = (stacked * certain).sum(axis=0) / certain.sum(axis=0)
    return weighted


def certainty(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 for a sure answer, near 0 for none: 1 - entropy / log(classes), over the last axis."""
    entropy = -(probabilities * np.log(np.clip(probabilities, 1e-12, 1.0))).sum(axis=-1)
    sure: NDArray[np.float32] = np.clip(1.0 - entropy / np.log(probabilities.shape[-1]), 1e-6, 1.0)
    return sure


def classes_of(found: NDArray[np.float32]) -> NDArray[np.int64]:
    """The likeliest class, or a regression's number rounded; int64 (n,)."""
    if found.shape[1] == 1:
        return np.clip(np.rint(found[:, 0]), 0, None).astype(np.int64)
    return found.argmax(axis=1).astype(np.int64)


def corners(side: int, crop_px: int, patches: int) -> list[tuple[int, int]]:
    """Top left corners of the test crops: the middle one, or an even grid of patches (a square number)."""
    if patches == 1:
        return [((side - crop_px) // 2, (side - crop_px) // 2)]
    across = round(patches**0.5)
    steps = np.linspace(0, side - crop_px, across).round().astype(int).tolist()
    return [(top, left) for top in steps for left in steps]


def _forward(network: nn.Module, images: NDArray[np.float32], *, regression: bool) -> NDArray[np.float32]:
    where = next(network.parameters()).device
    with torch.no_grad():
        parts = [network(torch.from_numpy(images[start : start + 64]).to(where)) for start in range(0, len(images), 64)]
        whole = torch.cat(parts)
        out: NDArray[np.float32] = (whole if regression else whole.softmax(dim=1)).cpu().numpy()
    return out


def _augmented(images: NDArray[np.float32], crop_px: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Crops at random places, turned over at random: (n, 1, crop_px, crop_px)."""
    room = images.shape[-1] - crop_px
    out = np.empty((len(images), 1, crop_px, crop_px), np.float32)
    for index, image in enumerate(images):
        top, left = rng.integers(0, room + 1, 2)
        cut = image[top : top + crop_px, left : left + crop_px]
        flips = rng.integers(0, 2, 3)
        cut = cut[:: 1 - 2 * flips[0], :: 1 - 2 * flips[1]]
        out[index, 0] = cut.T if flips[2] else cut
    return out


def _loss(found: torch.Tensor, targets: torch.Tensor, *, regression: bool) -> torch.Tensor:
    if regression:
        return (found[:, 0] - targets.float()).abs().mean()
    return nn.functional.cross_entropy(found, targets)
