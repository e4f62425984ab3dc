"""Processes that die while they save and delete: what was acknowledged is so, and what is listed is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from device.store.catalogue import Listing, read_record

Listed = Callable[[Path], set[str]]
Tell = Callable[[str, int, int, int], None]
KILLS, KILLS_IN_FULL = 500, 10_000
AT_ONCE = 4
KILLS_OF_ONE_STORE = 50  # then a new one: a store of thousands takes longer to open than to kill


def killed(*arguments: object) -> list[list[str]]:
    """What each of the children that `kill_child.py` killed had been told."""
    script = Path(__file__).with_name("kill_child.py")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()]


def violations(told: list[list[str]], found: set[str]) -> int:
    """Captures that are acknowledged and not there, deleted and there, or there and more than one a kill too many."""
    words = [word for line in told for word in line]
    saved = {word for word in words if word[0] not in "?-"}
    asked = {word[1:] for word in words if word[0] == "?"}
    gone = {word[1:] for word in words if word[0] == "-"}
    unasked = max(0, len(found - saved) - len(told))
    return len(saved - asked - found) + len(found & gone) + unasked


def test_killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_listed_is_torn(
    tmp_path: Path, listed: Listed, tell: Tell, so_far: Callable[[float], None], *, full: bool
) -> None:
    kills = KILLS_IN_FULL if full else KILLS
    acknowledged, wrong, deletions = 0, 0, 0
    stores = [(tmp_path / str(seed), "random", KILLS_OF_ONE_STORE, seed) for seed in range(kills // KILLS_OF_ONE_STORE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # the children wait more than they work
        for seed, told in enumerate(pool.map(lambda store: killed(*store), stores)):
            assert len(told) == KILLS_OF_ONE_STORE
            acknowledged += sum(word[0] not in "?-" for line in told for word in line)
            deletions += sum(word[0] == "-" for line in told for word in line)
            wrong += violations(told, listed(stores[seed][0]))
            so_far((seed + 1) / len(stores))
    tell("SIGKILL at a random moment", kills, acknowledged, wrong)
    assert wrong == 0
    assert acknowledged >= kills // 2  # they did save, between the kills
    assert deletions >= kills // 20


def test_killed_before_and_after_every_system_call_nothing_is_torn_or_lost(
    tmp_path: Path, listed: Listed, tell: Tell
) -> None:
    told = killed(tmp_path, "calls")
    assert len(told) > 100
    assert [len(words) for words in told] == sorted(len(words) for words in told)
    assert len(told[-1]) == len(["saved", "saved", "?", "-"])
    wrong = sum(violations([words], listed(tmp_path / str(moment))) for moment, words in enumerate(told))
    tell("SIGKILL before and after every call", len(told), sum(map(len, told)), wrong)
    assert wrong == 0


def test_a_violation_would_be_seen() -> None:
    assert violations([["a", "b"]], {"a"}) == 1
    assert violations([["a", "?a", "-a"]], {"a"}) == 1
    assert violations([["a"]], {"a", "x", "y"}) == 1
    assert violations([["a", "?a"]], {"a"}) == violations([["a", "?a"]], set()) == violations([[]], {"x"}) == 0


def test_the_record_of_every_capture_that_outlives_a_kill_can_be_read(
    tmp_path: Path, checked: Callable[[Path], Listing]
) -> None:
    folder = tmp_path / "store"
    killed(folder, "random", 5, 11)
    listing = checked(folder)
    sequences = [read_record(listing.path(entry)).sequence for entry in listing.entries]
    assert sequences == sorted(set(sequences))
