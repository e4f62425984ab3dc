"""Search of the network's size and of how it is trained, under a budget: `python -m models.training.search`.

Every trial trains on the same pictures for the same few epochs and is judged by the ordinal loss on held-out
photographs; real focal stacks have no part in it. Trials are kept in a database (a file, or any address that Optuna
takes, so that several machines can share one search) and a search that was broken off goes on. The table of trials is
written as Markdown.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import optuna
import torch
from rich.console import Console
from rich.progress import Progress

from models.errors import ExitCode, InputError
from models.training.losses import ordinal_loss, targets
from models.training.network import BLOCK_PX, ROW_STEP_PX, FocusNet
from models.training.plan import CRITERION_PX, FEW_HEAD_EPOCHS, VALIDATION_SEED, Plan
from models.training.plan import parser as training_parser
from models.training.samples import TILE_PX, Samples
from models.training.train import collect, fit
from models.training.validate import figures, logits

STUDY = "focus"
BUDGET_MMAC = 80.0
"""Multiplications of a 2592×1944 frame, millions; the prototype that skips no rows of blocks takes 81."""

FRAME_PX = 2592 * 1944


def mmac(plan: Plan) -> float:
    """Millions of multiplications for one full frame: stem and detectors; the head adds less than 2 %."""
    blocks = FRAME_PX / (BLOCK_PX * ROW_STEP_PX)
    channels = plan.filters + 1
    return blocks * (BLOCK_PX**2 * channels + channels * plan.detectors) / 1e6


def drawn(trial: optuna.Trial, base: Plan) -> Plan:
    """The plan of one trial."""
    values = asdict(base) | {
        "filters": trial.suggest_categorical("filters", [7, 11, 15]),
        "detectors": trial.suggest_categorical("detectors", [1, 8, 16, 24]),
        "hidden": trial.suggest_categorical("hidden", [24, 48, 96]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1.5e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
        "averaging": trial.suggest_categorical("averaging", [0.02, 0.05, 0.1, 0.2]),
    }
    return Plan(**values)


def tried(plan: Plan, samples: Samples, held: Samples) -> tuple[float, dict[str, float | None]]:
    """Train one network: its ordinal loss and its figures on `held`."""
    torch.manual_seed(plan.seed)
    network = FocusNet(plan.filters, plan.hidden, TILE_PX, plan.detectors)
    network.normalise(torch.tensor(samples.luma[:512])[:, None])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        fit(network, samples, plan, progress)
    cumulative, _ = logits(network, held)
    within, weight, _ = targets(held)
    loss = float(ordinal_loss(cumulative, within, weight))
    return loss, {"mmac": mmac(plan), **figures(network, held, CRITERION_PX).rounded()}


def table(study: optuna.Study) -> str:
    """All finished trials as Markdown, the best first."""
    done = [trial for trial in study.trials if trial.value is not None]
    rows = [
        "| loss | filters | detectors | hidden | learning rate | weight decay | averaging | M multiplications | "
        "AUC ≤ 2.5 px | AUC < 1 / > 2 px | ≥ 4 px in focus |",
        "|" + "---|" * 11,
    ]
    for trial in sorted(done, key=lambda item: item.value or 0.0):
        values, found = trial.params, trial.user_attrs
        rows.append(
            f"| {trial.value:.4f} | {values['filters']} | {values['detectors']} | {values['hidden']} "
            f"| {values['learning_rate']:.4f} | {values['weight_decay']:.4f} | {values['averaging']:g} "
            f"| {found['mmac']:.0f} | {found['auc_criterion']:.3f} | {found['auc_apart']:.3f} "
            f"| {found['false_sharp_from_4_px']:.3f} |"
        )
    return "\n".join(rows) + "\n"


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m models.training.search", description=__doc__.split("\n")[0])
    options.add_argument("--trials", type=int, default=20, help="how many more")
    options.add_argument("--samples", type=int, default=5000, help="pictures to train on")
    options.add_argument("--epochs", type=int, default=6)
    options.add_argument("--storage", default="sqlite:///build/search.db", help="address of the database")
    options.add_argument("--out", type=Path, default=Path("build/search.md"), help="where the table goes")
    return options


def main(argv: list[str] | None = None) -> int:
    """Search, then write the table. Returns an exit code; raises InputError."""
    chosen = parser().parse_args(argv)
    if chosen.trials < 0 or chosen.samples < 1000 or chosen.epochs < 1:
        raise InputError("allowed: --trials from 0, --samples from 1000, --epochs from 1")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    base = Plan(samples=chosen.samples, more=0, epochs=chosen.epochs, head_epochs=FEW_HEAD_EPOCHS)
    study = optuna.create_study(
        study_name=STUDY,
        storage=chosen.storage,
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=base.seed, n_startup_trials=8),
    )
    if chosen.trials:
        options = training_parser().parse_args([])
        with Progress(console=Console(stderr=True)) as progress:
            samples = collect(base.seed, base.samples, options, progress, "making pictures")
            held = collect(VALIDATION_SEED, base.validation, options, progress, "making held-out pictures")

        def objective(trial: optuna.Trial) -> float:
            plan = drawn(trial, base)
            if mmac(plan) > BUDGET_MMAC:
                raise optuna.TrialPruned
            loss, found = tried(plan, samples, held)
            for name, value in found.items():
                trial.set_user_attr(name, value)
            return loss

        study.optimize(objective, n_trials=chosen.trials)
    chosen.out.write_text(table(study), encoding="utf-8")
    print(f"{chosen.out}: {len(study.trials)} trials")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
