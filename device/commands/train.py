"""`focusgate train`: train the focus model and export it; needs the training extra."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from models.errors import InputError

EXAMPLES = """\
examples:
  focusgate train --help-training     the options of training itself
  focusgate train                     train with the shipped settings
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train` to the command line."""
    train = subparsers.add_parser(
        "train",
        help="train the focus model from nothing (needs the extra 'train')",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--help-training", action="store_true", help="show the options of training")
    train.add_argument("options", nargs=argparse.REMAINDER, help="options of training")
    train.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if find_spec("torch") is None:
        raise InputError("training needs PyTorch, which is not installed; pip install 'focusgate[train]'")
    from models.training.train import main

    return main(["--help"] if arguments.help_training else arguments.options)
