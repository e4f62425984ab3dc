"""What is each part of the network worth? Trained without it, all else equal: `python -m models.training.parts`.

Every variant learns from the same pictures for the same few epochs; figures are those on held-out photographs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.errors import ExitCode, InputError
from models.training.losses import ordinal_loss, targets
from models.training.network import BLOCK_PX, FocusNet
from models.training.plan import CRITERION_PX, FEW_HEAD_EPOCHS, VALIDATION_SEED, Plan
from models.training.plan import parser as training_parser
from models.training.samples import TILE_PX, Samples
from models.training.train import collect, fit, fit_together
from models.training.validate import figures, logits


class EveryRow(FocusNet):
    """As FocusNet, but looks at every row of blocks: twice the multiplications."""

    def __init__(self, filters: int, hidden: int, tile_px: int, detectors: int) -> None:
        super().__init__(filters, hidden, tile_px, detectors)
        self.pool = (tile_px // BLOCK_PX, tile_px // BLOCK_PX)

    def rows(self, luma: Tensor) -> Tensor:
        return luma[:, :, : luma.shape[2] // self.tile_px * self.tile_px]


class _CentreOnly(nn.Module):
    """Keeps the middle of a kernel."""

    def forward(self, weight: Tensor) -> Tensor:
        mask = torch.zeros_like(weight)
        mask[..., 1, 1] = 1.0
        return weight * mask


def _without_neighbours(network: FocusNet) -> None:
    for layer in (network.around, network.further):
        parametrize.register_parametrization(layer, "weight", _CentreOnly())


def _everything_counts(dim: Tensor) -> Tensor:
    """A sigmoid of 10, whatever the blocks hold."""
    constant = torch.zeros_like(dim)
    constant[-1] = 1.0
    return constant


def _frozen(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[FocusNet], None]:
    def freeze(network: FocusNet) -> None:
        parameter: nn.Parameter = getattr(network, name)
        with torch.no_grad():
            parameter.copy_(value(parameter))
        parameter.requires_grad_(requires_grad=False)

    return freeze


def _as_it_is(network: FocusNet) -> None:
    """Nothing is taken away."""


VARIANTS: dict[str, tuple[type[FocusNet], Callable[[FocusNet], None]]] = {
    "as shipped": (FocusNet, _as_it_is),
    "without neighbouring tiles": (FocusNet, _without_neighbours),
    "without detectors within a block": (FocusNet, _frozen("detect", torch.zeros_like)),
    "highlights count like all else": (FocusNet, _frozen("dim", _everything_counts)),
    "without the coarse scale": (FocusNet, _frozen("low", torch.zeros_like)),
    "stem not learned (cosines)": (FocusNet, _frozen("stem", torch.clone)),
    "head not learned anew (0012)": (FocusNet, _as_it_is),
    "every row of blocks (twice the cost)": (EveryRow, _as_it_is),
}


TOGETHER = ("head not learned anew (0012)",)


def tried(name: str, samples: Samples, held: Samples, plan: Plan) -> dict[str, float | str | None]:
    """Train the variant `name`; its ordinal loss and its figures on `held`."""
    kind, change = VARIANTS[name]
    torch.manual_seed(plan.seed)
    network = kind(plan.filters, plan.hidden, TILE_PX, plan.detectors)
    change(network)
    network.normalise(torch.tensor(samples.luma[:512])[:, None])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        (fit_together if name in TOGETHER else fit)(network, samples, plan, progress)
    within, weight, _ = targets(held)
    loss = float(ordinal_loss(logits(network, held)[0], within, weight))
    return {"name": name, "loss": round(loss, 4), **figures(network, held, CRITERION_PX).rounded()}


def main(argv: list[str] | None = None) -> int:
    """Train every variant and write the figures. Returns an exit code; raises InputError."""
    options = argparse.ArgumentParser(prog="python -m models.training.parts", description=__doc__.split("\n")[0])
    options.add_argument("--samples", type=int, default=5000, help="pictures to train on")
    options.add_argument("--epochs", type=int, default=6)
    options.add_argument("--out", type=Path, default=Path("build/figures/parts.json"))
    chosen = options.parse_args(argv)
    if chosen.samples < 600 or chosen.epochs < 1:
        raise InputError("allowed: --samples from 600, --epochs from 1")
    plan = Plan(samples=chosen.samples, more=0, epochs=chosen.epochs, head_epochs=FEW_HEAD_EPOCHS)
    making = training_parser().parse_args([])
    with Progress(console=Console(stderr=True)) as progress:
        samples = collect(plan.seed, plan.samples, making, progress, "making pictures")
        held = collect(VALIDATION_SEED, plan.validation, making, progress, "making held-out pictures")
    rows = []
    for name in VARIANTS:
        rows.append(tried(name, samples, held, plan))
        print(f"{name:40} loss {rows[-1]['loss']}, AUC {rows[-1]['auc_criterion']}")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"plan": asdict(plan), "parts": rows}), encoding="utf-8")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
