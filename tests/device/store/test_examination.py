"""Which examination an image belongs to: whatever goes wrong may split one in two, and never joins two patients."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock import SECOND
from device.store.examination import (
    END_HOLD_NS,
    IDLE_NS,
    KEPT,
    Fact,
    examination_at,
    hold_ends_it,
    read_mark,
    with_fact,
    write_mark,
)
from models.errors import InputError

A, B = "a" * 32, "b" * 32
FACTS = st.builds(Fact, st.integers(0, 100), st.sampled_from([A, B, None]))


def test_nothing_known_is_no_examination() -> None:
    assert examination_at((), 5) is None


@pytest.mark.parametrize(("later_ns", "open_"), [(0, True), (IDLE_NS - 1, True), (IDLE_NS, False), (10**18, False)])
def test_an_examination_closes_after_fifteen_idle_minutes(later_ns: int, open_: bool) -> None:
    assert (examination_at([Fact(7, A)], 7 + later_ns) == A) is open_


def test_every_capture_starts_the_fifteen_minutes_anew() -> None:
    facts = [Fact(number * (IDLE_NS - 1), A) for number in range(5)]
    assert examination_at(facts, 5 * (IDLE_NS - 1)) == A


def test_what_was_exposed_before_the_end_belongs_to_it_and_what_was_exposed_after_it_does_not() -> None:
    facts = [Fact(10, A), Fact(20, None)]
    assert examination_at(facts, 19) == A
    assert examination_at(facts, 20) is None
    assert examination_at(facts, 21) is None


def test_a_capture_that_was_saved_late_does_not_open_a_closed_examination_again() -> None:
    facts = with_fact(with_fact((), Fact(20, None)), Fact(19, A))
    assert examination_at(facts, 25) is None


@given(st.lists(FACTS, min_size=1), st.integers(0, 100))
def test_an_examination_never_goes_on_after_it_was_closed(facts: list[Fact], at_ns: int) -> None:
    closed = max((fact.at_ns for fact in facts if fact.session_id is None and fact.at_ns <= at_ns), default=-1)
    found = examination_at(facts, at_ns)
    assert found is None or any(fact.session_id == found and closed < fact.at_ns <= at_ns for fact in facts)


@given(st.lists(FACTS, max_size=30), st.integers(0, 100))
def test_the_facts_that_are_kept_decide_as_all_of_them_would(facts: list[Fact], at_ns: int) -> None:
    kept: tuple[Fact, ...] = ()
    for fact in facts:
        kept = with_fact(kept, fact)
    assert len(kept) <= KEPT
    newest = max((fact.at_ns for fact in facts), default=0)
    assert examination_at(kept, newest) == examination_at(facts, newest)
    assert examination_at(kept, at_ns) in (examination_at(facts, at_ns), None)


def test_a_hold_of_three_seconds_ends_it_in_exactly_one_step() -> None:
    steps = range(0, 5 * SECOND, SECOND // 100)
    ends = [now for before, now in itertools.pairwise(steps) if hold_ends_it(SECOND // 2, before, now)]
    assert ends == [SECOND // 2 + END_HOLD_NS]
    assert not hold_ends_it(None, 0, 10**12)


def test_a_word_is_heard_in_the_same_boot_only(tmp_path: Path) -> None:
    assert read_mark(tmp_path, "boot 1", 50) is None
    write_mark(tmp_path, "boot 1", Fact(40, A))
    assert read_mark(tmp_path, "boot 1", 50) == Fact(40, A)
    assert read_mark(tmp_path, "boot 2", 50) is None
    write_mark(tmp_path, "boot 1", Fact(45, None))
    assert read_mark(tmp_path, "boot 1", 50) == Fact(45, None)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"boot_id": "boot 1", "at_ns": 1, "session_id": "Jane"}'])
def test_a_word_that_cannot_be_read_closes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "examination.json").write_bytes(content)
    assert read_mark(tmp_path, "boot 1", 50) == Fact(50, None)


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_word_is_private_whatever_the_umask_and_leaves_no_temporary_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_mark(tmp_path, "boot 1", Fact(40, A))
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600]


def test_the_store_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(InputError, match=r"belongs to .*; nothing was changed; run 'sudo -u "):
        write_mark(tmp_path, "boot 1", Fact(40, A))
    assert list(tmp_path.iterdir()) == []


def test_half_a_minute_of_two_patients_is_never_one_examination() -> None:
    """Twenty patients, each closed by a hold, with three images each, half a minute apart."""
    facts: tuple[Fact, ...] = ()
    seen: list[list[str]] = []
    for patient in range(20):
        found = []
        for image in range(3):
            at_ns = (patient * 30 + image * 5) * SECOND
            session_id = examination_at(facts, at_ns) or f"{at_ns:032x}"
            facts = with_fact(facts, Fact(at_ns, session_id))
            found.append(session_id)
        seen.append(found)
        facts = with_fact(facts, Fact((patient * 30 + 20) * SECOND, None))
    assert all(len(set(found)) == 1 for found in seen)
    assert len({found[0] for found in seen}) == 20
