"""The recorder keeps only what may be kept, loses nothing in silence, and never holds up a press."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.profile import Profile
from device.capture import CaptureContext, refusal_of
from device.clock import MS, SECOND, FakeClock
from device.config import StoreConfig
from device.frame import ExposureInfo, Frame
from device.recorder import RETRY_NS, CaptureJob, CaptureResult, Recorder
from device.recording import open_recorder
from device.store.catalogue import read_listing, read_record
from device.store.examination import IDLE_NS, Fact, write_mark
from device.store.files import PosixFiles
from device.store.origin import Origin
from device.store.writer import Store
from models.classifier import Judging
from models.errors import CameraError
from models.focusmap import FocusMap, TileGrid
from models.verdict import VerdictKind

MODEL = "a" * 64
PRESSED_NS, EXPOSED_NS, NOW_NS = 10 * SECOND, 10 * SECOND + 20 * MS, 10 * SECOND + 120 * MS
WALL = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SHARP, BLURRED = 0.9, 0.1


class Disk(PosixFiles):
    """Fails every write while it is told to."""

    failing = False
    free = 10**12
    writes = 0

    def write(self, fd: int, data: memoryview) -> int:
        self.writes += 1
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(fd, data)

    def free_bytes(self, path: Path) -> int:
        return self.free


def make_frame(number: int = 1, exposed_ns: int = EXPOSED_NS, still: Callable[[], Any] | None = None) -> Frame:
    shade = np.full((32, 48, 3), number % 256, np.uint8)
    return Frame(
        id=number,
        exposed_ns=exposed_ns,
        luma=shade[:, :, 1],
        still=still or (lambda: shade),
        info=ExposureInfo(exposure_us=9000.0, analogue_gain=1.5, f_number=8.0),
    )


def make_map(frame: Frame, p: float = SHARP, **over: Any) -> FocusMap:
    values: dict[str, Any] = {
        "grid": TileGrid(16, 16, 2, 3),
        "blur_px": np.ones((2, 3), np.float32),
        "p_in_focus": np.full((2, 3), p, np.float32),
        "cause": np.zeros((2, 3), np.uint8),
        "criterion_px": 1.5,
        "threshold": 0.5,
        "model_name": "fake",
        "model_sha256": MODEL,
        "frame_id": frame.id,
        "exposed_ns": frame.exposed_ns,
    }
    return FocusMap(**(values | over))


def make_job(number: int = 1, p: float | None = SHARP, *, override: bool = False, **over: Any) -> CaptureJob:
    frame = make_frame(number)
    focus_map = make_map(frame, p) if p is not None else None
    return replace(CaptureJob(frame, focus_map, override, PRESSED_NS), **over)


class Bench:
    """A recorder on a fake clock and a disk that can be broken."""

    def __init__(self, folder: Path, *, boot_id: str = "boot 1", **over: Any) -> None:
        self.folder = folder
        self.disk = Disk()
        self.clock = FakeClock(NOW_NS)
        origin = Origin(boot_id=boot_id, software="test", wall_now=lambda: WALL, synchronised=lambda: True)
        self.recorder = Recorder(
            Store.open(folder, self.disk), CaptureContext(MODEL), clock=self.clock, origin=origin, **over
        )

    def keep(self, job: CaptureJob) -> list[CaptureResult]:
        assert self.recorder.submit(job)
        self.recorder.drain()
        return self.recorder.results()

    def later(self, delta_ns: int) -> list[CaptureResult]:
        self.clock.advance_ns(delta_ns)
        self.recorder.tick(0.0)
        return self.recorder.results()

    def listed(self) -> list[str]:
        return [entry.capture_id for entry in read_listing(self.folder).entries]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "store")
    yield bench
    bench.recorder.close()


def test_a_passing_frame_is_saved_with_its_own_pixels_and_evidence(bench: Bench) -> None:
    job = make_job(200)
    (result,) = bench.keep(job)
    assert result.ok
    assert result.frame_id == 200
    assert job.frame.released
    (entry,) = read_listing(bench.folder).entries
    record = read_record(bench.folder / "images" / entry.capture_id[:2] / f"{entry.capture_id}.jpg")
    assert record == result.record
    assert (record.verdict, record.reason, record.override) == (VerdictKind.PASS, None, False)
    assert (record.exposed_ns, record.press_ns, record.sequence) == (EXPOSED_NS, PRESSED_NS, 1)
    assert (record.exposure_us, record.analogue_gain, record.f_number) == (9000.0, 1.5, 8.0)
    assert (record.boot_id, record.profile_id) == ("boot 1", None)
    assert record.evidence is not None
    assert record.evidence.in_focus == 6
    assert result.message == f"saved: {record.capture_id[:8]} (pass, 100 % in focus)"


def test_the_wall_time_is_that_of_the_exposure(bench: Bench) -> None:
    (result,) = bench.keep(make_job())
    assert result.record is not None
    assert result.record.wall_time == WALL - timedelta(milliseconds=100)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"frame_id": 2}, "score at hand is of frame 2, not of frame 1"),
        ({"exposed_ns": EXPOSED_NS - 1}, "score at hand is of frame 1"),
        ({"model_sha256": "b" * 64}, "another model"),
    ],
)
def test_a_score_that_is_not_of_these_pixels_saves_nothing(bench: Bench, over: dict[str, Any], words: str) -> None:
    frame = make_frame()
    (result,) = bench.keep(CaptureJob(frame, make_map(frame, **over), override=False, pressed_ns=PRESSED_NS))
    assert not result.ok
    assert words in result.message
    assert frame.released
    assert bench.listed() == []


def test_an_override_beside_a_foreign_score_is_kept_as_not_judged(bench: Bench) -> None:
    frame = make_frame()
    foreign = make_map(frame, frame_id=7)
    (result,) = bench.keep(CaptureJob(frame, foreign, override=True, pressed_ns=PRESSED_NS))
    assert result.ok
    assert result.record is not None
    assert (result.record.verdict, result.record.evidence) == (None, None)
    assert "override, not judged" in result.message


def test_a_frame_that_does_not_pass_is_refused_with_its_reason(bench: Bench) -> None:
    (result,) = bench.keep(make_job(p=BLURRED))
    assert not result.ok
    assert "only 0 % in focus (90 % needed); nothing was saved" in result.message
    assert bench.listed() == []


def test_a_frame_that_was_not_judged_is_refused(bench: Bench) -> None:
    (result,) = bench.keep(make_job(p=None))
    assert "frame 1 was not judged" in result.message
    assert bench.listed() == []


@pytest.mark.parametrize("override", [False, True])
def test_a_frame_exposed_before_the_press_is_refused_even_by_an_override(bench: Bench, override: bool) -> None:
    (result,) = bench.keep(make_job(override=override, pressed_ns=EXPOSED_NS + 1))
    assert not result.ok
    assert "exposed before the press" in result.message
    assert bench.listed() == []


@pytest.mark.parametrize(("p", "verdict"), [(None, None), (BLURRED, VerdictKind.FAIL), (SHARP, VerdictKind.PASS)])
def test_an_override_keeps_the_score_that_it_overruled(
    bench: Bench, p: float | None, verdict: VerdictKind | None
) -> None:
    (result,) = bench.keep(make_job(p=p, override=True))
    assert result.ok
    assert result.record is not None
    assert (result.record.verdict, result.record.override) == (verdict, True)
    assert (result.record.reason is None) == (verdict is not VerdictKind.FAIL)


@pytest.mark.parametrize(
    "judging",
    [Judging(criterion_px=1.4), Judging(threshold=0.6), Judging(min_judged_percent=50)],
    ids=["criterion", "threshold", "min judged"],
)
def test_a_map_made_by_another_rule_is_no_evidence(judging: Judging) -> None:
    assert "another" in str(refusal_of(make_job(), CaptureContext(MODEL, judging)))
    assert refusal_of(make_job(), CaptureContext(MODEL, Judging(criterion_px=1.5, threshold=0.5))) is None


def test_the_rule_may_have_been_kept_in_single_precision() -> None:
    job = make_job()
    rounded = make_map(job.frame, criterion_px=float(np.float32(1.1)), threshold=float(np.float32(0.7)))
    assert refusal_of(replace(job, focus_map=rounded), CaptureContext(MODEL, Judging(1.1, 0.7))) is None


@settings(max_examples=300)
@given(
    number=st.integers(1, 3),
    judged=st.integers(1, 3),
    late_ns=st.integers(-2, 2),
    shift_ns=st.integers(-2, 2),
    sharp=st.booleans(),
    known=st.booleans(),
    override=st.booleans(),
)
def test_nothing_but_a_pass_of_these_very_pixels_after_the_press_goes_without_an_override(
    *, number: int, judged: int, late_ns: int, shift_ns: int, sharp: bool, known: bool, override: bool
) -> None:
    frame = make_frame(number)
    found = make_map(frame, SHARP if sharp else BLURRED, frame_id=judged, exposed_ns=EXPOSED_NS + shift_ns)
    job = CaptureJob(frame, found if known else None, override, EXPOSED_NS - late_ns)
    allowed = refusal_of(job, CaptureContext(MODEL)) is None
    own = known and judged == number and shift_ns == 0
    assert allowed == (late_ns >= 0 and (override or (own and sharp)))


def test_a_full_queue_says_so_and_leaves_the_frame_to_the_caller(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "store", queue_limit=2)
    jobs = [make_job(number) for number in (1, 2, 3)]
    assert bench.recorder.cannot_save() is None
    assert [bench.recorder.submit(job) for job in jobs] == [True, True, False]
    assert "wait to be saved" in str(bench.recorder.cannot_save())
    assert not jobs[2].frame.released
    jobs[2].frame.close()
    bench.recorder.drain()
    assert bench.recorder.cannot_save() is None
    assert [result.frame_id for result in bench.recorder.results()] == [1, 2]
    bench.recorder.close()
    assert len(bench.listed()) == 2


def test_an_image_that_cannot_be_saved_is_kept_and_saved_when_the_disk_works_again(bench: Bench) -> None:
    bench.disk.failing = True
    (result,) = bench.keep(make_job())
    assert not result.ok
    assert "not saved yet, kept in memory and tried again" in result.message
    assert bench.later(RETRY_NS) == []
    bench.disk.failing = False
    assert bench.later(RETRY_NS - 1) == []
    (result,) = bench.later(1)
    assert result.ok
    assert result.record is not None
    assert result.message.startswith("saved after all")
    assert bench.listed() == [result.record.capture_id]
    assert bench.later(RETRY_NS) == []


def test_three_unsaved_images_are_kept_and_more_presses_are_refused_before_the_exposure(bench: Bench) -> None:
    bench.disk.failing = True
    for number in (1, 2, 3):
        assert bench.recorder.cannot_save() is None
        bench.keep(make_job(number))
    assert "3 images wait in memory" in str(bench.recorder.cannot_save())
    bench.disk.failing = False
    assert [result.frame_id for result in bench.later(RETRY_NS)] == [1, 2, 3]
    assert bench.recorder.cannot_save() is None
    assert len(bench.listed()) == 3


def test_a_fourth_unsaved_image_costs_the_oldest_and_that_is_said(bench: Bench) -> None:
    bench.disk.failing = True
    for number in (1, 2, 3):
        bench.keep(make_job(number))
    lost, kept = bench.keep(make_job(4))
    assert (lost.ok, lost.frame_id) == (False, 1)
    assert lost.message.startswith("FG-307 lost")
    assert (kept.ok, kept.frame_id) == (False, 4)
    bench.disk.failing = False
    assert [result.frame_id for result in bench.later(RETRY_NS)] == [2, 3, 4]


def test_what_is_still_unsaved_at_the_end_is_tried_once_more_and_else_said_to_be_lost(tmp_path: Path) -> None:
    for failing in (False, True):
        bench = Bench(tmp_path / str(failing))
        bench.disk.failing = True
        bench.keep(make_job())
        bench.disk.failing = failing
        bench.recorder.close()
        (result,) = bench.recorder.results()
        assert result.ok is not failing
        assert len(bench.listed()) == (0 if failing else 1)


def test_a_full_disk_is_known_before_the_press_and_asked_for_once_a_second(bench: Bench) -> None:
    bench.disk.free = 0
    assert bench.recorder.cannot_save() is None
    bench.later(SECOND)
    assert "the disk is full" in str(bench.recorder.cannot_save())
    bench.disk.free = 10**12
    bench.later(SECOND)
    assert bench.recorder.cannot_save() is None


def test_a_camera_that_fails_while_its_colours_are_read_saves_nothing(bench: Bench) -> None:
    def fail() -> None:
        raise CameraError("camera 0: unplugged")

    frame = make_frame(still=fail)
    (result,) = bench.keep(CaptureJob(frame, make_map(frame), override=False, pressed_ns=PRESSED_NS))
    assert (result.ok, result.record) == (False, None)
    assert "camera 0: unplugged" in result.message
    assert frame.released


def test_colours_of_another_size_than_the_judged_frame_save_nothing(bench: Bench) -> None:
    frame = make_frame(still=lambda: np.zeros((30, 48, 3), np.uint8))
    (result,) = bench.keep(CaptureJob(frame, make_map(frame), override=False, pressed_ns=PRESSED_NS))
    assert not result.ok
    assert "check the camera" in result.message
    assert bench.listed() == []


def test_what_cannot_be_written_into_a_record_is_one_line(bench: Bench) -> None:
    frame = make_frame()
    large = make_map(frame, grid=TileGrid(17, 17, 2, 3))
    (result,) = bench.keep(CaptureJob(frame, large, override=False, pressed_ns=PRESSED_NS))
    assert "larger than the image" in result.message
    assert bench.listed() == []


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(*[st.none() | st.floats()] * 3)
def test_nonsense_that_a_camera_says_of_itself_does_not_cost_the_image(
    bench: Bench, exposure_us: float | None, gain: float | None, f_number: float | None
) -> None:
    job = make_job()
    job.frame.info = ExposureInfo(exposure_us, gain, f_number)
    (result,) = bench.keep(job)
    assert result.ok, result.message


def test_a_thread_saves_while_the_presses_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "store")
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            bench.recorder.tick(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    jobs = [make_job(number) for number in range(20)]
    taken = 0
    for job in jobs:
        while not bench.recorder.submit(job):
            stop.wait(0.001)
        taken += 1
    bench.recorder.drain()
    stop.set()
    thread.join()
    bench.recorder.drain()
    assert [result.ok for result in bench.recorder.results()] == [True] * taken
    assert all(job.frame.released for job in jobs)
    bench.recorder.close()
    assert [entry.sequence for entry in read_listing(bench.folder).entries] == list(range(1, 21))


# --- examinations ------------------------------------------------------------------------------------------------


def session_of(results: list[CaptureResult]) -> str:
    (result,) = results
    assert result.record is not None
    assert result.record.session_id is not None
    return result.record.session_id


def job_at(at_ns: int, number: int = 1) -> CaptureJob:
    frame = make_frame(number, at_ns)
    return CaptureJob(frame, make_map(frame), override=False, pressed_ns=at_ns)


def test_images_of_one_examination_carry_its_number_until_a_hold_ends_it(bench: Bench) -> None:
    first, second = (session_of(bench.keep(job_at(NOW_NS + number, number))) for number in (1, 2))
    bench.recorder.end_examination(NOW_NS + 10)
    late = session_of(bench.keep(job_at(NOW_NS + 9, 3)))  # exposed before the end, saved after it
    third = session_of(bench.keep(job_at(NOW_NS + 11, 4)))
    assert first == second == late != third


def test_fifteen_idle_minutes_end_an_examination(bench: Bench) -> None:
    first = session_of(bench.keep(job_at(NOW_NS)))
    second = session_of(bench.keep(job_at(NOW_NS + IDLE_NS - 1)))
    third = session_of(bench.keep(job_at(NOW_NS + 2 * IDLE_NS)))
    assert first == second != third


def test_a_word_from_the_command_line_is_heard_while_running(bench: Bench) -> None:
    before = session_of(bench.keep(job_at(NOW_NS)))
    write_mark(bench.folder, "boot 1", Fact(NOW_NS + 1, "c" * 32))
    assert session_of(bench.keep(job_at(NOW_NS + 2))) == "c" * 32 != before
    write_mark(bench.folder, "boot 1", Fact(NOW_NS + 3, None))
    assert session_of(bench.keep(job_at(NOW_NS + 4))) not in (before, "c" * 32)


@pytest.mark.parametrize(("boot", "ended", "goes_on"), [("1", False, True), ("1", True, False), ("2", False, False)])
def test_a_restart_goes_on_with_the_examination_unless_it_was_ended_or_the_machine_started_anew(
    tmp_path: Path, boot: str, *, ended: bool, goes_on: bool
) -> None:
    bench = Bench(tmp_path / "store")
    before = session_of(bench.keep(job_at(NOW_NS)))
    if ended:
        bench.recorder.end_examination(NOW_NS + 1)
        bench.later(1)
    bench.recorder.close()
    again = Bench(tmp_path / "store", boot_id=f"boot {boot}")
    assert (session_of(again.keep(job_at(NOW_NS + 2))) == before) is goes_on
    again.recorder.close()


def test_an_end_that_the_disk_does_not_take_counts_all_the_same_and_is_said(bench: Bench) -> None:
    before = session_of(bench.keep(job_at(NOW_NS)))
    bench.disk.failing = True
    bench.recorder.end_examination(NOW_NS + 1)
    (told,) = bench.later(1)
    assert not told.ok
    assert "the examination is ended, but not after a restart" in told.message
    bench.disk.failing = False
    assert session_of(bench.keep(job_at(NOW_NS + 2))) != before


# --- room --------------------------------------------------------------------------------------------------------


def test_the_room_is_told_and_only_a_disk_that_takes_nothing_is_trouble(bench: Bench) -> None:
    for free, left, trouble in ((10**12, 10**12, False), (500_000_000, 100, False), (200_000_000, 1, True)):
        bench.disk.free = free
        bench.later(SECOND)
        assert bench.recorder.space is not None
        assert bench.recorder.space.captures_left < left
        assert (bench.recorder.trouble() is not None) is trouble


def test_a_disk_that_does_not_answer_is_trouble_and_no_crash(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Disk, "free_bytes", dead)
    bench.later(SECOND)
    assert bench.recorder.space is None
    assert "Input/output error" in str(bench.recorder.trouble())


class FakeClassifier:
    name, sha256, tile_px = "fake", MODEL, 16


def open_with(folder: Path | None, config: StoreConfig, profile: Profile | None = None) -> Recorder:
    return open_recorder(
        config,
        folder,
        classifier=FakeClassifier(),
        judging=Judging(),
        profile=profile,
        camera_id="cam\x1b[2J\n 0",
        percent=90,
        clock=FakeClock(NOW_NS),
    )


def test_the_folder_is_that_of_the_command_line_else_of_the_configuration_else_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSGATE_STORE", str(tmp_path / "environment"))
    configured = StoreConfig(folder=str(tmp_path / "configuration"))
    for folder, config in ((tmp_path / "line", configured), (None, configured), (None, StoreConfig())):
        open_with(folder, config).close()
    assert {path.name for path in tmp_path.iterdir()} == {"line", "configuration", "environment"}


def test_the_profile_and_a_cleaned_name_of_the_camera_are_recorded(tmp_path: Path) -> None:
    profile = Profile(schema=1, name="bench 3")
    recorder = open_with(tmp_path / "store", StoreConfig(), profile)
    recorder.submit(make_job())
    recorder.drain()
    (result,) = recorder.results()
    recorder.close()
    record = result.record
    assert record is not None
    assert (record.profile_id, record.profile_sha256) == ("bench 3", profile.sha256())
    assert record.camera_id == "cam [2J 0"
    assert record.software.startswith("focusgate ")
    assert len(record.boot_id) == 36
