"""What the checks need of the virtual board: its lines, its services, its journal, and a way to tell the results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar

GATE, GUARD = "focusgate.service", "focusgate-guard.service"
RESULTS = Path("/dev/virtio-ports/results")
STATUS = Path("/run/focusgate/status.json")
POLL_S, SLOW_POLL_S = 0.0005, 0.02  # where a time is measured, and where not
MS = 1e6  # ns
LINES_TOLD = 40  # of the journal, after a check that failed


class CheckError(Exception):
    """What was found instead of what was due."""


def need(found: object, message: str) -> None:
    """Raises CheckError with `message` unless `found` is true."""
    if not found:
        raise CheckError(message)


def run(*command: str, timeout_s: float = 120.0, check: bool = True) -> str:
    """Output (both streams) of a command. Raises CheckError with its last line if it fails, if `check`."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False
    )
    if check and done.returncode != 0:
        sys.stderr.write(done.stdout)  # whole, in the journal
        lines = done.stdout.strip().splitlines() or ["no output"]
        raise CheckError(f"{' '.join(command)[:60]}: exit code {done.returncode}: {lines[-1][:200]}")
    return done.stdout


def uptime_s() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def tell(kind: str, **values: object) -> None:
    """One JSON object a line to the host."""
    with RESULTS.open("a", encoding="utf-8") as port:
        port.write(json.dumps({"kind": kind, "up_s": uptime_s(), **values}, ensure_ascii=False) + "\n")


def measured(name: str, values_ms: list[float], bound_ms: float | None = None) -> str:
    """Tell a latency to the table; returns it in words. Raises CheckError if the largest is above `bound_ms`."""
    tell("latency", name=name, values_ms=[round(value, 2) for value in values_ms], bound_ms=bound_ms)
    ordered = sorted(values_ms)
    words = f"median {ordered[len(ordered) // 2]:.1f} ms, largest {ordered[-1]:.1f} ms of {len(ordered)}"
    need(bound_ms is None or ordered[-1] <= bound_ms, f"{words}, allowed {bound_ms} ms")
    return words


def wait_for(what: str, found: Callable[[], Any], timeout_s: float, poll_s: float = 0.2) -> Any:
    """The first true value of `found`. Raises CheckError naming `what` after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        value = found()
        if value:
            return value
        need(time.monotonic() < end, f"waited {timeout_s:g} s for {what}")
        time.sleep(poll_s)


# Lines of the simulated chip, seen from outside: what a finger and a meter would do and see.


def _line(bcm: int, name: str) -> Path:
    return Path(Path("/run/rig-gpio").read_text().strip()) / f"sim_gpio{bcm}" / name


def press(bcm: int) -> int:
    """Pull a button's line to ground; returns when, monotonic ns."""
    pulled_ns = time.monotonic_ns()
    _line(bcm, "pull").write_text("pull-down")
    return pulled_ns


def release(bcm: int) -> None:
    _line(bcm, "pull").write_text("pull-up")


def level(bcm: int) -> bool:
    return _line(bcm, "value").read_text().strip() == "1"


def when_level(bcm: int, high: bool, timeout_s: float, poll_s: float = POLL_S) -> int:
    """When (monotonic ns) the line was first seen at this level."""
    word = "high" if high else "low"
    wait_for(f"line {bcm} to be {word}", lambda: level(bcm) is high, timeout_s, poll_s)
    return time.monotonic_ns()


def wait_level(bcm: int, high: bool, timeout_s: float) -> None:
    """Wait for this level without keeping the one processor busy."""
    when_level(bcm, high, timeout_s, SLOW_POLL_S)


# Services and their journal.


def show(unit: str, *properties: str) -> dict[str, str]:
    text = run("systemctl", "show", "-p", ",".join(properties), unit)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def main_pid(unit: str) -> int:
    return int(show(unit, "MainPID")["MainPID"])


def is_ready(unit: str = GATE) -> bool:
    return show(unit, "ActiveState")["ActiveState"] == "active"


def signal_to(unit: str, number: signal.Signals) -> int:
    """Send a signal to the service's process; returns when, monotonic ns."""
    pid = main_pid(unit)
    need(pid > 0, f"{unit} does not run")
    sent_ns = time.monotonic_ns()
    os.kill(pid, number)
    return sent_ns


def status() -> dict[str, Any]:
    """What the service says of itself; empty while it says nothing."""
    try:
        record: dict[str, Any] = json.loads(STATUS.read_text())
    except (OSError, ValueError):
        return {}
    return record


@dataclass(frozen=True)
class Entry:
    at_ns: int  # monotonic: when the line was written
    message: str


class Journal:
    """The journal of one unit from now on, followed by one process: asking anew each time keeps the board busy."""

    _followers: ClassVar[list[subprocess.Popen[str]]] = []

    def __init__(self, unit: str = GATE) -> None:
        run("journalctl", "--sync")
        shown = run("journalctl", "-n", "1", "--show-cursor", "-o", "cat", "--quiet").splitlines()
        cursor = next(line.removeprefix("-- cursor: ") for line in shown if line.startswith("-- cursor: "))
        command = "journalctl", "-f", "-u", unit, "-o", "json", "--quiet", "--no-tail", f"--after-cursor={cursor}"
        self._entries: list[Entry] = []
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._followers.append(follower)
        threading.Thread(target=self._follow, args=(follower.stdout,), daemon=True).start()

    def _follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            record = json.loads(line)
            if isinstance(record.get("MESSAGE"), str):
                at_us = int(record.get("_SOURCE_MONOTONIC_TIMESTAMP", record["__MONOTONIC_TIMESTAMP"]))
                self._entries.append(Entry(at_us * 1000, record["MESSAGE"]))

    def entries(self) -> list[Entry]:
        """What was written until now, as far as it was read."""
        return list(self._entries)

    def wait(self, part: str, timeout_s: float) -> Entry:
        """The first line that holds `part`."""
        found: Entry = wait_for(
            f"'{part}' in the journal",
            lambda: next((e for e in self.entries() if part in e.message), None),
            timeout_s,
            SLOW_POLL_S,
        )
        return found

    @classmethod
    def end_all(cls) -> None:
        while cls._followers:
            cls._followers.pop().kill()


# Checks run one after the other, each bounded in time.

Check = Callable[[], str]


def wanted() -> str:
    """What ONLY said on the host, by the kernel's command line."""
    words = Path("/proc/cmdline").read_text().split()
    return next(
        (word.removeprefix("rig.only=").replace("_", " ") for word in words if word.startswith("rig.only=")), ""
    )


def chosen(name: str) -> bool:
    """ONLY on the host picks checks by parts of their names, with commas between."""
    return any(fnmatch(name, f"*{part}*") for part in wanted().split(","))


def _alarm(_number: int, _frame: object) -> None:
    raise CheckError("took too long")


def perform(name: str, check: Check, limit_s: int, *, always: bool = False) -> bool:
    """Run one check, if it is chosen, and tell its result; it returns its detail or raises. `always`: what others
    stand on."""
    if not always and not chosen(name):
        return True
    began = time.monotonic()
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(limit_s)
    try:
        detail, passed = check(), True
    except (CheckError, OSError, ValueError, KeyError, LookupError, StopIteration, subprocess.SubprocessError) as error:
        detail, passed = f"{type(error).__name__}: {error}", False
        if isinstance(error, CheckError):
            detail = str(error)
    finally:
        signal.alarm(0)
        Journal.end_all()
    if not passed:
        said = run(
            "journalctl", "-b", "-u", GATE, "-u", GUARD, "-n", str(LINES_TOLD), "-o", "short-monotonic", "--quiet"
        )
        tell("note", after=name, journal=said.splitlines())
    tell("check", name=name, passed=passed, detail=detail, seconds=round(time.monotonic() - began, 1))
    return passed
