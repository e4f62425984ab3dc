"""The head alone, learnt anew once the filters are finished.

While filters and head learn together, the head aims at what moves. Features take a thousandth of the room of their
pictures and nothing to compute, so that afterwards it can learn from many more pictures, in large batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from rich.progress import Progress
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.training.losses import loss_of, targets
from models.training.network import MAGNITUDE_FLOOR, FocusNet
from models.training.plan import Plan
from models.training.samples import Samples

PICTURES_AT_ONCE = 50
BATCH = 256
GRADIENT_LIMIT = 1.0


@dataclass(frozen=True, slots=True)
class Tiles:
    """What the filters see of pictures, float16 (n, features, rows, columns), and what `losses.targets` wants."""

    features: Tensor
    within: Tensor
    weight: Tensor
    detectable: Tensor

    @classmethod
    def joined(cls, parts: list[Tiles]) -> Tiles:
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def turned(self, rows: Tensor, axes: list[int], *, transpose: bool) -> Tiles:
        """These pictures as float32, their tiles put in another order (flipped along `axes`), each tile as it is."""
        found = [getattr(self, name)[rows].float().flip(axes) for name in self.__slots__]
        return Tiles(*(part.transpose(-2, -1) if transpose else part for part in found))


def tiles_of(network: FocusNet, samples: Samples) -> Tiles:
    """What `network` sees of `samples`."""
    with torch.no_grad():
        seen = [
            network.features(torch.tensor(samples.luma[start : start + PICTURES_AT_ONCE])[:, None]).half()
            for start in range(0, len(samples), PICTURES_AT_ONCE)
        ]
    return Tiles(torch.cat(seen), *(target.half() for target in targets(samples)))


def averaging(network: FocusNet, plan: Plan, steps: int) -> AveragedModel:
    """The exponential mean of the weights, which reaches back over `plan.averaging` of all `steps`."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(1.0 - 1.0 / max(1.0, plan.averaging * steps)))


def fit_head(network: FocusNet, tiles: Tiles, plan: Plan, progress: Progress) -> None:
    """Train the layers after the features in place, from nothing; the features are normalised by `tiles`."""
    layers = (network.own, network.around, network.further, network.last)
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    generator = torch.Generator().manual_seed(plan.seed)
    with torch.no_grad():
        values = tiles.features.transpose(0, 1).flatten(1)
        network.mean.copy_(torch.stack([each.float().mean() for each in values]))
        network.deviation.copy_(torch.stack([each.float().std() for each in values]) + MAGNITUDE_FLOOR)
    for layer in layers:
        layer.reset_parameters()
    count = len(tiles.features)
    batch = min(BATCH, count)
    steps = plan.head_epochs * (count // batch)
    optimiser = torch.optim.AdamW(parameters, plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, steps)
    averaged = averaging(network, plan, steps)
    task = progress.add_task("training the head", total=steps)
    network.train()
    for _ in range(plan.head_epochs):
        order = torch.randperm(count, generator=generator)
        for start in range(0, count - batch + 1, batch):
            flip, mirror, transpose = (torch.rand(3, generator=generator) < 0.5).tolist()
            part = tiles.turned(order[start : start + batch], [-2] * flip + [-1] * mirror, transpose=transpose)
            loss = loss_of(*network.head(part.features), (part.within, part.weight, part.detectable))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            progress.update(task, advance=1, description=f"training the head, loss {loss.item():.3f}")
    network.load_state_dict(averaged.module.state_dict())
