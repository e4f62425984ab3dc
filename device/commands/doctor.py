"""`focusgate doctor`: is this board fit to work? One line a check, and the command that mends what is not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode

if TYPE_CHECKING:
    from device.doctor.finding import Finding

CONFIG_FILE = Path("/etc/focusgate/focusgate.toml")
PROFILE_FILE = Path("/etc/focusgate/profile.json")

EXAMPLES = """\
examples:
  sudo focusgate doctor                  the board, with the installed configuration
  focusgate doctor --config my.toml      … with another
  focusgate doctor --json                one JSON object: {"findings": [{check, state, what, mend}], "failures": n}

exit code: 0 if nothing fails (warnings are allowed), 1 otherwise
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor` to the command line."""
    doctor = subparsers.add_parser(
        "doctor",
        help="check this board, part by part",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("--config", type=Path, metavar="FILE", help=f"configuration (default: {CONFIG_FILE}, if any)")
    doctor.add_argument("--profile", type=Path, metavar="FILE", help=f"profile (default: {PROFILE_FILE}, if any)")
    doctor.add_argument("--store", type=Path, metavar="DIR", help="where captures are kept")
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    doctor.set_defaults(run=_run)


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """A warning or a check that cannot be made is no failure."""
    from device.doctor.finding import State

    return ExitCode.NOT_PASSED if any(finding.state is State.FAILURE for finding in findings) else ExitCode.OK


def _run(arguments: argparse.Namespace) -> int:
    from device.config import load_config
    from device.doctor.examine import examine
    from device.doctor.probe import SystemProbe
    from device.doctor.subject import subject_of
    from device.store.catalogue import default_store

    config_file = arguments.config or (CONFIG_FILE if CONFIG_FILE.exists() else None)
    profile = arguments.profile or (PROFILE_FILE if PROFILE_FILE.exists() else None)
    config = load_config(config_file)
    store = arguments.store or (Path(config.store.folder) if config.store.folder else default_store())
    findings = examine(SystemProbe(), subject_of(config, config_file, _existing(store), profile))
    if arguments.json:
        code = exit_code(findings)
        print(json.dumps({"findings": [asdict(finding) for finding in findings], "failures": _failures(findings)}))
        return code
    _show(findings)
    return exit_code(findings)


def _existing(folder: Path) -> Path:
    """The folder itself, or the one in which the first run will make it."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _failures(findings: Sequence[Finding]) -> int:
    from device.doctor.finding import State

    return sum(finding.state is State.FAILURE for finding in findings)


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from device.doctor.finding import State

    # a sign and a word for each state: colour alone says nothing to the colour-blind, nor in a log
    looks = {
        State.OK: ("✔", "#009e73"),
        State.WARNING: ("!", "#e69f00"),
        State.FAILURE: ("✖", "bold #d55e00"),
        State.SKIPPED: ("–", "grey50"),
    }
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        sign, style = looks[finding.state]
        line = Text(finding.what, overflow="fold")
        if finding.mend is not None:
            line.append(f"\n→ {finding.mend}", style="bold" if finding.state is State.FAILURE else "")
        table.add_row(Text(f"{sign} {finding.state}", style=style), finding.check, line)
    console = Console()
    console.print(table)
    counts = {state: sum(finding.state is state for finding in findings) for state in State}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
