"""Installing a release beside the running one, which is not touched, and its self-test by its own interpreter."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.update.bundle import Bundle, unpack
from device.update.disk import Disk
from device.update.host import Host
from device.update.release import NOT_INSTALLED, Release, newer
from device.update.site import COMPLETE, Site
from models.errors import InputError, StorageError, one_line

BUILD_S = 900.0  # minutes on a board, whose card is slow
TEST_S = 60.0  # each step of the self-test; listing cameras alone takes some seconds
ASK_S = 10.0
MIB = 1 << 20
UNPACKED = 5  # the wheels as they come, and all that they unpack to (measured: 3.4 times their size)
RESERVE_BYTES = 200 * MIB  # left for the system, its logs and the captures
DOCTORS = ("system", "python", "configuration", "model")  # the checks that judge software, not wiring
_ASK = (
    "import platform, struct, sys; print('%d.%d' % sys.version_info[:2], platform.machine(), 8 * struct.calcsize('P'))"
)


@dataclass(frozen=True, slots=True)
class Board:
    """What is updated, and by which means: everything that a test replaces."""

    site: Site
    host: Host
    disk: Disk
    interpreter: Path  # the system's, from which virtual environments are made
    config: Path  # of the service; need not exist
    say: Callable[[str], None]


def check_fits(bundle: Bundle, board: Board, *, downgrade: bool) -> None:
    """Raise InputError unless this release is for this board, is not older than the running one, and has room."""
    release, site = bundle.release, board.site
    ran = board.host.run(board.interpreter, "-c", _ASK, limit_s=ASK_S)
    found = ran.out.split()
    if ran.code != 0 or len(found) != 3:
        raise InputError(f"{board.interpreter}: no Python to install for ({one_line(ran.last_line, 80)})")
    due = [release.python, release.machine, "64"]
    if found != due:
        raise InputError(
            f"{bundle.path}: is for Python {due[0]} on {due[1]}, 64 bit; "
            f"here is Python {found[0]} on {found[1]}, {found[2]} bit; {NOT_INSTALLED}, fetch the one for this board"
        )
    current = site.current()
    running = site.version(current) if current else None
    if running is not None and newer(running, release.version) and not downgrade:
        raise InputError(
            f"{bundle.path}: {release.version} is older than the running {running}; {NOT_INSTALLED}, "
            "add --downgrade if you mean it"
        )
    free, needed = board.disk.free_bytes(site.root), UNPACKED * release.total_bytes + RESERVE_BYTES
    if free < needed:
        raise InputError(
            f"{site.root}: {free // MIB} MiB free, {needed // MIB} MiB are needed; {NOT_INSTALLED}, "
            "export and delete captures"
        )


def install(bundle: Bundle, board: Board) -> str:
    """Build, test and mark the release, durably; returns its name. Raises InputError, StorageError: nothing is left."""
    site, disk, name = board.site, board.disk, bundle.folder_name
    if name in site.complete():
        board.say(f"{name} is installed already")
        self_test(bundle.release, name, board)
        return name
    folder, staging = site.path(name), site.releases / f".{name}.wheels"
    try:
        _clear(board)
        disk.make_folder(site.releases, private=False)
        disk.make_folder(staging, private=True)
        board.say(f"unpacking {len(bundle.release.wheels)} packages, {bundle.release.total_bytes / 1e6:.0f} MB")
        wheels = unpack(bundle, staging)
        board.say("installing beside the running release (some minutes on a board)")
        disk.make_folder(folder, private=False)
        _build(folder, wheels, bundle, board)
        self_test(bundle.release, name, board)
        disk.remove_tree(staging)
        disk.sync_tree(folder)
        disk.write(folder / COMPLETE, f"{bundle.digest}\n".encode("ascii"))
    except OSError as error:
        drop(board, staging, folder)
        raise StorageError(f"{site.root}: cannot install ({error.strerror}); the running release goes on") from error
    except (InputError, KeyboardInterrupt):
        drop(board, staging, folder)
        raise
    return name


def self_test(release: Release, name: str, board: Board) -> None:
    """By its own interpreter: does it start, is it what it says, does its model give the same scores as ever, does it
    take this board's configuration? Raises InputError."""
    focusgate = board.site.path(name) / "bin" / "focusgate"

    def ask(what: str, *words: str | Path, lenient: bool = False) -> str:
        ran = board.host.run(focusgate, *words, limit_s=TEST_S, as_service=True)
        if ran.code != 0 and not (lenient and ran.code == 1):
            why = one_line(ran.last_line, 160)
            raise InputError(f"the new release fails its self-test, {what} ({why}); the running release goes on")
        return ran.out

    board.say("self-test of the new release")
    told = ask("it does not start", "--version").strip()
    if told != f"focusgate {release.version}":
        raise InputError(
            f"the new release says that it is {one_line(told, 60)!r}, its manifest says {release.version}; "
            "the running release goes on"
        )
    ask("its model", "model", "verify")
    named: tuple[str, ...] = ()
    if board.config.exists():
        ask(f"it does not take {board.config}", "config", "check", board.config)
        named = ("--config", str(board.config))
    _check_doctor(ask("its doctor", "doctor", "--json", *named, lenient=True))


def drop(board: Board, *folders: Path) -> None:
    """Remove what is of no use, as far as the disk lets us: the next update tries again."""
    for folder in folders:
        try:
            board.disk.remove_tree(folder)
        except OSError as error:
            board.say(f"{folder}: cannot be removed ({error.strerror}); the next update tries again")


def _build(folder: Path, wheels: list[Path], bundle: Bundle, board: Board) -> None:
    """A virtual environment that sees the system's packages (picamera2, RPi.GPIO), with every wheel, by its hash."""
    digests = {wheel.file: wheel.sha256 for wheel in bundle.release.wheels}
    lines = [f"{wheel.as_uri()} --hash=sha256:{digests[wheel.name]}\n" for wheel in wheels]
    named = wheels[0].parent / "requirements.txt"
    named.write_text("".join(lines), encoding="ascii")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--isolated", "--no-input", "install")
    alone = ("--no-index", "--no-deps", "--no-cache-dir", "--ignore-installed", "--require-hashes")
    for command in (
        (board.interpreter, "-m", "venv", "--system-site-packages", folder),
        (folder / "bin" / "python", *pip, *alone, "--requirement", named),
    ):
        ran = board.host.run(*command, limit_s=BUILD_S)
        if ran.code != 0:
            raise InputError(f"{folder}: cannot be built ({one_line(ran.last_line, 160)}); the running release goes on")


def _check_doctor(said: str) -> None:
    try:
        findings = json.loads(said.strip().rpartition("\n")[2])["findings"]
        bad = [one["what"] for one in findings if one["check"] in DOCTORS and one["state"] == "failure"]
        seen = {one["check"] for one in findings}
    except (ValueError, KeyError, TypeError):
        raise InputError("the new release's doctor gives no answer; the running release goes on") from None
    if bad or not seen.issuperset(DOCTORS):
        why = one_line(bad[0], 160) if bad else "it leaves out checks"
        raise InputError(f"the new release's doctor finds: {why}; the running release goes on")


def _clear(board: Board) -> None:
    """Remove what updates that were cut off have left."""
    for folder in board.site.incomplete():
        board.disk.remove_tree(folder)
