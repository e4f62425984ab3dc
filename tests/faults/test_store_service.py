"""The recorder on a disk that fails at any call: no false "saved", every failure said, and the service lives on."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.capture import CaptureContext, CaptureJob
from device.clock import SECOND, FakeClock
from device.frame import Frame
from device.recorder import RETRY_NS, Recorder
from device.store.catalogue import read_listing
from device.store.deletion import delete
from device.store.origin import Origin
from device.store.writer import Store
from models.errors import StorageError

Faulty = Callable[[], Any]
Listed = Callable[[Path], set[str]]
Tell = Callable[[str, int, int, int], None]
SHORT = -1
FAULTS = {
    "ENOSPC": errno.ENOSPC,
    "EIO": errno.EIO,
    "EROFS": errno.EROFS,
    "EDQUOT": errno.EDQUOT,
    "EINTR": errno.EINTR,
    "short write": SHORT,
}


def job(number: int, at_ns: int) -> CaptureJob:
    shade = np.full((16, 16, 3), number, np.uint8)
    frame = Frame(id=number, exposed_ns=at_ns, luma=shade[:, :, 1], still=lambda: shade)
    return CaptureJob(frame, None, override=True, pressed_ns=at_ns)


def calls_of_one_save(folder: Path, faulty: Faulty) -> int:
    files, clock = faulty(), FakeClock(SECOND)
    recorder = Recorder(Store.open(folder, files), CaptureContext("a" * 64), clock=clock, origin=Origin("boot"))
    files.calls.clear()
    recorder.submit(job(1, clock.now_ns()))
    recorder.tick(0.0)
    count = len(files.calls)
    recorder.close()
    return count


@pytest.mark.parametrize("after", [False, True], ids=["before-it-acts", "after-it-acted"])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_call_of_a_save_is_said_and_the_image_is_saved_when_the_disk_works_again(
    tmp_path: Path, faulty: Faulty, listed: Listed, tell: Tell, kind: str, *, after: bool
) -> None:
    calls = calls_of_one_save(tmp_path / "dry", faulty)
    saved = false = 0
    for call in range(1, calls + 1):
        files, clock = faulty(), FakeClock(SECOND)
        folder = tmp_path / str(call)
        recorder = Recorder(Store.open(folder, files), CaptureContext("a" * 64), clock=clock, origin=Origin("boot"))
        files.arm(call, FAULTS[kind], after=after)
        recorder.submit(job(1, clock.now_ns()))
        recorder.tick(0.0)
        (first,) = recorder.results()
        found = {entry.capture_id for entry in read_listing(folder).entries}
        false += first.ok and {first.record.capture_id if first.record else ""} != found
        assert first.ok or "kept in memory and tried again" in first.message
        assert first.ok or found == set()
        files.disarm()
        clock.advance_ns(RETRY_NS)
        recorder.tick(0.0)
        assert [result.ok for result in recorder.results()] == ([] if first.ok else [True])
        recorder.submit(job(2, clock.now_ns()))
        recorder.tick(0.0)
        assert [result.ok for result in recorder.results()] == [True]
        recorder.close()
        assert len(listed(folder)) == 2
        saved += 2
    tell(f"{kind} at every call{', after it acted' if after else ''}", calls, saved, false)
    assert false == 0


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EINTR], ids=errno.errorcode.get)
def test_a_fault_at_any_call_of_a_deletion_leaves_each_capture_there_or_gone_and_none_missing(
    tmp_path: Path, faulty: Faulty, listed: Listed, tell: Tell, error: int, *, for_ever: bool
) -> None:
    call, wrong = 0, 0
    while True:
        call += 1
        folder, files = tmp_path / str(call), faulty()
        recorder = Recorder(
            Store.open(folder), CaptureContext("a" * 64), clock=FakeClock(SECOND), origin=Origin("boot")
        )
        for number in (1, 2, 3):
            recorder.submit(job(number, SECOND))
        recorder.close()
        first, second, third = read_listing(folder).entries
        files.arm(call, error, for_ever=for_ever and error != errno.EINTR)
        done = False
        with suppress(StorageError):
            delete(folder, [first, second], files=files)
            done = True
        told = {entry.capture_id for entry in read_listing(folder).entries}
        found = listed(folder)
        wrong += found not in ({third.capture_id}, {one.capture_id for one in (first, second, third)})
        wrong += done and found != {third.capture_id}
        wrong += told != found
        if files.failed == 0:
            break
    tell(
        f"{errno.errorcode[error]} at every call of a deletion{', and from then on' if for_ever else ''}",
        call,
        3 * call,
        wrong,
    )
    assert call > 10
    assert wrong == 0
