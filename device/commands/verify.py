"""`focusgate verify`: is the audit log as it was written, and is every capture as the log has it?"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode

if TYPE_CHECKING:
    from device.audit.against import Heard
    from device.audit.verify import Report

EXAMPLES = """\
examples:
  focusgate verify                        read the audit log and every capture again
  focusgate verify --head 1234:9ae0dd…    … and prove that nothing was changed up to a head noted before
  focusgate verify --json | jq .problems

Each record of the log holds the hash of the one before, so a change, a cut, an insertion or another order shows, and
is named by file, line and number. Only somebody who writes the log anew from there to its end is not found by the log
alone: note the head that this command prints, or that the journal has at each stop, in another place, and give it
later with --head.

exit codes:
  0 all is as it was written    5 it is not    2 wrong option, or no such store
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `verify` to the command line."""
    verify = subparsers.add_parser(
        "verify",
        help="check the audit log, and every capture against it",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument("--store", type=Path, metavar="DIR", help="where captures and their log are kept")
    verify.add_argument("--config", type=Path, metavar="FILE", help="configuration that says where (TOML)")
    verify.add_argument("--head", metavar="NUMBER:HASH", help="a head of this log that was noted elsewhere")
    verify.add_argument("--json", action="store_true", help="one JSON object")
    verify.set_defaults(run=_verify)


@dataclass
class _Captures:
    count: int = 0
    unknown: int = 0
    problems: list[str] = field(default_factory=list)


def _verify(arguments: argparse.Namespace) -> int:
    from device.audit.against import Heard
    from device.audit.chain import Link
    from device.audit.verify import verify_log
    from device.commands.captures import progress_bar
    from device.config import load_config
    from device.recording import store_folder
    from device.store.files import AUDIT
    from models.errors import InputError

    folder = store_folder(load_config(arguments.config).store, arguments.store)
    noted = Link.parse(arguments.head) if arguments.head else None
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; captures are made by 'focusgate run', --store names their folder")
    heard = Heard()
    with progress_bar("audit log") as progress:
        log = verify_log(folder / AUDIT, noted, progress, heard.hear)
    captures = _captures(folder, heard, log)
    if arguments.json:
        print(json.dumps(_facts(log, captures)))
    else:
        _tell(log, captures)
    return ExitCode.STORAGE if log.problems or captures.problems else ExitCode.OK


def _captures(folder: Path, heard: Heard, log: Report) -> _Captures:
    from device.audit.against import Heard, disagreements
    from device.audit.verify import verify_log
    from device.commands.captures import progress_bar
    from device.store.catalogue import read_listing, verify

    listing = read_listing(folder)
    with progress_bar("captures") as progress:
        problems = verify(listing, progress)
    told, unknown = disagreements(heard, listing)
    if told:  # captures that were deleted since the log was read
        later = Heard()
        verify_log(log.folder, on_record=later.hear)
        heard.removed |= later.removed
        told, unknown = disagreements(heard, listing)
    if listing.entries and not log.records:
        told.append(f"{log.folder}: there are captures, but no audit log; it was removed, or never written")
    return _Captures(len(listing.entries), unknown, [*problems, *told])


def _tell(log: Report, captures: _Captures) -> None:
    for problem in (*log.problems, *captures.problems):
        print(f"focusgate: {problem}", file=sys.stderr)
    for note in log.notes:
        print(note)
    how = f"{len(log.problems)} problems" if log.problems else "each follows on the one before"
    print(f"audit log: {log.records} records in {log.files} files, {how}")
    how = f"{len(captures.problems)} problems" if captures.problems else "every byte as it was saved"
    print(f"captures: {captures.count} read again, {how}")
    if captures.unknown and log.records:
        print(f"{captures.unknown} captures are not in the log: made before it, or in the instant of a power cut")
    if log.records and not log.problems:
        print(f"head {log.end}\nnote it elsewhere: --head proves with it, later, that nothing up to here was changed")


def _facts(log: Report, captures: _Captures) -> dict[str, object]:
    return {
        "records": log.records,
        "files": log.files,
        "head": str(log.end),
        "problems": [
            {"file": str(one.file), "line": one.line, "sequence": one.sequence, "what": one.what}
            for one in log.problems
        ],
        "notes": log.notes,
        "captures": captures.count,
        "captures_unknown": captures.unknown,
        "capture_problems": captures.problems,
    }
