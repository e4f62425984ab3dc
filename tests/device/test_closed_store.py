"""A folder of captures that cannot be opened at start: shown, tried again, and the last images wait in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device.capture import CaptureContext, CaptureJob
from device.clock import SECOND, FakeClock
from device.config import StoreConfig
from device.frame import Frame
from device.recorder import RETRY_NS, SLOW_NS, UNSAVED_LIMIT, Recorder
from device.recording import open_recorder
from device.store.catalogue import read_listing, read_record
from device.store.origin import Origin
from device.store.sealing import Recipient
from device.store.writer import Store
from device.unsaved import ClosedStore
from models.classifier import Judging
from models.errors import InputError, StorageError

ORIGIN = Origin(boot_id="boot", software="test", synchronised=lambda: True)


class Card:
    """A folder that opens when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.there, self.tries = folder, False, 0
        self.clock = FakeClock(SECOND)

    def open(self) -> Store:
        self.tries += 1
        if not self.there:
            raise StorageError("read-only")
        return Store.open(self.folder)

    def recorder(self) -> Recorder:
        closed = ClosedStore("FG-304 read-only", self.open)
        return Recorder(closed, CaptureContext("a" * 64), clock=self.clock, origin=ORIGIN)

    def job(self, number: int, shade: int = 7) -> CaptureJob:
        self.clock.advance_ns(SECOND)
        buffer = np.full((16, 16, 3), shade, np.uint8)
        frame = Frame(
            id=number,
            exposed_ns=self.clock.now_ns(),
            luma=buffer[:, :, 1],
            still=lambda: buffer,
            release=lambda: buffer.fill(0),  # the camera takes its buffer back
        )
        return CaptureJob(frame, None, override=True, pressed_ns=self.clock.now_ns())


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path / "store")


def test_a_closed_store_is_a_fault_with_its_code_and_takes_overrides_until_three_wait(card: Card) -> None:
    recorder = card.recorder()
    assert recorder.trouble() == "FG-304 read-only"
    for number in range(UNSAVED_LIMIT):
        assert recorder.cannot_save() is None
        assert recorder.submit(card.job(number + 1))
        recorder.drain()
        (told,) = recorder.results()
        assert not told.ok
        assert told.message == "FG-306 not saved yet, kept in memory and tried again: FG-304 read-only"
    assert "3 images wait in memory" in str(recorder.cannot_save())
    recorder.close()
    assert [told.message[:6] for told in recorder.results()] == ["FG-307"] * UNSAVED_LIMIT


def test_when_the_folder_comes_back_the_images_of_memory_are_saved_in_order_with_their_own_pixels(card: Card) -> None:
    recorder = card.recorder()
    for number in (1, 2):
        recorder.submit(card.job(number, shade=40 * number))
        recorder.drain()
    recorder.results()
    card.there = True
    card.clock.advance_ns(RETRY_NS)
    recorder.tick(0.0)
    assert [told.ok for told in recorder.results()] == [True, True]
    assert recorder.trouble() is None
    recorder.submit(card.job(3, shade=120))
    recorder.drain()
    assert [told.ok for told in recorder.results()] == [True]
    recorder.close()
    listing = read_listing(card.folder)
    assert [entry.sequence for entry in listing.entries] == [1, 2, 3]
    sessions = {read_record(listing.path(entry)).session_id for entry in listing.entries}
    assert len(sessions) == 1


def test_it_is_tried_again_every_five_seconds_and_not_more_often(card: Card) -> None:
    recorder = card.recorder()
    for _ in range(100):
        card.clock.advance_ns(RETRY_NS // 10)
        recorder.tick(0.0)
    assert card.tries == 10


def test_an_examination_that_is_ended_meanwhile_is_not_joined_to_the_next(card: Card) -> None:
    recorder = card.recorder()
    recorder.submit(card.job(1))
    recorder.drain()
    recorder.end_examination(card.clock.now_ns() + SECOND // 2)
    recorder.submit(card.job(2))
    recorder.drain()
    card.there = True
    recorder.close()
    listing = read_listing(card.folder)
    assert len({read_record(listing.path(entry)).session_id for entry in listing.entries}) == 2


def test_an_image_that_cannot_be_encoded_when_the_folder_comes_back_is_said_to_be_lost(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise InputError("no such picture")

    recorder = card.recorder()
    recorder.submit(card.job(1))
    recorder.drain()
    recorder.results()
    monkeypatch.setattr(Store, "encode", refuse)
    card.there = True
    card.clock.advance_ns(RETRY_NS)
    recorder.tick(0.0)
    (told,) = recorder.results()
    assert told.message.startswith("FG-307 lost: no such picture")
    recorder.close()


def test_a_save_that_does_not_come_to_an_end_is_a_fault_after_five_seconds(card: Card) -> None:
    heard: list[str | None] = []

    recorder = Recorder(Store.open(card.folder), CaptureContext("a" * 64), clock=card.clock, origin=ORIGIN)
    save = Store.save_encoded

    def slow(self: Store, *args: object) -> object:
        for _ in range(2):
            card.clock.advance_ns(SLOW_NS // 2)
            heard.append(recorder.trouble())
        return save(self, *args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "save_encoded", slow)
        recorder.submit(card.job(1))
        recorder.drain()
    assert heard[0] is None
    assert str(heard[1]).startswith("FG-302 the disk has not answered for 5 s")
    assert recorder.trouble() is None
    recorder.close()


@pytest.mark.parametrize("patient", [False, True])
def test_a_run_on_a_read_only_folder_ends_unless_it_is_a_device_that_must_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_classifier: Callable[[], object], *, patient: bool
) -> None:
    def refuse(folder: Path, files: object = None, recipient: Recipient | None = None) -> Store:
        raise StorageError(f"{folder}: cannot open the store (Read-only file system)")

    monkeypatch.setattr(Store, "open", refuse)

    def start() -> Recorder:
        return open_recorder(
            StoreConfig(),
            tmp_path,
            classifier=told_classifier(),  # type: ignore[arg-type]
            judging=Judging(),
            profile=None,
            camera_id="cam",
            percent=90,
            clock=FakeClock(SECOND),
            patient=patient,
        )

    if not patient:
        with pytest.raises(StorageError, match="Read-only"):
            start()
        return
    recorder = start()
    assert str(recorder.trouble()).startswith("FG-304 ")
    assert recorder.space is None
    recorder.close()
