"""`focusgate config explain|check`: what can be configured, and whether a file is right."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.errors import ExitCode

EXAMPLES = """\
examples:
  focusgate config explain                  every key with its range, default and unit
  focusgate config check focusgate.toml     is this file right?
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `config` to the command line."""
    config = subparsers.add_parser(
        "config",
        help="explain or check the configuration",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = config.add_subparsers(title="actions", metavar="ACTION", required=True)
    explain = actions.add_parser("explain", help="list every key with its unit, default and range")
    explain.set_defaults(run=_explain)
    check = actions.add_parser("check", help="read a configuration and say what is wrong")
    check.add_argument("file", type=Path)
    check.set_defaults(run=_check)


def _explain(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from device.config import explain

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("key", "for", "allowed", "default", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "key")
    for entry in explain():
        table.add_row(entry.key, entry.kind or "", entry.allowed, entry.default, entry.meaning)
    Console(soft_wrap=False).print(table)
    return ExitCode.OK


def _check(arguments: argparse.Namespace) -> int:
    from device.board import check_wiring
    from device.config import load_config
    from device.config_board import RpiPinsConfig

    config = load_config(arguments.file)
    check_wiring(config.pins if isinstance(config.pins, RpiPinsConfig) else None, config.aperture)
    print(f"{arguments.file}: right")
    return ExitCode.OK
