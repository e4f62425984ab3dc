"""Checks of what happens when something dies, freezes, or delivers nothing any more."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from check_board import GUARD_DROP_MS, SHUTTER
from installed import SCENE_S, exit_code, lamp_shows_fault, open_for, wait_ready
from rig import (
    GATE,
    GUARD,
    MS,
    SLOW_POLL_S,
    Journal,
    is_ready,
    level,
    main_pid,
    measured,
    need,
    show,
    signal_to,
    wait_for,
    wait_level,
    when_level,
)

STALL = Path("/run/rig-stall")
CAMERA_CODE = 3
WATCHDOG_MS = 2200.0 + 500.0  # WatchdogSec and TimeoutAbortSec, and what emulation adds


def _restarts() -> int:
    return int(show(GATE, "NRestarts")["NRestarts"])


def killed_gate() -> str:
    """SIGKILL while the line is high: the guard's lease lapses."""
    drops, back = [], []
    for _ in range(2):
        open_for(0.5)
        before = main_pid(GATE)
        sent_ns = signal_to(GATE, signal.SIGKILL)
        drops.append((when_level(SHUTTER, False, 3) - sent_ns) / MS)
        wait_for("another process", lambda pid=before: main_pid(GATE) not in (0, pid), 30)
        back.append(wait_ready())
    words = measured("SIGKILL of the gate → line low", drops, GUARD_DROP_MS)
    return f"{words}; READY again {max(back):.0f} s after its next start"


def frozen_gate() -> str:
    """SIGSTOP while the line is high: the line falls at once. Let go in time it works on; else it is killed."""
    drops = []
    for last in (False, False, True):
        open_for(0.5)
        before = _restarts()
        pid = main_pid(GATE)
        sent_ns = signal_to(GATE, signal.SIGSTOP)
        drops.append((when_level(SHUTTER, False, 3) - sent_ns) / MS)
        if not last:
            signal_to(GATE, signal.SIGCONT)
    wait_for("the frozen process to be gone", lambda: not Path(f"/proc/{pid}").exists(), 30, SLOW_POLL_S)
    killed_ms = (time.monotonic_ns() - sent_ns) / MS
    need(not level(SHUTTER), "the line rose again")
    wait_for("a restart", lambda: _restarts() > before, 30)
    wait_ready()
    measured("SIGSTOP of the gate → killed by systemd", [killed_ms], WATCHDOG_MS)
    return measured("SIGSTOP of the gate → line low", drops, GUARD_DROP_MS)


def killed_guard() -> str:
    """SIGKILL of the guard: the kernel gives the line back to its pull-down; the gate finds the new guard."""
    open_for(0.5)
    sent_ns = signal_to(GUARD, signal.SIGKILL)
    drop = (when_level(SHUTTER, False, 3) - sent_ns) / MS
    wait_for("the guard again", lambda: is_ready(GUARD), 60)
    wait_level(SHUTTER, True, 3 * SCENE_S)
    need(is_ready(), "the gate went down with the guard")
    return measured("SIGKILL of the guard → line low", [drop], GUARD_DROP_MS)


def frozen_guard() -> str:
    """SIGSTOP of the guard: nobody lets go of the line until the watchdog has killed it."""
    open_for(0.5)
    sent_ns = signal_to(GUARD, signal.SIGSTOP)
    drop = (when_level(SHUTTER, False, 30) - sent_ns) / MS
    wait_for("the guard again", lambda: is_ready(GUARD), 60)
    wait_level(SHUTTER, True, 3 * SCENE_S)
    return measured("SIGSTOP of the guard → line low", [drop])


def camera_vanishes() -> str:
    """No frames for good: the service gives up after ten seconds, and the service manager starts it anew."""
    journal = Journal()
    STALL.touch()
    try:
        wait_for("the service to give up", lambda: exit_code() == CAMERA_CODE, 60)
        need(not level(SHUTTER), "the line is high")
    finally:
        STALL.unlink()
    wait_ready()
    wait_level(SHUTTER, True, 4 * SCENE_S)
    return f"exit code 3: {journal.wait('delivers no frames', 5).message}; started anew when there are frames again"


def camera_stalls() -> str:
    """No frames: closed by the age of evidence, told by lamp and journal; frames again: open again."""
    open_for(0.5)
    journal = Journal()
    STALL.touch()
    try:
        stalled_ns = time.monotonic_ns()
        drop = (when_level(SHUTTER, False, 5) - stalled_ns) / MS
        fault = journal.wait("no frames", 15)
        lamp_shows_fault()
    finally:
        STALL.unlink()
    wait_level(SHUTTER, True, 4 * SCENE_S)
    measured("camera stalls → line low", [drop], 1000.0)
    return fault.message
