"""`focusgate explain`: the page of a code, for whoever stands in front of the device."""

from __future__ import annotations

import argparse

EXAMPLES = """\
examples:
  focusgate explain FG-301     what happened, what the device did, what to do
  focusgate explain 301        … the number is enough
  focusgate explain --list     all codes, one a line
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `explain` to the command line."""
    explain = subparsers.add_parser(
        "explain",
        help="what a code of the device (FG-…) means and what to do",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = explain.add_mutually_exclusive_group(required=True)
    what.add_argument("code", nargs="?", metavar="CODE", help="a code, as in FG-301")
    what.add_argument("--list", action="store_true", help="all codes, one a line")
    what.add_argument("--index", action="store_true", help="all codes as a page (Markdown), as in docs/faults")
    explain.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from device.supervision.faults import TABLE
    from device.supervision.pages import index, plain_page
    from models.errors import ExitCode, InputError

    if arguments.list:
        for fault in TABLE.values():
            print(f"{fault.code}  {fault.kind.value:8}  {fault.name}: {fault.meaning}")
    elif arguments.index:
        print(index(), end="")
    else:
        named = arguments.code.strip().upper()
        found = TABLE.get(named if named.startswith("FG-") else f"FG-{named}")
        if found is None:
            raise InputError(f"{arguments.code}: no such code; 'focusgate explain --list' names them all")
        print(plain_page(found), end="")
    return ExitCode.OK
