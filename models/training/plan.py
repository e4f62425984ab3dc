"""What a training run depends on, and its options; nothing here needs PyTorch."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError

NAME = "focus-s"
CRITERION_PX = 2.5  # on cervix photographs this radius agreed best with people; a device's profile moves it
THRESHOLD = 0.59  # fewest false opens and refusals over 800 simulated scenes of seed 7; the card judges by seed 0
VALIDATION_SEED = 0
HELD_OUT = (2, 5)  # of every five photographs the third is only seen in validation
MOST_FILTERS = 15
DETECTORS = 16
FEWEST_SAMPLES = 100
FEW_HEAD_EPOCHS = 36  # where there are but a few thousand pictures
CHUNK = 50  # samples made by one task


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training run depends on.

    samples, epochs   simulated pictures from which the whole network learns, and how often it sees them
    more, head_epochs   further ones: from all together the head then learns anew, on what the finished filters see
    averaging   share of the steps over which the weights are averaged, exponentially
    filters, detectors, hidden   size of the network, see `network.FocusNet`
    """

    seed: int = 1
    samples: int = 40_000
    more: int = 40_000
    validation: int = 1_500
    epochs: int = 12
    head_epochs: int = 12
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3
    averaging: float = 0.1
    filters: int = 15
    detectors: int = DETECTORS
    hidden: int = 64


def parser(*, add_help: bool = True) -> argparse.ArgumentParser:
    """The options of training."""
    plan = Plan()
    words = "Train the focus model and export it."
    options = argparse.ArgumentParser(prog="focusgate train", description=words, add_help=add_help)
    options.add_argument("--out", type=Path, default=Path("models/weights"), help="folder of model and manifest")
    options.add_argument("--name", default=NAME, help="name of the model")
    options.add_argument("--textures", type=Path, metavar="DIR", help="sharp photographs of your own, besides CC0 ones")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make samples")
    options.add_argument("--seed", type=int, default=plan.seed)
    options.add_argument("--samples", type=int, default=plan.samples, help="simulated pictures for the whole network")
    options.add_argument("--more", type=int, default=plan.more, help="further ones for its head")
    options.add_argument("--validation", type=int, default=plan.validation, help="held-out ones")
    options.add_argument("--epochs", type=int, default=plan.epochs, help="passes of the whole network")
    options.add_argument("--head-epochs", type=int, default=plan.head_epochs, help="passes of its head")
    options.add_argument("--filters", type=int, default=plan.filters, help=f"filters of the stem, 1 to {MOST_FILTERS}")
    options.add_argument("--detectors", type=int, default=plan.detectors, help="detectors within a block, from 1")
    options.add_argument("--hidden", type=int, default=plan.hidden, help="width of the head, from 1")
    return options


def plan_from(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for. Raises InputError if it cannot be."""
    if min(options.samples, options.validation) < FEWEST_SAMPLES:
        raise InputError(f"--samples and --validation: allowed are {FEWEST_SAMPLES} or more")
    if options.more < 0:
        raise InputError(f"--more {options.more}: allowed are 0 or more")
    if min(options.workers, options.epochs, options.head_epochs, options.detectors, options.hidden) < 1:
        raise InputError("--workers, --epochs, --head-epochs, --detectors and --hidden: allowed are 1 or more")
    if not 1 <= options.filters <= MOST_FILTERS:
        raise InputError(f"--filters {options.filters}: allowed are 1 to {MOST_FILTERS}")
    return Plan(
        seed=options.seed,
        samples=options.samples,
        more=options.more,
        validation=options.validation,
        epochs=options.epochs,
        head_epochs=options.head_epochs,
        filters=options.filters,
        detectors=options.detectors,
        hidden=options.hidden,
    )
