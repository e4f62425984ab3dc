"""File systems that record every call, and fail at the one they are told to; and what is true of a store after a crash.

FAULTS=full makes each of these tests as large as it can be (`make faults`), and a table says what was tried. With
FAULTS_OUT the rows of the table are also written there, and how far a long test has come is written beside it.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from device.store.catalogue import Listing, parts, read_listing, verify
from device.store.files import PosixFiles
from device.store.jpeg import encode
from device.store.records import CaptureRecord, new_capture_id
from device.store.writer import Store

Made = tuple[bytes, CaptureRecord]
SHORT = -1  # no error number: a write that takes fewer bytes than it was given


@dataclass
class FaultyFiles(PosixFiles):
    """Passes every call on and notes it; the call number `at` (from 1), or every one from it, fails with `error`."""

    at: int = 0
    error: int = errno.EIO
    for_ever: bool = False
    after: bool = False  # the call takes effect, and then says that it failed
    calls: list[tuple[str, str]] = field(default_factory=list)
    failed: int = 0
    names: dict[int, str] = field(default_factory=dict)

    def _count(self, name: str, target: int | Path, *, late: bool = False) -> None:
        if not late:
            self.calls.append((name, self.names.get(target, "?") if isinstance(target, int) else str(target)))
        number = len(self.calls)
        if self.error == SHORT or late is not self.after:
            return
        if self.at and (number == self.at or (self.for_ever and number > self.at)):
            self.failed += 1
            raise OSError(self.error, os.strerror(self.error))

    def open_new(self, path: Path) -> int:
        self._count("open_new", path)
        fd = super().open_new(path)
        self.names[fd] = str(path)
        return fd

    def open_folder(self, path: Path) -> int:
        self._count("open_folder", path)
        fd = super().open_folder(path)
        self.names[fd] = str(path)
        return fd

    def chmod(self, target: int | Path, mode: int) -> None:
        self._count("chmod", target)
        super().chmod(target, mode)
        self._count("chmod", target, late=True)

    def write(self, fd: int, data: memoryview) -> int:
        self._count("write", fd)
        if self.error == SHORT and len(self.calls) >= self.at:
            self.failed += 1
            return super().write(fd, data[: max(1, len(data) // 3)])
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._count("fsync", fd)
        super().fsync(fd)
        self._count("fsync", fd, late=True)

    def close(self, fd: int) -> None:
        super().close(fd)  # Linux lets go of the descriptor even when close reports an error
        self._count("close", fd)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename", target)
        super().rename(source, target)
        self._count("rename", target, late=True)

    def unlink(self, path: Path) -> None:
        self._count("unlink", path)
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self._count("mkdir", path)
        super().mkdir(path)
        self._count("mkdir", path, late=True)

    def free_bytes(self, path: Path) -> int:
        self._count("free_bytes", path)
        return super().free_bytes(path)

    def arm(self, at: int, error: int, *, for_ever: bool = False, after: bool = False) -> None:
        """Fail at the `at`-th call from now."""
        self.calls.clear()
        self.at, self.error, self.for_ever, self.after, self.failed = at, error, for_ever, after, 0

    def disarm(self) -> None:
        self.at = 0
        self.error = errno.EIO


FULL = os.environ.get("FAULTS") == "full"
OUT = os.environ.get("FAULTS_OUT")
ROWS: list[dict[str, object]] = []
BEGAN = datetime.now(UTC)
SHM = Path("/dev/shm")  # noqa: S108 - memory: what is proved is the order of calls, not the speed of a disk


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """In memory, where there is such a folder: thousands of stores are opened here."""
    if not os.access(SHM, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=SHM, prefix="focusgate-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def small_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of nothing has too many sectors to be torn in every way, thousands of times."""
    monkeypatch.setattr("device.store.deletion.BALLAST_BYTES", 1500)


@pytest.fixture
def full() -> bool:
    """Whether to try everything rather than a part of it."""
    return FULL


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A row of the table: what was done, how often, the figure found, the bound promised, and whether it holds."""

    def row(what: str, tried: int, figure: str, bound: str, *, met: bool) -> None:
        suite = request.path.stem.removeprefix("test_")
        ROWS.append({"suite": suite, "what": what, "tried": tried, "figure": figure, "bound": bound, "met": met})

    return row


@pytest.fixture
def tell(promise: Callable[..., None]) -> Callable[[str, int, int, int], None]:
    """A row of the table: what, how many tried, captures acknowledged, violations."""

    def row(what: str, tried: int, acknowledged: int, violations: int) -> None:
        promise(what, tried, f"{violations} violations, {acknowledged} acknowledged", "0", met=violations == 0)

    return row


@pytest.fixture
def so_far() -> Callable[[float], None]:
    """Say which share of a long test is done: for the progress bar of `make faults`."""

    def say(share: float) -> None:
        if OUT:
            Path(f"{OUT}.part").write_text(f"{share:.4f}", encoding="ascii")

    return say


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The rows and when they were made, for docs/risk/faults.md."""
    if OUT:
        ended = datetime.now(UTC)
        made = {
            "ended": ended.isoformat(timespec="seconds"),
            "seconds": round((ended - BEGAN).total_seconds()),
            "tests": session.testscollected,
            "passed": exitstatus == 0,
            "rows": ROWS,
        }
        Path(OUT).write_text(json.dumps(made, indent=1), encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of `make faults` and `make faults-short`."""
    if not (os.environ.get("FAULTS") and ROWS):
        return
    terminalreporter.write_line(f"{'what':<66}{'tried':>9}  {'figure':<44}{'bound':<24}")
    for row in ROWS:
        line = "{what:<66}{tried:>9}  {figure:<44}{bound:<24}".format(**row)
        terminalreporter.write_line(line + ("met" if row["met"] else "NOT MET"))


@pytest.fixture
def checked() -> Callable[[Path], Listing]:
    """Opens and repairs a store as after a crash: every listed capture is whole, and nothing partial is left."""

    def check(folder: Path) -> Listing:
        Store.open(folder).close()
        listing = read_listing(folder)
        assert parts(folder) == []
        assert listing.damaged == ()
        assert listing.missing == frozenset()
        assert verify(listing) == []
        return listing

    return check


@pytest.fixture
def listed(checked: Callable[[Path], Listing]) -> Callable[[Path], set[str]]:
    """The ids in a store, checked."""
    return lambda folder: {entry.capture_id for entry in checked(folder).entries}


@pytest.fixture
def faulty() -> Callable[[], FaultyFiles]:
    return FaultyFiles


@pytest.fixture
def captures() -> Iterator[Made]:
    """Encoded captures without end: overrides without evidence, the smallest that there are."""

    def make() -> Iterator[Made]:
        sequence = 0
        while True:
            sequence += 1
            record = CaptureRecord(
                capture_id=new_capture_id(),
                sequence=sequence,
                boot_id="boot",
                exposed_ns=2,
                press_ns=1,
                wall_time=datetime(2026, 1, 1, tzinfo=UTC),
                wall_synchronised=False,
                width=16,
                height=16,
                override=True,
                required_percent=90,
                verdict=None,
                reason=None,
                evidence=None,
                software="test",
            )
            yield encode(np.full((16, 16, 3), sequence % 256, np.uint8), record), record

    return make()
