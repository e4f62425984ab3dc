"""Train the networks of others on the samples of the shipped model: `python -m models.training.baselines`.

They see the same simulated pictures, tile by tile, in one pass: a processor core has no time for more (`Plan`). What
they saw is written beside them. Weights go to build/, not into the repository: Yang's alone are 116 MB.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from models.baselines.architecture import (
    ARCHITECTURES,
    REPORT_CNN,
    YANG_2018,
    Architecture,
    Conv,
    Dense,
    Pool,
    in_focus_classes,
    shapes,
)
from models.baselines.graph import LEVELS_PER_UNIT, MIDDLE_LEVEL, model_of, random_weights
from models.baselines.runtime import Description, load_session, probabilities, write
from models.errors import ExitCode, InputError
from models.evaluation.metrics import auc
from models.training.head import GRADIENT_LIMIT
from models.training.losses import targets
from models.training.plan import CRITERION_PX, HELD_OUT
from models.training.samples import TILE_PX, TILES, Samples, stream

OUT = Path("build/baselines")
TILES_OF_A_SAMPLE = TILES**2
PARITY = 1e-4


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training run depends on. `samples` are pictures of 3×3 tiles, each seen once."""

    samples: int
    batch_tiles: int  # divides the 450 tiles of a chunk of the stream, so that none is left over
    seed: int = 1  # that of the shipped model: the first samples of the same stream
    learning_rate: float = 5e-4


PLANS = {REPORT_CNN.name: Plan(samples=3_000, batch_tiles=18), YANG_2018.name: Plan(samples=4_500, batch_tiles=75)}
"""As many samples as a server core gets through in some ten minutes each, 50 ms a sample of it for making them."""
VALIDATION_SEED = 0
VALIDATION_SAMPLES = 200
KNOWN_WEIGHT = 0.5  # tiles with less are in no figure: nobody could tell their focus


def module_of(architecture: Architecture, seed: int) -> nn.Sequential:
    """The architecture in torch, with random weights: (n, 1, input_px, input_px) to logits (n, classes)."""
    layers: list[nn.Module] = []
    last = architecture.layers[-1]
    for layer, entering in zip(architecture.layers, shapes(architecture), strict=False):
        match layer:
            case Conv(channels, kernel_px):
                layers += [nn.Conv2d(entering[0], channels, kernel_px, padding=kernel_px // 2), nn.ReLU()]
            case Pool():
                layers.append(nn.MaxPool2d(2))
            case Dense(units, dropout):
                layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(int(np.prod(entering)), units)]
                layers += [] if layer is last else [nn.ReLU()]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, start in zip(network.parameters(), random_weights(architecture, seed), strict=True):
            parameter.copy_(torch.tensor(start))
    return network.to(memory_format=torch.channels_last)  # a quarter faster on a processor


def scaled(tiles: NDArray[np.uint8]) -> Tensor:
    """uint8 (n, side, side) as the networks take it, as the ONNX file does it: float32 (n, 1, side, side)."""
    planes = (torch.tensor(tiles).float()[:, None] - MIDDLE_LEVEL) / LEVELS_PER_UNIT
    return planes.contiguous(memory_format=torch.channels_last)


def tiles_of(samples: Samples, input_px: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Tensor, Tensor]:
    """All tiles, cut to input_px at random and turned: luma (n, input_px, input_px), blur radius, weight, (n,)."""
    luma = samples.luma.reshape(-1, TILES, TILE_PX, TILES, TILE_PX).swapaxes(2, 3).reshape(-1, TILE_PX, TILE_PX)
    cut = np.empty((len(luma), input_px, input_px), np.uint8)
    for number, tile in enumerate(luma):
        top, left = rng.integers(0, TILE_PX - input_px + 1, 2)
        piece = np.rot90(tile[top : top + input_px, left : left + input_px], int(rng.integers(4)))
        cut[number] = piece.T if rng.uniform() < 0.5 else piece
    _, weight, _ = targets(samples)
    return cut, torch.tensor(samples.radius_px).flatten(), weight.flatten()


def loss_of(architecture: Architecture, logits: Tensor, radius_px: Tensor, weight: Tensor) -> Tensor:
    """Weighted as for the shipped model. One logit: binary cross-entropy; classes: the ranked probability score, the
    squared distance of the cumulative distributions (Epstein 1969), which knows that levels have an order."""
    within = (radius_px[:, None] <= torch.tensor(architecture.edges_px)).float()
    if logits.shape[1] == 1:
        each = functional.binary_cross_entropy_with_logits(logits, within, reduction="none")[:, 0]
    else:
        cumulative = torch.softmax(logits, 1).cumsum(1)[:, :-1]
        each = ((cumulative - within) ** 2).sum(1)
    return (each * weight).sum() / weight.sum().clamp_min(1.0)


def batches(parts: Iterator[Samples], architecture: Architecture, plan: Plan) -> Iterator[tuple[Tensor, ...]]:
    """Tiles of all samples in shuffled batches: pictures, radius, weight; shuffled within a chunk of the stream."""
    rng = np.random.default_rng(plan.seed)
    for part in parts:
        luma, radius_px, weight = tiles_of(part, architecture.input_px, rng)
        order = rng.permutation(len(luma))
        for start in range(0, len(order) - plan.batch_tiles + 1, plan.batch_tiles):
            rows = order[start : start + plan.batch_tiles]
            yield scaled(luma[rows]), radius_px[rows], weight[rows]


def fit(architecture: Architecture, plan: Plan, parts: Iterator[Samples], progress: Progress) -> tuple[nn.Module, int]:
    """A network trained on one pass over `parts`: Adam under a one-cycle schedule. Also the number of tiles seen."""
    torch.manual_seed(plan.seed)
    network = module_of(architecture, plan.seed)
    steps = max(plan.samples * TILES_OF_A_SAMPLE // plan.batch_tiles, 1)
    optimiser = torch.optim.Adam(network.parameters(), plan.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, steps)
    task = progress.add_task(architecture.name, total=steps)
    network.train()
    seen = 0
    for luma, radius_px, weight in batches(parts, architecture, plan):
        loss = loss_of(architecture, network(luma), radius_px, weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
        optimiser.step()
        schedule.step()
        seen += len(luma)
        progress.update(task, advance=1, description=f"{architecture.name}, loss {loss.item():.3f}")
    return network.eval(), seen


def exported(architecture: Architecture, network: nn.Module, pictures: NDArray[np.uint8]) -> bytes:
    """The network as ONNX. Raises InputError if ONNX Runtime says otherwise than torch of `pictures`."""
    model = model_of(architecture, [value.detach().numpy() for value in network.parameters()])
    with torch.no_grad():
        logits = network(scaled(pictures))
    ours = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)
    largest = float(np.abs(probabilities(load_session(model), pictures) - ours.numpy()).max())
    if not largest <= PARITY:
        raise InputError(f"{architecture.name}: ONNX Runtime differs from torch by {largest:.2g}; nothing was written")
    return model


def held_out_auc(architecture: Architecture, model: bytes, samples: Samples) -> float | None:
    """AUC of p in focus for a radius of at most CRITERION_PX, over tiles whose focus can be known."""
    luma, radius_px, weight = tiles_of(samples, architecture.input_px, np.random.default_rng(0))
    known = (weight > KNOWN_WEIGHT).numpy()
    p = probabilities(load_session(model), luma[known])[:, : in_focus_classes(architecture, CRITERION_PX)].sum(1)
    found = auc(p.astype(np.float64), (radius_px <= CRITERION_PX).numpy()[known])
    return None if found is None else round(found, 4)


def _cpu_s() -> float:
    """Processor time of this process and of those that it waited for."""
    return sum(os.times()[:4])


def parser() -> argparse.ArgumentParser:
    """The options."""
    names = [architecture.name for architecture in ARCHITECTURES]
    options = argparse.ArgumentParser(prog="python -m models.training.baselines", description=__doc__)
    options.add_argument("--out", type=Path, default=OUT, help=f"folder of the networks (default: {OUT})")
    options.add_argument("--network", choices=names, action="append", help="only this one; may be given again")
    options.add_argument("--samples", type=int, help="simulated pictures of 3×3 tiles (default: the plan of each)")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make samples")
    return options


def main(argv: list[str] | None = None) -> int:
    """Train, compare with ONNX Runtime, write. Returns an exit code; raises InputError."""
    options = parser().parse_args(argv)
    if options.workers < 1 or (options.samples is not None and options.samples < 50):
        raise InputError("allowed: --workers from 1, --samples from 50")
    torch.use_deterministic_algorithms(mode=True)
    console = Console(stderr=True)
    for architecture in ARCHITECTURES:
        if options.network and architecture.name not in options.network:
            continue
        plan = PLANS[architecture.name]
        if options.samples is not None:
            plan = replace(plan, samples=options.samples)
        begun_s = _cpu_s()
        parts = stream(plan.seed, plan.samples, workers=options.workers, held_out=HELD_OUT)
        with Progress(console=console) as progress:
            network, seen = fit(architecture, plan, parts, progress)
        pictures = np.random.default_rng(0).integers(0, 256, (8, *[architecture.input_px] * 2), dtype=np.uint8)
        model = exported(architecture, network, pictures)
        held = stream(VALIDATION_SEED, VALIDATION_SAMPLES, workers=options.workers, held_out=HELD_OUT)
        path = write(
            options.out,
            model,
            Description(
                name=architecture.name,
                title=architecture.title,
                input_px=architecture.input_px,
                edges_px=architecture.edges_px,
                criterion_px=CRITERION_PX,
                in_focus_classes=in_focus_classes(architecture, CRITERION_PX),
                tiles_seen=seen,
                held_out_auc=held_out_auc(architecture, model, Samples.joined(list(held))),
                cpu_s=round(_cpu_s() - begun_s),
                training={**asdict(plan), "held_out": list(HELD_OUT), "torch": torch.__version__.split("+")[0]},
            ),
        )
        console.print(f"{path}: written after {seen} tiles")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
