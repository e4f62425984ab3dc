"""`focusgate captures list|show|verify|export|delete`: what was saved, one in full, checked, copied, gone."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from device.store.catalogue import Listing, Progress
    from device.store.index import Entry
    from device.store.records import CaptureRecord, Evidence

EXAMPLES = """\
examples:
  focusgate captures list                     what was saved, oldest first
  focusgate captures show 3fa9                one capture with its tile map; the beginning of its id is enough
  focusgate captures verify                   read every byte again: is all as it was saved?
  focusgate captures export /media/usb/today  copy all captures
  focusgate captures export /media/usb/p4 --session 7c   … or those of one examination
  focusgate captures delete --session 7c      delete them here, after asking
  focusgate captures list --json | jq .path
"""
BAR_WIDTH = 8  # with it, the longest line has 79 characters
CLOCK_NOT_SET = "?"
FOOTNOTE = "? the clock was not set at that time; captures are in the order in which they were made"
IN_FOCUS, OUT_OF_FOCUS = "#", "."
CAUSES = (OUT_OF_FOCUS, " ", "d", "g", "?")  # by models.focusmap.Cause
LEGEND = "# in focus   . out of focus   not judged: d dark, g glare, ? no detail, blank outside the field"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `captures` to the command line."""
    captures = subparsers.add_parser(
        "captures",
        help="list, show, verify, export and delete what was saved",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = captures.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.add_argument("--store", type=Path, metavar="DIR", help="where captures are kept")
        parser.add_argument("--config", type=Path, metavar="FILE", help="configuration that says where (TOML)")
        parser.set_defaults(run=run)
        return parser

    listing = action("list", "list the captures, oldest first", _list)
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.add_argument("--session", metavar="ID", help="those of one examination (the beginning of its id)")
    show = action("show", "show one capture with its tile map", _show)
    show.add_argument("id", help="id of the capture, or its beginning")
    show.add_argument("--json", action="store_true", help="one JSON object, tile by tile")
    action("verify", "read every byte of every capture again", _verify)
    export = action("export", "copy captures into a folder, each checked", _export)
    export.add_argument("target", type=Path, metavar="FOLDER", help="where to; copies already there are left alone")
    export.add_argument("ids", nargs="*", metavar="ID", help="which captures; none: all")
    export.add_argument("--session", metavar="ID", help="those of one examination")
    delete = action("delete", "delete captures for good, after asking", _delete)
    delete.add_argument("ids", nargs="*", metavar="ID", help="which captures")
    delete.add_argument("--session", metavar="ID", help="those of one examination")
    delete.add_argument("--all", action="store_true", help="every capture")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def _listing(arguments: argparse.Namespace) -> Listing:
    from device.config import load_config
    from device.store.catalogue import Listing, default_store, read_listing

    named = arguments.store or load_config(arguments.config).store.folder
    folder = Path(named) if named else default_store()
    if not named and not folder.exists():
        return Listing(folder, (), frozenset(), ())  # nothing was ever saved: no mistake of the user
    return read_listing(folder)


def _list(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listing = _listing(arguments)
    chosen = listing.of_session(arguments.session) if arguments.session else listing.entries
    if arguments.json:
        for entry in chosen:
            print(json.dumps(_facts(listing, entry)))
    elif chosen:
        table = Table("id", "when (UTC)", "verdict", "in focus", "size", box=None, header_style="bold", pad_edge=False)
        for entry in chosen:
            size = "MISSING" if entry.capture_id in listing.missing else f"{entry.bytes / 1e6:.1f} MB"
            row = (
                _short(entry),
                _time(entry) + ("" if entry.wall_synchronised else CLOCK_NOT_SET),
                _verdict(entry),
                _bar(entry.in_focus, entry.judged_tiles),
                size,
            )
            table.add_row(*map(Text, row))
        Console().print(table)
        if not all(entry.wall_synchronised for entry in chosen):
            print(FOOTNOTE)
    else:
        print(f"no captures in {listing.folder}")
    for line in listing.damaged:
        print(f"focusgate: {line}", file=sys.stderr)
    return ExitCode.STORAGE if listing.missing or listing.damaged else ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from device.store.catalogue import read_card, read_whole

    listing = _listing(arguments)
    entry = listing.find(arguments.id)
    path = listing.path(entry)
    card = read_card(path)
    if card is not None:
        facts = {"path": str(path), "seal": entry.seal} | card.model_dump(mode="json")
        print(json.dumps(facts) if arguments.json else "\n".join(f"{key:<19}{value}" for key, value in facts.items()))
        if not arguments.json:
            print("Sealed: nothing else can be read here. Where the private key is: focusgate seal open")
        return ExitCode.OK
    record, sha256 = read_whole(path)
    if arguments.json:
        print(json.dumps(_facts(listing, entry) | {"sha256": sha256} | _in_full(record)))
        return ExitCode.OK
    for name, value in _details(entry, record, path):
        print(f"{name:<13}{value}")
    print(f"{'sha256':<13}{sha256}")
    if record.evidence is not None:
        print()
        print("\n".join(tile_lines(record.evidence)))
        print(LEGEND)
    return ExitCode.OK


def _verify(arguments: argparse.Namespace) -> int:
    from device.store.catalogue import verify

    listing = _listing(arguments)
    with progress_bar("verifying") as progress:
        problems = verify(listing, progress)
    for line in problems:
        print(f"focusgate: {line}", file=sys.stderr)
    count = len(listing.entries)
    print(f"{count} captures read again: {f'{len(problems)} problems' if problems else 'every byte as it was saved'}")
    return ExitCode.STORAGE if problems else ExitCode.OK


def _export(arguments: argparse.Namespace) -> int:
    from device.store.catalogue import export

    listing = _listing(arguments)
    wanted = _chosen(listing, arguments) or list(listing.entries)
    if not wanted:
        raise InputError(f"no captures in {listing.folder}; nothing to export")
    with progress_bar("exporting") as progress:
        copied = export(listing, wanted, arguments.target, progress)
    already = f", {len(wanted) - copied} were there already" if copied < len(wanted) else ""
    print(f"{copied} captures exported to {arguments.target}{already}")
    return ExitCode.OK


def _delete(arguments: argparse.Namespace) -> int:
    """Asks, with numbers, unless told not to; never touches a capture that was not named."""
    from device.audit.command import note_now, of_deletion
    from device.store.deletion import delete

    listing = _listing(arguments)
    wanted = list(listing.entries) if arguments.all else _chosen(listing, arguments)
    if not wanted:
        raise InputError("no captures named, nothing was deleted; name their ids, --session ID or --all")
    sessions = {entry.session_id for entry in wanted if entry.session_id}
    megabytes = sum(entry.bytes for entry in wanted) / 1e6
    what = f"{len(wanted)} of {len(listing.entries)} captures ({len(sessions)} examinations, {megabytes:.1f} MB)"
    if not arguments.yes and not _agreed(f"Delete {what} from {listing.folder} for good?", len(wanted)):
        raise InputError(f"{what} are still there; nothing was deleted")
    told = of_deletion([entry.capture_id for entry in wanted], len(sessions))
    unwritten = note_now(listing.folder, "deletion", *told)
    with progress_bar("deleting") as progress:
        delete(listing.folder, wanted, progress)
    if unwritten is not None and note_now(listing.folder, "deletion", *told) is not None:  # a full disk has room now
        print(f"focusgate: the deletion is not in the audit log: {unwritten}", file=sys.stderr)
    print(f"{what} deleted from {listing.folder}; the deletion is recorded there")
    return ExitCode.OK


def _agreed(question: str, count: int) -> bool:
    """Only the number typed at a terminal is a yes: no pipe, no stray return key."""
    if not sys.stdin.isatty():
        raise InputError("nobody is there to ask, nothing was deleted; add --yes if you are sure")
    return input(f"{question} Type {count} to agree: ").strip() == str(count)


def _chosen(listing: Listing, arguments: argparse.Namespace) -> list[Entry]:
    """The captures named by id and by examination, each once, in order."""
    named = {listing.find(prefix) for prefix in arguments.ids}
    named |= set(listing.of_session(arguments.session)) if arguments.session else set()
    return [entry for entry in listing.entries if entry in named]


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A progress bar on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _short(entry: Entry) -> str:
    from device.store.catalogue import SHORT_ID

    return entry.capture_id[:SHORT_ID]


def _time(entry: Entry) -> str:
    return entry.wall_time[:19].replace("T", " ")


def _verdict(entry: Entry) -> str:
    seen = entry.verdict or "not judged"
    return f"{seen}, OVERRIDE" if entry.override else seen


def _bar(in_focus: int | None, judged: int | None) -> str:
    """A bar that is full only at 100 %, and the share rounded down, as the verdict's own words have it."""
    if not judged or in_focus is None:
        return "-"
    return f"{'#' * (BAR_WIDTH * in_focus // judged):-<{BAR_WIDTH}} {100 * in_focus // judged:3d} %"


def tile_lines(evidence: Evidence) -> list[str]:
    """The tile map, one line a row of tiles, told apart without colour (see LEGEND)."""
    _, cause, in_focus = evidence.tiles.arrays()
    return [
        " ".join(IN_FOCUS if sharp else CAUSES[why] for sharp, why in zip(*row, strict=True)).rstrip()
        for row in zip(in_focus.tolist(), cause.tolist(), strict=True)
    ]


def _details(entry: Entry, record: CaptureRecord, path: Path) -> Iterator[tuple[str, object]]:
    yield "capture", record.capture_id
    yield "session", record.session_id or "none"
    yield "when", f"{_time(entry)} UTC{'' if entry.wall_synchronised else ', clock not set'}"
    yield "number", record.sequence
    yield "exposed", f"{record.exposed_ns / 1e9:.6f} s after boot {record.boot_id}"
    yield "verdict", _verdict(entry) + (f": {record.reason}" if record.reason else "")
    evidence = record.evidence
    if evidence is not None:
        share = _bar(evidence.in_focus, evidence.judged_tiles)
        yield (
            "in focus",
            f"{share}   {evidence.in_focus} of {evidence.judged_tiles} judged, {evidence.total} in the field",
        )
        yield (
            "rule",
            f"{record.required_percent} % with blur ≤ {evidence.criterion_px:g} px at p ≥ {evidence.threshold:g}, "
            f"{evidence.min_judged_percent} % judged",
        )
        yield "model", f"{evidence.model_name} {evidence.model_sha256}"
    yield "calibration", record.profile_id or "uncalibrated"
    exposure = f"{record.exposure_us:g} µs" if record.exposure_us else "exposure unknown"
    gain = f"gain {record.analogue_gain:g}" if record.analogue_gain else "gain unknown"
    aperture = f"f/{record.f_number:g}" if record.f_number else "aperture unknown"
    yield "camera", f"{record.camera_id or 'unknown'}: {exposure}, {gain}, {aperture}"
    yield "image", f"{record.width}×{record.height} px, {entry.bytes} bytes"
    yield "file", path
    yield "software", record.software


def _facts(listing: Listing, entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"path": str(listing.path(entry)), "missing": entry.capture_id in listing.missing}


def _in_full(record: CaptureRecord) -> dict[str, Any]:
    from models.focusmap import Cause

    facts = record.model_dump(mode="json")
    if record.evidence is not None:
        p, cause, in_focus = record.evidence.tiles.arrays()
        facts["evidence"]["tiles"] |= {
            "p_in_focus": (p / 255).round(3).tolist(),
            "cause": [[Cause(why).name.lower() for why in row] for row in cause.tolist()],
            "in_focus": in_focus.tolist(),
        }
    return facts
