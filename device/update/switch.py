"""The switch: a trial that ends with the new release confirmed, or with the old one back within a minute.

The order: a durable note of the way back (`trial`), then the link, then the services, then a probation, then the note
is removed. A power cut in between leaves the note, and the next boot goes back to the old release before the services
start (`systemd/recover.sh`), as does the next update. Without the note, the link points to a release that has proved
itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device.store.files import lock
from device.update.build import Board, check_fits, drop, install
from device.update.bundle import open_bundle
from device.update.host import TIMED_OUT
from device.update.site import target_of
from models.errors import FocusgateError, InputError, StorageError, one_line
from models.signing import Keys

READY_S = 25.0  # stopping takes 10 s at most (the unit's TimeoutStopSec), starting 5 s on a board
PROBATION_S = 10.0  # crashes of the first frames, and two of the unit's watchdogs
BACK_S = 20.0
OLD_BACK_S = 60.0  # the promise: from the switch until the old release runs again
LOOK_S = 1.0
ASK_S = 2.0
GATE, GUARD = "focusgate.service", "focusgate-guard.service"


class UpdateError(FocusgateError):
    """The new release did not prove itself; the message says which one runs now."""


@dataclass(frozen=True, slots=True)
class _Seen:
    active: str
    restarts: str


def update(path: Path, board: Board, keys: Keys, *, downgrade: bool = False) -> str:
    """Verify, install beside, test, switch, watch; returns the name of the release that then runs.

    Raises InputError or StorageError: the running release was not touched. UpdateError: it was, and is back.
    """
    with _alone(board):
        recover(board)
        old = board.site.current()
        if old is None:
            raise InputError(f"{board.site.root}: no release is installed here; the first one is: sudo make install")
        with open_bundle(path, keys) as bundle:
            board.say(f"{path}: focusgate {bundle.release.version}, signed by key {bundle.signer}")
            if bundle.folder_name == old:
                board.say(f"{old} is running already")
                return old
            check_fits(bundle, board, downgrade=downgrade)
            new = install(bundle, board)
        try:
            _switch(old, new, board)
        except (FocusgateError, KeyboardInterrupt):
            if board.site.current() != new:
                drop(board, board.site.path(new))
            raise
        return new


def roll_back(board: Board) -> str:
    """Go back to the release before, under the same trial; returns its name. Raises as `update`."""
    with _alone(board):
        recover(board)
        old, new = board.site.current(), board.site.previous()
        if old is None or new is None:
            raise InputError(f"{board.site.root}: no release to go back to; 'focusgate update --list' shows all")
        _switch(old, new, board)
        return new


def recover(board: Board) -> bool:
    """End a trial that was cut off: the old release is back. True if there was one. Raises StorageError."""
    site = board.site
    if not site.trial.exists():
        return False
    old = site.tried()
    with _disk(board, "end the trial of a release", "restart the board"):
        if old is not None and old != site.current():
            board.disk.link(target_of(old), site.link)
            board.say(f"an update was cut off: back to {old}")
            problem = _start(board, BACK_S)
            if problem is not None:
                board.say(problem)
        board.disk.remove(site.trial)
    return True


def _switch(old: str, new: str, board: Board) -> None:
    site, disk = board.site, board.disk
    try:
        with _disk(board, "switch", "the old release runs on"):
            disk.write(site.trial, f"{target_of(old)}\n".encode("ascii"))
            disk.link(target_of(new), site.link)
    except StorageError:
        if site.current() == old:
            with contextlib.suppress(OSError):  # a note that stays leads to where we are
                disk.remove(site.trial)
        else:
            _back(old, new, "the disk failed", board)
        raise
    try:
        board.say(f"starting {new}")
        problem = _start(board, READY_S) or _watch(board, PROBATION_S)
    except (FocusgateError, KeyboardInterrupt):
        _back(old, new, "the switch was broken off", board)
        raise
    if problem is not None:
        raise UpdateError(_back(old, new, problem, board))
    with _disk(board, "confirm the new release", f"{new} runs, but the next boot goes back to {old}"):
        disk.link(target_of(old), site.previous_link)
        disk.remove(site.trial)
    for name in site.complete():
        if name not in (old, new):
            drop(board, site.path(name))


def _back(old: str, new: str, why: str, board: Board) -> str:
    """The old release again, at once; returns what there is to say. Raises StorageError if the disk forbids it."""
    board.say(f"{new}: {why}; going back to {old}")
    with _disk(board, f"go back to {old}", "restart the board: it goes back by itself"):
        board.disk.link(target_of(old), board.site.link)
        problem = _start(board, BACK_S)
        board.disk.remove(board.site.trial)
    if problem is None:
        return f"{new}: {why}; {old} is back and runs"
    return f"{new}: {why}; {old} is back, but it does not start either ({problem}); see 'focusgate doctor'"


def _start(board: Board, limit_s: float) -> str | None:
    """Restart the services, and wait for READY; why it did not come, or None. The guard counts if it ran before."""
    deadline_s = board.host.now_s() + limit_s

    def systemctl(*words: str, limit_s: float = limit_s) -> tuple[int, str]:
        left_s = max(deadline_s - board.host.now_s(), 0.1)
        ran = board.host.run("systemctl", *words, limit_s=min(limit_s, left_s))
        return ran.code, "it took too long" if ran.code == TIMED_OUT else one_line(ran.last_line, 120)

    guarded = _look(board, GUARD).active == "active"
    systemctl("daemon-reload", limit_s=ASK_S)
    systemctl("reset-failed", GATE, GUARD, limit_s=ASK_S)
    for unit in (GUARD, GATE) if guarded else (GATE,):
        code, why = systemctl("restart", unit)
        if code != 0:
            return f"{unit} does not reach READY ({why})"
    return None


def _watch(board: Board, seconds: float) -> str | None:
    """Watch the service for a while; what went wrong, or None."""
    deadline_s, first = board.host.now_s() + seconds, _look(board, GATE)
    while True:
        seen = _look(board, GATE)
        if seen.active != "active" or seen.restarts != first.restarts:
            return f"{GATE} did not last {seconds:g} s ({seen.active})"
        if board.host.now_s() >= deadline_s:
            return None
        board.host.sleep(LOOK_S)


def _look(board: Board, unit: str) -> _Seen:
    ran = board.host.run("systemctl", "show", "--property=ActiveState,NRestarts", unit, limit_s=ASK_S)
    facts = dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)
    return _Seen(facts.get("ActiveState", "unknown"), facts.get("NRestarts", "0"))


@contextlib.contextmanager
def _alone(board: Board) -> Iterator[None]:
    try:
        held = lock(board.site.lock)
    except BlockingIOError:
        raise InputError(f"{board.site.root}: another update is under way; wait for its end") from None
    except OSError as error:
        raise InputError(
            f"{board.site.lock}: cannot be written ({error.strerror}); run: sudo focusgate update"
        ) from None
    try:
        yield
    finally:
        os.close(held)


@contextlib.contextmanager
def _disk(board: Board, doing: str, state: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{board.site.root}: cannot {doing} ({error.strerror}); {state}") from error
