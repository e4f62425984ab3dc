"""The options of `focusgate study`. Nothing here needs PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.errors import InputError
from models.study.experiments import EXPERIMENTS


def parser(*, add_help: bool = True) -> argparse.ArgumentParser:
    """What can be asked of the study."""
    options = argparse.ArgumentParser(
        prog="focusgate study", description="Run the report's experiments again, and show them.", add_help=add_help
    )
    options.add_argument(
        "experiment",
        nargs="*",
        metavar="EXPERIMENT",
        help=f"which ones, all if none is named: {', '.join(EXPERIMENTS)}",
    )
    options.add_argument("--quick", action="store_true", help="small networks and pictures, for two cores")
    options.add_argument(
        "--data", default="simulated", metavar="DIR", help="BBBC006 as published, or 'simulated' (the default)"
    )
    options.add_argument("--stacks", type=Path, metavar="DIR", help="other focal stacks instead, a folder each")
    options.add_argument("--real", type=Path, metavar="DIR", help="real pictures of BBBC006 to judge besides")
    options.add_argument("--out", type=Path, default=Path("build/study"), help="folder of results and cache")
    options.add_argument(
        "--storage", metavar="URL", help="Optuna's storage; sqlite:///OUT/study.db, or a server that machines share"
    )
    options.add_argument("--seeds", type=int, metavar="N", help="seeds of each experiment instead of its own number")
    options.add_argument("--threads", type=int, default=1, help="of this process; start two for two cores")
    options.add_argument("--page", type=Path, metavar="DIR", help="write tables, plots and pictures here from results")
    options.add_argument("--fill", type=Path, metavar="PAGE", help="put the tables into this page, between their marks")
    options.add_argument("--no-run", action="store_true", help="only the page, from the results that there are")
    options.add_argument("--list", action="store_true", help="name the experiments with their runs, and stop")
    options.add_argument(
        "--write-plate", type=Path, metavar="DIR", help="write the simulated plate as BBBC006 is published, and stop"
    )
    options.add_argument("--wells", type=int, metavar="N", help="wells of the simulated plate, 4 to 384")
    return options


def check(options: argparse.Namespace) -> None:
    """Raises InputError, one line, for what cannot be."""
    unknown = [name for name in options.experiment if name not in EXPERIMENTS]
    if unknown:
        raise InputError(f"{unknown[0]}: no such experiment; allowed: {', '.join(EXPERIMENTS)}")
    if options.wells is not None and not 4 <= options.wells <= 384:
        raise InputError(f"--wells {options.wells}: allowed are 4 to 384")
    if options.threads < 1 or (options.seeds is not None and options.seeds < 1):
        raise InputError("--threads and --seeds: allowed are 1 or more")
    if options.stacks is not None and options.data != "simulated":
        raise InputError("--stacks and --data: give one of them")
    if options.no_run and options.page is None:
        raise InputError("--no-run leaves nothing to do; give --page DIR as well")
