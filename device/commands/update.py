"""`focusgate update FILE|--list|--roll-back` on the board; `focusgate release pack|show` where releases are made."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, InputError

if TYPE_CHECKING:
    from device.update.build import Board

ROOT = Path("/opt/focusgate")
CONFIG = Path("/etc/focusgate/focusgate.toml")
PYTHON = Path("/usr/bin/python3")

EXAMPLES = """\
examples:
  sudo focusgate update focusgate-1.2.0.release   verify, install beside, self-test, switch; back if it does not last
  focusgate update --list                         which releases are here
  sudo focusgate update --roll-back               the release before this one

The running release goes on until the new one has passed its self-test. If the new one does not reach READY, or does not
last ten seconds, the old one is back within a minute.
"""
RELEASE_EXAMPLES = """\
examples:
  focusgate release pack wheels/ --python 3.11 --machine aarch64 --key ~/keys/private.pem
  focusgate release show focusgate-1.2.0-py3.11-aarch64.release
  make release KEY=~/keys/private.pem             builds the wheels of the lock files first
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `update` and `release` to the command line."""
    update = subparsers.add_parser(
        "update",
        help="install a release, or go back to the one before",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = update.add_mutually_exclusive_group(required=True)
    what.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a release file")
    what.add_argument("--list", action="store_true", help="list the releases that are here")
    what.add_argument("--roll-back", action="store_true", help="go back to the release before")
    update.add_argument("--downgrade", action="store_true", help="allow an older version than the running one")
    update.add_argument("--trusted", type=Path, metavar="DIR", help="folder of public keys trusted besides")
    update.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help=f"where releases are (default: {ROOT})")
    update.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"what it must take ({CONFIG})")
    update.add_argument("--python", type=Path, default=PYTHON, metavar="FILE", help=f"the system's Python ({PYTHON})")
    update.set_defaults(run=_update)

    release = subparsers.add_parser(
        "release",
        help="make a release file",
        epilog=RELEASE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = release.add_subparsers(title="actions", metavar="ACTION", required=True)
    pack = actions.add_parser("pack", help="pack and sign wheels", description="Pack and sign a folder of wheels.")
    pack.add_argument("wheels", type=Path, metavar="DIR", help="focusgate's wheel and those of all that it needs")
    pack.add_argument("--python", required=True, metavar="3.N", help="version of the board's Python")
    pack.add_argument("--machine", default="aarch64", help="the board's processor, as 'uname -m' says it")
    pack.add_argument("--key", type=Path, required=True, metavar="FILE", help="private key of 'focusgate model keygen'")
    pack.add_argument("--out", type=Path, metavar="FILE", help="release file (default: named after what it is)")
    pack.set_defaults(run=_pack)
    show = actions.add_parser("show", help="verify and show a release file", description="Verify and show a release.")
    show.add_argument("file", type=Path, metavar="FILE", help="a release file")
    show.add_argument("--trusted", type=Path, metavar="DIR", help="folder of public keys trusted besides")
    show.set_defaults(run=_show)


def _update(arguments: argparse.Namespace) -> int:
    from device.update.switch import roll_back, update
    from models.signing import trusted_keys

    board = _board(arguments)
    if arguments.list:
        return _list(board)
    # a closed connection must not end the command between two releases; being asked to stop goes back first
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.roll_back:
        name = roll_back(board)
    else:
        name = update(arguments.file, board, trusted_keys(arguments.trusted), downgrade=arguments.downgrade)
    print(f"{name} runs; 'focusgate update --roll-back' goes back to the release before")
    return ExitCode.OK


def _board(arguments: argparse.Namespace) -> Board:
    from device.update.build import Board
    from device.update.disk import PosixDisk
    from device.update.host import System
    from device.update.site import Site

    site = Site(arguments.root.absolute())
    if not site.releases.is_dir():
        raise InputError(f"{site.root}: no releases here; the first one is: sudo make install; --root names the folder")
    return Board(
        site=site,
        host=System(),
        disk=PosixDisk(),
        interpreter=arguments.python,
        config=arguments.config.absolute(),
        say=lambda line: print(f"focusgate update: {line}", file=sys.stderr),
    )


def _list(board: Board) -> int:
    site = board.site
    current, previous = site.current(), site.previous()
    for name in site.complete():
        notes = {current: "running", previous: "to go back to"}
        print(f"{name:<32}{site.version(name) or 'unknown version':<18}{notes.get(name, '')}".rstrip())
    for folder in site.incomplete():
        print(f"{folder.name:<32}incomplete, swept by the next update")
    if site.trial.exists():
        print("an update was cut off: the next boot, or the next update, goes back")
    return ExitCode.OK


def _pack(arguments: argparse.Namespace) -> int:
    from device.update.bundle import SUFFIX, pack
    from device.update.release import version_of
    from models.signing import load_private_key

    key = load_private_key(arguments.key)
    wheels = sorted(arguments.wheels.glob("*.whl"))
    named = f"focusgate-{version_of(wheels)}-py{arguments.python}-{arguments.machine}{SUFFIX}"
    target = arguments.out or Path(named)
    try:
        release = pack(wheels, arguments.python, arguments.machine, key, target)
    except FileExistsError:
        raise InputError(f"{target}: is there already; name another file with --out, or remove it") from None
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror}); name another file with --out") from None
    print(f"{target}: focusgate {release.version}, {len(release.wheels)} packages, {release.total_bytes / 1e6:.1f} MB")
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    """Reads it to its end: every wheel is compared with the manifest, and nothing is kept."""
    import tempfile

    from device.update.bundle import open_bundle, unpack
    from models.signing import trusted_keys

    with open_bundle(arguments.file, trusted_keys(arguments.trusted)) as bundle:
        release = bundle.release
        with tempfile.TemporaryDirectory() as folder:
            unpack(bundle, Path(folder))
        print(f"focusgate {release.version} for Python {release.python} on {release.machine}")
        print(f"signed by key {bundle.signer}, which is trusted; every package is the one that was signed")
        for wheel in release.wheels:
            print(f"  {wheel.sha256[:16]}  {wheel.bytes / 1e6:6.1f} MB  {wheel.file}")
    return ExitCode.OK
