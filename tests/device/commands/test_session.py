"""`focusgate session`: which examination is open is said by hand, and shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.clock import MonotonicClock
from device.commands import session
from device.store.examination import IDLE_NS, Fact, read_mark, write_mark
from device.store.origin import read_boot_id
from device.store.records import CaptureRecord, new_capture_id
from device.store.writer import Store
from models.errors import ExitCode, InputError

Run = Callable[[str], str]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store.open(tmp_path / "store").close()
    return tmp_path / "store"


@pytest.fixture
def run(store: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """One action on the store of this test; what it printed."""

    def run(action: str) -> str:
        parser = argparse.ArgumentParser()
        session.add_parser(parser.add_subparsers())
        arguments = parser.parse_args(["session", action, "--store", str(store)])
        assert arguments.run(arguments) == ExitCode.OK
        return capsys.readouterr().out

    return run


def heard(store: Path) -> Fact:
    fact = read_mark(store, read_boot_id(), MonotonicClock().now_ns())
    assert fact is not None
    return fact


def test_opened_shown_and_closed(run: Run, store: Path) -> None:
    assert run("show") == "no examination is open; the next capture begins one\n"
    opened = run("open")
    session_id = heard(store).session_id
    assert session_id is not None
    assert opened.startswith(f"examination {session_id[:8]} is open")
    assert run("show") == f"examination {session_id[:8]} is open: 0 captures; closes in 15 idle minutes\n"
    run("close")
    assert heard(store).session_id is None
    assert run("show") == "no examination is open: closed for 0 minutes; the next capture begins one\n"


def test_each_examination_has_a_random_number_of_its_own(run: Run, store: Path) -> None:
    seen = set()
    for _ in range(3):
        run("open")
        seen.add(heard(store).session_id)
    assert len(seen) == 3


def test_one_that_was_left_idle_is_shown_as_closed(run: Run, store: Path) -> None:
    at_ns = MonotonicClock().now_ns() - IDLE_NS
    if at_ns < 0:
        pytest.skip("this machine has been up for less than 15 minutes")
    write_mark(store, read_boot_id(), Fact(at_ns, "a" * 32))
    assert run("show") == "no examination is open: idle for 15 minutes; the next capture begins one\n"


def test_every_examination_is_listed_with_its_first_moment_and_its_number_of_captures(run: Run, store: Path) -> None:
    assert run("list") == f"no captures in {store}\n"
    writer = Store.open(store)
    for number, session_id in enumerate(["a" * 32, "a" * 32, "b" * 32, None], start=1):
        record = CaptureRecord(
            capture_id=new_capture_id(),
            session_id=session_id,
            sequence=number,
            boot_id="boot",
            exposed_ns=2,
            press_ns=1,
            wall_time=datetime(2026, 3, 4, 5, number, tzinfo=UTC),
            wall_synchronised=number < 3,
            width=8,
            height=8,
            override=True,
            required_percent=90,
            verdict=None,
            reason=None,
            evidence=None,
            software="test",
        )
        writer.save(np.zeros((8, 8, 3), np.uint8), record)
    writer.close()
    assert run("list").splitlines() == [
        "aaaaaaaa  2026-03-04 05:01   UTC  2 captures",
        "bbbbbbbb  2026-03-04 05:03?  UTC  1 captures",
        "none      2026-03-04 05:04?  UTC  1 captures",
    ]


@pytest.mark.parametrize("action", ["open", "close", "show", "list"])
def test_no_store_is_one_line(tmp_path: Path, action: str) -> None:
    parser = argparse.ArgumentParser()
    session.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["session", action, "--store", str(tmp_path / "none")])
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        arguments.run(arguments)
