"""The audit log under crashes and failing disks: nothing acknowledged is lost, and no edit is claimed where is none."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from device.audit.chain import Link, Record
from device.audit.log import AuditLog, Note
from device.audit.verify import Report, verify_log
from device.store.origin import Origin
from models.errors import StorageError

if TYPE_CHECKING:
    from .conftest import Hand

Tell = Callable[[str, int, int, int], None]
INTACT, INTACT_IN_FULL = 200, 2_000
KILLS, KILLS_IN_FULL = 60, 2_000


def test_no_edit_is_claimed_of_logs_that_saw_crashes_only(
    tmp_path: Path, new_hand: type[Hand], tell: Tell, *, full: bool
) -> None:
    count, claimed, torn = INTACT_IN_FULL if full else INTACT, 0, 0
    for seed in range(count):
        hand = new_hand(tmp_path / "log", 1000 + seed)
        heads = [hand.live()]
        if seed % 3 == 0:
            hand.tear()  # and nobody has started the device since
        if seed % 4 == 0:
            heads.append(hand.live())
        report = verify_log(hand.folder, heads[-1])
        claimed += bool(report.problems)
        torn += bool(report.notes)
        shutil.rmtree(hand.folder)
    tell("audit: logs that nobody edited", count, torn, claimed)
    assert claimed == 0
    assert torn > count // 4  # many of them did end badly


def test_killed_while_writing_nothing_acknowledged_is_lost_and_no_edit_is_claimed(
    tmp_path: Path, tell: Tell, *, full: bool
) -> None:
    kills, acknowledged, wrong = KILLS_IN_FULL if full else KILLS, 0, 0
    script = Path(__file__).with_name("kill_audit_child.py")
    each = 20
    for seed in range(kills // each):
        folder = tmp_path / str(seed)
        done = subprocess.run(
            [sys.executable, str(script), str(folder), str(each), str(seed)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert done.stderr == ""
        heads = [Link.parse(word) for line in done.stdout.splitlines() for word in line.split()]
        acknowledged += len(heads)
        wrong += _violations(verify_log(folder, heads[-1]), heads)
    tell("audit: SIGKILL at a random moment", kills, acknowledged, wrong)
    assert wrong == 0
    assert acknowledged >= kills // 2


def _violations(report: Report, heads: list[Link]) -> int:
    sequences = [head.sequence for head in heads]
    backwards = sum(one >= other for one, other in pairwise(sequences))
    return len(report.problems) + (report.end.sequence < sequences[-1]) + backwards


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EINTR, -1])
def test_a_disk_that_fails_at_any_call_loses_nothing_acknowledged_and_no_edit_is_claimed(
    tmp_path: Path, faulty: Callable[[], Any], tell: Tell, error: int
) -> None:
    call, acknowledged, wrong = 0, 0, 0
    while True:
        call += 1
        folder, files = tmp_path / str(call), faulty()
        log = AuditLog(folder, Origin("boot"), files, file_bytes=1_500, keep_bytes=4_000)
        files.arm(call, error)
        told = []
        for number in range(12):
            for _ in range(2):
                try:
                    told.append(log.append([Note("press", number, {"n": number})], number))
                    break
                except StorageError:
                    continue
        failed = files.failed
        files.disarm()
        records: list[Record] = []
        report = verify_log(folder, told[-1], on_record=records.append)
        wrong += len(report.problems) + (len(told) != 12)
        there = {record.link() for record in records}
        wrong += sum(link not in there for link in told if link.sequence >= records[0].sequence)
        acknowledged += len(told)
        if not failed:
            break
    name = errno.errorcode.get(error, "short write")
    tell(f"audit: {name} at every call", call, acknowledged, wrong)
    assert wrong == 0
    assert call > 30
