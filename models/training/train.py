"""Train the focus model from nothing and export it: `focusgate train`, or `python -m models.training.train`.

Seeded; the samples do not depend on the number of workers. Nothing of `shared` or of any real focal stack is seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from models.errors import ExitCode, InputError
from models.manifest import OUTPUT_NAMES as OUTPUTS
from models.training.export import PARITY, deviation, golden, write
from models.training.graph import OPSET, graph_of
from models.training.head import GRADIENT_LIMIT, Tiles, averaging, fit_head, tiles_of
from models.training.losses import loss_of, targets
from models.training.network import FocusNet
from models.training.optics import EDGES_PX
from models.training.plan import CRITERION_PX, HELD_OUT, THRESHOLD, VALIDATION_SEED, Plan, parser, plan_from
from models.training.samples import SIDE, TILE_PX, Samples, stream
from models.training.textures import photographs
from models.training.validate import MIN_DETECTABLE, Figures, figures, fit_temperature

VERSION = "4"
DARK_LUMA = 8.0
GLARE_SHARE = 0.3
BATCH = 24
AHEAD = 10_000  # pictures made while the network learns; 1.5 GB


def collect(seed: int, count: int, options: argparse.Namespace, progress: Progress, title: str) -> Samples:
    """All samples of one seed, with a progress bar."""
    parts = stream(seed, count, workers=options.workers, folder=options.textures, held_out=HELD_OUT)
    return taken(parts, count, progress, title)


def taken(parts: Iterator[Samples], count: int, progress: Progress, title: str) -> Samples:
    """The next `count` samples of a stream whose chunks divide it, with a progress bar."""
    task = progress.add_task(title, total=count)
    found: list[Samples] = []
    while sum(map(len, found)) < count:
        found.append(next(parts))
        progress.advance(task, len(found[-1]))
    return Samples.joined(found)


def _turned(samples: Samples, rows: NDArray[np.int64], rng: np.random.Generator) -> Samples:
    """Some samples, the whole batch mirrored and transposed at random."""
    flip, mirror, transpose = rng.uniform(size=3) < 0.5
    turned = []
    for name in Samples.__slots__:
        values = getattr(samples, name)[rows]
        values = values[:, ::-1] if flip else values
        values = values[:, :, ::-1] if mirror else values
        turned.append(np.ascontiguousarray(values.swapaxes(1, 2) if transpose else values))
    return Samples(*turned)


def fit(network: FocusNet, samples: Samples, plan: Plan, progress: Progress, more: Iterable[Samples] = ()) -> None:
    """Train in place: the whole network on `samples`, then its head anew on what the filters see of them and `more`."""
    fit_together(network, samples, plan, progress)
    seen = [tiles_of(network, samples)]
    task = progress.add_task("making pictures for the head", total=plan.more, visible=bool(more))
    for part in more:
        seen.append(tiles_of(network, part))
        progress.advance(task, len(part))
    fit_head(network, Tiles.joined(seen), plan, progress)


def fit_together(network: FocusNet, samples: Samples, plan: Plan, progress: Progress) -> None:
    """Train in place: AdamW under a one-cycle schedule, gradients clipped, weights averaged exponentially."""
    rng = np.random.default_rng(plan.seed)
    batches = len(samples) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, plan.epochs * batches)
    task = progress.add_task("training", total=plan.epochs * batches)
    averaged = averaging(network, plan, plan.epochs * batches)
    network.train()
    for _ in range(plan.epochs):
        order = rng.permutation(len(samples))
        for number in range(batches):
            part = _turned(samples, np.sort(order[number * BATCH : (number + 1) * BATCH]), rng)
            cumulative, detectable = network(torch.tensor(part.luma)[:, None])
            loss = loss_of(cumulative, detectable, targets(part))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(network)
            progress.update(task, advance=1, description=f"training, loss {loss.item():.3f}")
    network.load_state_dict(averaged.module.state_dict())


def trained(plan: Plan, options: argparse.Namespace) -> tuple[FocusNet, Figures, Samples]:
    """A network with its figures on held-out textures, and those samples. Half of them set the temperature only."""
    torch.manual_seed(plan.seed)
    torch.use_deterministic_algorithms(mode=True)
    network = FocusNet(plan.filters, plan.hidden, TILE_PX, plan.detectors)
    with Progress(console=Console(stderr=True)) as progress:
        making = {"workers": options.workers, "folder": options.textures, "held_out": HELD_OUT}
        pictures = stream(plan.seed, plan.samples + plan.more, ahead=AHEAD, **making)
        samples = taken(pictures, plan.samples, progress, "making pictures")
        held = collect(VALIDATION_SEED, plan.validation, options, progress, "making held-out pictures")
        network.normalise(torch.tensor(samples.luma[:512])[:, None])
        fit(network, samples, plan, progress, pictures)
    half = len(held) // 2
    fit_temperature(network, held.part(0, half))
    return network, figures(network, held.part(half, len(held)), CRITERION_PX), held


def manifest_of(plan: Plan, found: Figures, vectors: list[dict[str, Any]], folder: Path | None) -> dict[str, Any]:
    """All of the manifest but what the file itself says."""
    sources = sorted({(source.name, source.licence) for source in photographs(folder)})
    return {
        "version": VERSION,
        "tile_px": TILE_PX,
        "edges_px": list(EDGES_PX),
        "input": {
            "name": "luma",
            "dtype": "uint8",
            "layout": "HW",
            "range": [0, 255],
            "colour": "BT.601 luma, full range",
        },
        "outputs": list(OUTPUTS),
        "criterion_px": CRITERION_PX,
        "threshold": THRESHOLD,
        "min_detectable": MIN_DETECTABLE,
        "dark_luma": DARK_LUMA,
        "glare_share": GLARE_SHARE,
        "metrics": {"held-out synthetic tiles": found.rounded()},
        "golden": vectors,
        "training": {**asdict(plan), "held_out": list(HELD_OUT), "torch": torch.__version__.split("+")[0]},
        "sources": [{"name": name, "licence": licence} for name, licence in sources],
        "opset": OPSET,
    }


def train(plan: Plan, options: argparse.Namespace) -> int:
    """Train, check against ONNX Runtime, write model and manifest. Returns an exit code; raises InputError."""
    network, found, held = trained(plan, options)
    model = graph_of(network).SerializeToString(deterministic=True)
    largest = deviation(network, model, [held.luma[number] for number in range(8)])
    if largest > PARITY:
        raise InputError(f"ONNX Runtime differs from torch by {largest:.2g}; allowed: {PARITY:g}; nothing was written")
    vectors = [golden(model, np.ascontiguousarray(held.luma[number][: 2 * TILE_PX, :SIDE])) for number in range(2)]
    path = write(model, options.out, options.name, manifest_of(plan, found, vectors, options.textures))
    console = Console(stderr=True)
    console.print(f"{path}: written; torch and ONNX Runtime agree to {largest:.1e}")
    for name, value in found.rounded().items():
        console.print(f"  {name:24} {'-' if value is None else format(value, 'g')}")
    return ExitCode.OK


def main(argv: list[str] | None = None) -> int:
    """As `focusgate train`. Returns an exit code; raises InputError."""
    options = parser().parse_args(argv)
    return train(plan_from(options), options)


if __name__ == "__main__":
    raise SystemExit(main())
