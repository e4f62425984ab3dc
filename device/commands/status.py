"""`focusgate status`: what the running service says of itself."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.store.space import Space
from models.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.status_file import StatusRecord

_CODE = re.compile(r"\bFG-\d{3}\b")

EXAMPLES = """\
examples:
  focusgate status             the state of the service, in words
  focusgate status --json      … as one JSON object; "stale" is null, or says why it is no longer so

exit code: 0 if the service said so within the last three seconds, 1 if it is not running or has fallen silent
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `status` to the command line."""
    status = subparsers.add_parser(
        "status",
        help="what the running service says of itself",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    status.add_argument("--file", type=Path, metavar="FILE", help="status file (default: that of the service)")
    status.add_argument("--json", action="store_true", help="one JSON object")
    status.set_defaults(run=_run)


def lines(record: StatusRecord) -> Iterator[str]:
    """The record in words, the most important first."""
    yield f"{record.mode}{': ' + record.reason if record.reason else ''}"
    yield f"shutter    {'enabled' if record.shutter_high else 'disabled'}, lamp {record.lamp}"
    if record.fraction is not None:
        yield f"in focus   {100 * record.fraction:.0f} % ({record.in_focus} of {record.judged_tiles} judged tiles)"
    yield f"frames     {record.camera_fps:.1f}/s, {record.judged_fps:.1f}/s judged, {record.dropped} dropped"
    yield f"time       {record.judge_ms:.1f} ms to judge, {record.age_ms:.0f} ms from exposure to decision"
    if record.f_number is not None:
        yield f"aperture   f/{record.f_number:.1f}"
    yield f"captures   {record.saved} saved, {record.refused} refused; last: {record.last_capture or 'none'}"
    if record.captures_left is not None:
        yield f"disk       {Space(record.captures_left).line()}"
    for notice in record.notices:
        yield f"notice     {notice}"
    if record.last_message:
        yield f"message    {record.last_message}"
    for code in sorted(set(_CODE.findall(" ".join((record.reason, record.last_message, *record.notices))))):
        yield f"more       focusgate explain {code}"


def _run(arguments: argparse.Namespace) -> int:
    from device.clock import MonotonicClock
    from device.status_file import STATUS_FILE, as_json, read_status, stale
    from device.store.origin import read_boot_id
    from models.errors import InputError

    path = arguments.file or STATUS_FILE
    try:
        record = read_status(path)
    except InputError as error:
        print(f"focusgate: {error}", file=sys.stderr)
        return ExitCode.NOT_PASSED
    why = stale(record, MonotonicClock().now_ns(), read_boot_id())
    if arguments.json:
        print(as_json(record, why))
    elif why is None:
        print("\n".join(lines(record)))
    if why is not None:
        print(f"focusgate: {path}: {why}: the service has stopped or hangs; the state is not known", file=sys.stderr)
        return ExitCode.NOT_PASSED
    return ExitCode.OK
