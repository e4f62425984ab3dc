"""`focusgate study`: the report's experiments, run again; needs the training extra."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from models.errors import InputError
from models.study.options import check, parser

EXAMPLES = """\
examples:
  focusgate study --quick --page page/                   all experiments on a simulated plate; 15 minutes on two cores
  focusgate study --quick cnn three                      two of them
  focusgate study --data BBBC006/ --storage mysql://…    on the published plate, several machines sharing the runs
  focusgate study --write-plate plate/ --wells 4         the simulated plate as files
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `study` to the command line."""
    study = subparsers.add_parser(
        "study",
        help="run the report's experiments again (needs the extra 'train')",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[parser(add_help=False)],
    )
    study.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    check(arguments)
    missing = [name for name in ("torch", "optuna", "scipy") if find_spec(name) is None]
    if missing:
        raise InputError(f"the study needs {missing[0]}, which is not installed; pip install 'focusgate[train]'")
    from models.study.study import run_study

    return run_study(arguments)
