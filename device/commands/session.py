"""`focusgate session open|close|show|list`: which examination the next captures belong to, and which there were."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode

if TYPE_CHECKING:
    from device.store.examination import Fact

EXAMPLES = """\
examples:
  sudo -u focusgate focusgate session close   the next capture is of another patient
  sudo -u focusgate focusgate session open    begin an examination now
  sudo -u focusgate focusgate session show    which one is open, and how many captures it has
  sudo -u focusgate focusgate session list    every examination: export or delete its captures by this id

An examination is a random number; whose it is, is written down elsewhere. It opens by itself with the first capture
and closes after 15 minutes without one. Without a screen: hold the capture button for 3 seconds, until two falling
tones say that it is closed.
"""
MINUTE_NS = 60 * 1_000_000_000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `session` to the command line."""
    session = subparsers.add_parser(
        "session",
        help="open, close, show or list the examinations that captures belong to",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = session.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text, run in (
        ("open", "begin an examination", _open),
        ("close", "end the examination that is open", _close),
        ("show", "which examination is open", _show),
        ("list", "every examination, oldest first", _list),
    ):
        _add_action(actions, name, text, run)


def _add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    run: Callable[[argparse.Namespace], int],
) -> None:
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where captures are kept")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration that says where (TOML)")
    parser.set_defaults(run=run)


def _folder(arguments: argparse.Namespace) -> Path:
    from device.config import load_config
    from device.store.catalogue import default_store

    named = arguments.store or load_config(arguments.config).store.folder
    return Path(named) if named else default_store()


def _say(arguments: argparse.Namespace, session_id: str | None) -> None:
    from device.audit.command import note_now
    from device.clock import MonotonicClock
    from device.store.examination import Fact, write_mark
    from device.store.origin import read_boot_id

    write_mark(_folder(arguments), read_boot_id(), Fact(MonotonicClock().now_ns(), session_id))
    told = {"what": "opened", "session_id": session_id} if session_id else {"what": "ended"}
    unwritten = note_now(_folder(arguments), "examination", told | {"by": "command"})
    if unwritten is not None:
        print(f"focusgate: this is not in the audit log: {unwritten}", file=sys.stderr)


def _open(arguments: argparse.Namespace) -> int:
    from device.store.catalogue import SHORT_ID
    from device.store.records import new_capture_id

    session_id = new_capture_id()
    _say(arguments, session_id)
    print(f"examination {session_id[:SHORT_ID]} is open; it closes after 15 minutes without a capture")
    return ExitCode.OK


def _close(arguments: argparse.Namespace) -> int:
    _say(arguments, None)
    print("no examination is open; the next capture begins one")
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from device.clock import MonotonicClock
    from device.store.catalogue import SHORT_ID, read_listing
    from device.store.examination import IDLE_NS, Fact, newest_fact, read_mark
    from device.store.origin import read_boot_id

    now_ns, boot_id = MonotonicClock().now_ns(), read_boot_id()
    listing = read_listing(_folder(arguments))
    facts = [Fact(one.exposed_ns, one.session_id) for one in listing.entries if one.boot_id == boot_id]
    mark = read_mark(listing.folder, boot_id, now_ns)
    newest = newest_fact([*facts, *([mark] if mark else [])], now_ns)
    if newest is None or newest.session_id is None or now_ns - newest.at_ns >= IDLE_NS:
        print(_none(newest, now_ns))
        return ExitCode.OK
    count = sum(one.session_id == newest.session_id for one in listing.entries)
    left = (IDLE_NS - (now_ns - newest.at_ns)) // MINUTE_NS + 1
    print(f"examination {newest.session_id[:SHORT_ID]} is open: {count} captures; closes in {left} idle minutes")
    return ExitCode.OK


def _list(arguments: argparse.Namespace) -> int:
    from device.store.catalogue import SHORT_ID, read_listing

    listing = read_listing(_folder(arguments))
    counts = Counter(entry.session_id for entry in listing.entries)
    first = {entry.session_id: entry for entry in reversed(listing.entries)}
    for session_id, count in counts.items():
        entry = first[session_id]
        when = entry.wall_time[:16].replace("T", " ") + ("" if entry.wall_synchronised else "?")
        print(f"{session_id[:SHORT_ID] if session_id else 'none':<10}{when:<18} UTC  {count} captures")
    if not counts:
        print(f"no captures in {listing.folder}")
    return ExitCode.OK


def _none(newest: Fact | None, now_ns: int) -> str:
    if newest is None:
        return "no examination is open; the next capture begins one"
    ago = (now_ns - newest.at_ns) // MINUTE_NS
    how = "closed" if newest.session_id is None else "idle"
    return f"no examination is open: {how} for {ago} minutes; the next capture begins one"
