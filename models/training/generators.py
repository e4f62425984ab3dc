"""How far does it carry? Trained without one source of pictures, tested on it: `python -m models.training.generators`.

Small networks, trained on equally many pictures: once from all sources of texture, once from all but the one that is
tested. Small differences say that the network has learned blur, and not the habits of one generator.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from models.errors import ExitCode, InputError
from models.training.network import FocusNet
from models.training.plan import CRITERION_PX, FEW_HEAD_EPOCHS, HELD_OUT, VALIDATION_SEED, Plan
from models.training.samples import TILE_PX, Samples, stream
from models.training.textures import KINDS
from models.training.train import fit
from models.training.validate import figures


def pool(kind: str, seed: int, count: int, workers: int) -> Samples:
    """`count` pictures of one kind."""
    return Samples.joined(list(stream(seed, count, workers=workers, held_out=HELD_OUT, kinds=(kind,))))


def auc_of(parts: list[Samples], held: Samples, plan: Plan) -> tuple[float, int]:
    """Train on all of `parts`; AUC at the criterion on `held`, and the tiles behind it."""
    torch.manual_seed(plan.seed)
    network = FocusNet(plan.filters, plan.hidden, TILE_PX, plan.detectors)
    samples = Samples.joined(parts)
    network.normalise(torch.tensor(samples.luma[:: max(1, len(samples) // 512)])[:, None])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        fit(network, samples, plan, progress)
    found = figures(network, held, CRITERION_PX)
    return found.auc_criterion, found.tiles


def main(argv: list[str] | None = None) -> int:
    """Train, test and write the figures. Returns an exit code; raises InputError."""
    options = argparse.ArgumentParser(prog="python -m models.training.generators", description=__doc__.split("\n")[0])
    options.add_argument("--samples", type=int, default=1200, help="pictures of each source")
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--out", type=Path, default=Path("build/figures/generators.json"))
    chosen = options.parse_args(argv)
    if chosen.samples < 300 or chosen.epochs < 1 or chosen.workers < 1:
        raise InputError("allowed: --samples from 300, --epochs and --workers from 1")
    plan = Plan(samples=chosen.samples, more=0, epochs=chosen.epochs, head_epochs=FEW_HEAD_EPOCHS)
    train = {kind: pool(kind, plan.seed, chosen.samples, chosen.workers) for kind in KINDS}
    fewer = chosen.samples * (len(KINDS) - 1) // len(KINDS)  # so that both see equally many
    every = [samples.part(0, fewer) for samples in train.values()]
    rows = []
    for kind in KINDS:
        held = pool(kind, VALIDATION_SEED, chosen.samples // 4, chosen.workers)
        without, tiles = auc_of([samples for name, samples in train.items() if name != kind], held, plan)
        rows.append({"left_out": kind, "tiles": tiles, "auc_all": auc_of(every, held, plan)[0], "auc_without": without})
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"plan": asdict(plan), "generators": rows}), encoding="utf-8")
    for row in rows:
        print(f"{row['left_out']:12} trained on all {row['auc_all']:.3f}, without {row['auc_without']:.3f}")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
