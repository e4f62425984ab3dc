"""`focusgate train`: train the focus model and export it; needs the training extra."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from models.errors import InputError
from models.training.plan import parser, plan_from

EXAMPLES = """\
examples:
  focusgate train                                       as the shipped model was trained; 30 minutes on two cores
  focusgate train --textures photos/ --out mine/        with sharp photographs of your own besides
  focusgate train --samples 500 --epochs 2 --out try/   does it run at all?

A new model is not signed; the gate refuses it until 'focusgate model sign' has done so.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train` to the command line."""
    train = subparsers.add_parser(
        "train",
        help="train the focus model from nothing (needs the extra 'train')",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[parser(add_help=False)],
    )
    train.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    plan = plan_from(arguments)
    if find_spec("torch") is None:
        raise InputError("training needs PyTorch, which is not installed; pip install 'focusgate[train]'")
    from models.training.train import train

    return train(plan, arguments)
