"""The queue in front of the log: it never waits, never forgets in silence, and spares the card."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.audit.chain import Link
from device.audit.journal import DISK_NS, FLUSH_NS, RETRY_NS, STATE_NS, Journal, kept
from device.audit.log import Note
from device.audit.notes import LIST_LIMIT, TEXT_LIMIT, plain
from device.clock import MS, SECOND, FakeClock
from device.supervision.beats import USUAL_NS
from models.errors import CameraError, StorageError


@dataclass
class ToldLog:
    """A log in memory that fails when told to."""

    notes: list[Note] = field(default_factory=list)
    batches: int = 0
    failing: bool = False
    trouble: str | None = None
    head: Link = field(default_factory=Link)

    def append(self, notes: list[Note], now_ns: int) -> Link:
        if self.failing:
            raise StorageError("the disk fails")
        self.notes.extend(notes)
        self.batches += 1
        return self.head

    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes]


class Desk:
    """A journal on a fake clock, in front of a log that is told what to do."""

    def __init__(self, bench, limit: int = 64) -> None:
        self.bench = bench
        self.clock = FakeClock(100 * SECOND)
        self.log = ToldLog()
        self.journal = Journal(lambda: self.log, self.clock, bench.origin(), private=("photos of Jane",), limit=limit)

    def tick(self, after_ns: int = 0) -> None:
        self.clock.advance_ns(after_ns)
        self.bench.wall += timedelta(microseconds=after_ns / 1000)
        self.journal.tick(0.0)


@pytest.fixture
def make_desk(bench) -> Callable[..., Desk]:
    return lambda **settings: Desk(bench, **settings)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    monkeypatch.setattr(logging.getLogger("focusgate"), "propagate", True)
    with caplog.at_level(logging.INFO, "focusgate"):
        yield lambda: caplog.messages


def test_only_while_the_disk_is_asked_may_it_take_long(desk: Desk) -> None:
    allowed = []
    desk.log.append = lambda *_: allowed.append(desk.journal.beat.sign.allowed_ns)
    desk.journal.note("press", button="capture")
    desk.tick()
    assert allowed == [DISK_NS]
    assert desk.journal.beat.sign.allowed_ns == USUAL_NS


def test_what_happens_is_written_at_once_and_in_order(desk: Desk) -> None:
    for kind in ("press", "refused", "saved"):
        desk.journal.note(kind)
    desk.tick()
    assert desk.log.kinds() == ["press", "refused", "saved"]


def test_nothing_is_written_while_nothing_happens(desk: Desk) -> None:
    for _ in range(100):
        desk.tick(SECOND)
    assert desk.log.batches == 0


def test_the_gate_is_written_within_a_second(desk: Desk) -> None:
    desk.journal.state("gate", "gate", mode="open")
    desk.tick()
    assert desk.log.kinds() == []
    desk.tick(FLUSH_NS)
    assert desk.log.kinds() == ["gate"]


def test_a_gate_that_flutters_makes_one_record_a_second_and_its_last_state_is_told(desk: Desk) -> None:
    seconds, told = 20, 0
    for number in range(seconds * 10):
        desk.journal.state("gate", "gate", mode="open" if number % 2 else "closed")
        told += 1
        desk.tick(100 * MS)
    for _ in range(20):
        desk.tick(100 * MS)
    assert len(desk.log.notes) <= seconds + 2
    assert desk.log.batches <= seconds + 2
    assert sum(int(str(note.data.get("changes", 1))) for note in desk.log.notes) == told
    assert desk.log.notes[-1].data["mode"] == "open"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(["gate", "fault", "press"])), max_size=40))
def test_every_change_is_in_a_record_within_a_second_and_states_keep_their_order(
    make_desk: Callable[..., Desk], told: list[tuple[int, str]]
) -> None:
    desk = make_desk()
    for after_ms, kind in told:
        desk.tick(after_ms * MS)
        if kind == "press":
            desk.journal.note(kind)
        else:
            desk.journal.state(kind, kind, at=desk.clock.now_ns())
    desk.tick()
    desk.tick(STATE_NS)
    desk.tick(FLUSH_NS)
    for kind in ("gate", "fault", "press"):
        times = [note.at_ns for note in desk.log.notes if note.kind == kind]
        assert times == sorted(times)
        count = sum(int(str(note.data.get("changes", 1))) for note in desk.log.notes if note.kind == kind)
        assert count == sum(one == kind for _, one in told)


def test_a_state_that_waits_is_told_before_what_happens_in_it(desk: Desk) -> None:
    desk.journal.state("gate", "gate", mode="closed")
    desk.tick(SECOND)
    desk.journal.state("gate", "gate", mode="closed")
    desk.tick(SECOND)
    desk.journal.state("gate", "gate", mode="open")
    desk.journal.note("saved")
    desk.tick()
    assert [note.data.get("mode", note.kind) for note in desk.log.notes] == ["closed", "closed", "open", "saved"]


def test_faults_of_two_parts_are_two_states_and_written_at_once(desk: Desk) -> None:
    desk.journal.state("fault", "camera", raised=True)
    desk.journal.state("fault", "model", raised=True)
    desk.tick()
    assert [note.data["part"] for note in desk.log.notes] == ["camera", "model"]


def test_what_the_queue_cannot_take_is_counted_and_recorded(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(limit=10)
    for _ in range(25):
        desk.journal.note("press")
    desk.tick()
    desk.tick()
    assert desk.log.kinds() == ["press"] * 10 + ["gap"]
    assert desk.log.notes[-1].data["lost"] == 25 - 10
    desk.tick(SECOND)
    assert desk.log.kinds().count("gap") == 1


def test_a_failing_disk_is_trouble_that_is_shown_and_the_records_wait(
    desk: Desk, lines: Callable[[], list[str]]
) -> None:
    desk.log.failing = True
    for _ in range(3):
        desk.journal.note("press")
        desk.tick(SECOND)
    assert desk.journal.trouble == "the disk fails"
    assert sum("records wait in memory" in line for line in lines()) == 1
    desk.log.failing = False
    desk.tick(SECOND)
    assert desk.log.kinds() == []  # not yet: the next try is due later
    desk.tick(RETRY_NS)
    assert desk.log.kinds() == ["press"] * 3
    assert desk.journal.trouble is None
    assert any("written again" in line for line in lines())


def test_a_disk_that_fails_for_long_costs_bounded_memory_and_the_loss_is_counted(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(limit=50)
    desk.log.failing = True
    for _ in range(1000):
        desk.journal.note("press")
        desk.tick(10 * MS)
    desk.log.failing = False
    desk.clock.advance_ns(RETRY_NS)
    desk.journal.close()
    lost = sum(int(str(note.data["lost"])) for note in desk.log.notes if note.kind == "gap")
    assert desk.log.kinds().count("press") + lost == 1000
    assert desk.log.kinds().count("press") <= 2 * 50 + 2


def test_a_log_that_cannot_be_opened_is_trouble_too(desk: Desk) -> None:
    def refuse() -> ToldLog:
        raise StorageError("no folder")

    desk.journal._open_log = refuse  # type: ignore[assignment]
    desk.journal.note("press")
    desk.tick()
    assert desk.journal.trouble == "no folder"


@pytest.mark.parametrize("years", [10, -10])
def test_a_wall_clock_that_jumps_is_recorded(desk: Desk, years: int) -> None:
    desk.tick(2 * SECOND)
    desk.bench.wall += timedelta(days=365 * years)
    desk.tick(2 * SECOND)
    desk.tick(2 * SECOND)
    assert desk.log.kinds() == ["clock"]
    assert desk.log.notes[0].data == {"step_s": pytest.approx(years * 365 * 86400, abs=0.01), "synchronised": False}


def test_a_clock_that_is_set_by_a_time_server_is_recorded(desk: Desk) -> None:
    desk.bench.synchronised = True
    desk.tick(2 * SECOND)
    desk.tick(2 * SECOND)
    assert [note.data["synchronised"] for note in desk.log.notes if note.kind == "clock"] == [True]


def test_texts_are_one_short_line_without_paths(desk: Desk) -> None:
    desk.journal.note(
        "failed",
        message="/media/Jane Doe/scans of Jane/x.jpg: cannot save\n\x1b[31mnow",
        camera="photos of Jane: the picture is frozen",
        long="x" * 10_000,
        many=["y"] * 1000,
        number=float("inf"),
        other=ValueError("/home/jane/secret"),
    )
    desk.tick()
    data = desk.log.notes[0].data
    assert data["message"] == "… cannot save [31mnow"
    assert data["camera"] == "…: the picture is frozen"
    assert len(str(data["long"])) == TEXT_LIMIT
    assert len(data["many"]) == LIST_LIMIT  # type: ignore[arg-type]
    assert data["number"] is None
    assert data["other"] == "…"


@given(st.text(max_size=300))
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text)) <= TEXT_LIMIT


@pytest.mark.parametrize("text", ["only 88 % in focus (90 % needed)", "aperture at f/5.6", "10.7 frames/s, 47 ms"])
def test_what_is_no_path_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, {"reason": "ended", "exit_code": 0, "code": None}),
        (KeyboardInterrupt(), {"reason": "interrupted", "exit_code": 130, "code": "FG-703"}),
        (CameraError("camera gone"), {"reason": "camera gone", "exit_code": 3, "code": "FG-103"}),
        (ZeroDivisionError("secret"), {"reason": "defect: ZeroDivisionError", "exit_code": 70, "code": "FG-701"}),
    ],
)
def test_a_run_says_how_it_ended(
    desk: Desk, lines: Callable[[], list[str]], error: BaseException | None, told: dict[str, object]
) -> None:
    def run() -> None:
        with kept(desk.journal, desk.bench.folder):
            desk.journal.note("start")
            desk.journal.state("gate", "gate", mode="open")
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert desk.log.kinds() == ["start", "gate", "stop"]
    assert desk.log.notes[-1].data == told
    assert lines()[-1] == f"audit: {desk.log.head}"  # the head stands in the journal too


def test_a_run_that_never_started_makes_no_log(desk: Desk) -> None:
    with pytest.raises(CameraError), kept(desk.journal, desk.bench.folder):
        raise CameraError("none there")
    assert desk.log.kinds() == []
    desk.bench.folder.mkdir()
    with pytest.raises(CameraError), kept(desk.journal, desk.bench.folder):
        raise CameraError("none there")
    assert desk.log.kinds() == ["stop"]


def test_records_that_cannot_be_written_at_the_end_are_counted(desk: Desk, lines: Callable[[], list[str]]) -> None:
    desk.log.failing = True
    desk.journal.note("press")
    desk.journal.close()
    assert any("1 records are lost" in line for line in lines())
