"""Checks of what happens when something dies, freezes, or is not there."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from check_board import CAPTURE, GUARD_DROP_MS, RED, SHUTTER
from check_gate import CAPTURES, CONFIG, SCENE_S, TOML, configure, wait_ready
from rig import (
    GATE,
    GUARD,
    MS,
    Journal,
    is_ready,
    level,
    main_pid,
    measured,
    need,
    press,
    release,
    run,
    show,
    signal_to,
    status,
    wait_for,
    wait_level,
    when_level,
)

STALL = Path("/run/rig-stall")
WATCHDOG_MS = 2200.0 + 500.0  # WatchdogSec and TimeoutAbortSec, and what emulation adds


def _restarts() -> int:
    return int(show(GATE, "NRestarts")["NRestarts"])


def _open_for(seconds: float) -> None:
    """Return while the line is high and has been so for `seconds`."""

    def steady() -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not level(SHUTTER):
                return False
            time.sleep(0.02)
        return True

    wait_for("the gate to be open", steady, 3 * SCENE_S)


def killed_gate() -> str:
    """SIGKILL while the line is high: the guard's lease lapses."""
    drops, back = [], []
    for _ in range(3):
        _open_for(0.5)
        before = main_pid(GATE)
        sent_ns = signal_to(GATE, signal.SIGKILL)
        drops.append((when_level(SHUTTER, False, 3) - sent_ns) / MS)
        wait_for("another process", lambda pid=before: main_pid(GATE) not in (0, pid), 30)
        back.append(wait_ready())
    words = measured("SIGKILL of the gate → line low", drops, GUARD_DROP_MS)
    return f"{words}; READY again {max(back):.0f} s after its next start"


def frozen_gate() -> str:
    """SIGSTOP while the line is high: the line falls at once, then the watchdog kills and restarts."""
    drops, kills = [], []
    for _ in range(2):
        _open_for(0.5)
        before = _restarts()
        pid = main_pid(GATE)
        sent_ns = signal_to(GATE, signal.SIGSTOP)
        drops.append((when_level(SHUTTER, False, 3) - sent_ns) / MS)
        wait_for("the frozen process to be gone", lambda pid=pid: not Path(f"/proc/{pid}").exists(), 30, 0.02)
        kills.append((time.monotonic_ns() - sent_ns) / MS)
        need(not level(SHUTTER), "the line rose again")
        wait_for("a restart", lambda before=before: _restarts() > before, 30)
        wait_ready()
    measured("SIGSTOP of the gate → killed by systemd", kills)
    return measured("SIGSTOP of the gate → line low", drops, GUARD_DROP_MS)


def killed_guard() -> str:
    """SIGKILL of the guard: the kernel gives the line back to its pull-down; the gate finds the new guard."""
    _open_for(0.5)
    sent_ns = signal_to(GUARD, signal.SIGKILL)
    drop = (when_level(SHUTTER, False, 3) - sent_ns) / MS
    wait_for("the guard again", lambda: is_ready(GUARD), 60)
    wait_level(SHUTTER, True, 3 * SCENE_S)
    need(is_ready(), "the gate went down with the guard")
    return measured("SIGKILL of the guard → line low", [drop], GUARD_DROP_MS)


def frozen_guard() -> str:
    """SIGSTOP of the guard: nobody lets go of the line until the watchdog has killed it."""
    _open_for(0.5)
    sent_ns = signal_to(GUARD, signal.SIGSTOP)
    drop = (when_level(SHUTTER, False, 30) - sent_ns) / MS
    wait_for("the guard again", lambda: is_ready(GUARD), 60)
    wait_level(SHUTTER, True, 3 * SCENE_S)
    return measured("SIGSTOP of the guard → line low", [drop])


def camera_stalls() -> str:
    """No frames: closed by the age of evidence, told by lamp and journal; frames again: open again."""
    _open_for(0.5)
    journal = Journal()
    STALL.touch()
    try:
        stalled_ns = time.monotonic_ns()
        drop = (when_level(SHUTTER, False, 5) - stalled_ns) / MS
        fault = journal.wait("no frames", 15)
        wait_for("the lamp's double flash", lambda: level(RED), 5, 0.01)
    finally:
        STALL.unlink()
    wait_level(SHUTTER, True, 4 * SCENE_S)
    measured("camera stalls → line low", [drop], 1000.0)
    return fault.message


def chip_vanishes() -> str:
    """The GPIO chip goes away under the service, and comes back."""
    live = Path("/sys/kernel/config/gpio-sim/pi/live")
    journal = Journal()
    live.write_text("0")
    try:
        said = journal.wait("GPIO", 20)
    finally:
        live.write_text("1")
        device, chip = ((live.parent / name).read_text().strip() for name in ("dev_name", "bank0/chip_name"))
        Path("/run/rig-chip").write_text(chip)  # its number may be another, as rig.sh said it
        Path("/run/rig-gpio").write_text(f"/sys/devices/platform/{device}/{chip}")
    configure()
    run("systemctl", "reset-failed", GATE, GUARD, check=False)
    run("systemctl", "restart", "--no-block", GUARD, GATE)
    wait_ready()
    return said.message


@contextlib.contextmanager
def _broken(text: str = TOML) -> Iterator[Journal]:
    """The service started with another configuration; afterwards it works again."""
    run("systemctl", "stop", GATE)
    journal = Journal()
    CONFIG.write_text(text)
    run("systemctl", "start", "--no-block", GATE)
    try:
        yield journal
    finally:
        CONFIG.write_text(TOML)
        run("systemctl", "reset-failed", GATE, check=False)
        run("systemctl", "restart", "--no-block", GATE)
        wait_ready()


def _refuses(text: str, part: str) -> str:
    """The service says `part` and ends, without a traceback; its exit code."""
    with _broken(text) as journal:
        said = journal.wait(part, 60)
        wait_for("its end", lambda: not is_ready() and show(GATE, "ExecMainCode")["ExecMainCode"] != "0", 30)
        code = show(GATE, "ExecMainStatus")["ExecMainStatus"]
        need(not level(SHUTTER), "the line is high")
        need(not any("Traceback" in entry.message for entry in journal.entries()), "a traceback")
    return f"exit code {code}: {said.message[:160]}"


def camera_absent() -> str:
    return _refuses(TOML.replace('name = "scene"', 'name = "nobody"'), "no such camera")


def model_missing() -> str:
    return _refuses(TOML + '\n[model]\nmanifest = "/nowhere/focus-s.json"\n', "/nowhere/focus-s.json")


def wrong_config() -> str:
    """Exit code 2, and no second try: trying again would not mend it."""
    said = _refuses(TOML.replace("fps = 8.0", "fps = 800.0"), "fps")
    need("exit code 2:" in said, said)
    return said


def chip_forbidden() -> str:
    """No permission for the GPIO chip."""
    chip = Path("/dev") / Path("/run/rig-chip").read_text().strip()
    mode = chip.stat().st_mode
    chip.chmod(0o600)
    try:
        return _refuses(TOML, "permission")
    finally:
        chip.chmod(mode)


def servo_silent() -> str:
    """No servo driver at the address: told, and the gate works on without it."""
    with _broken(TOML.replace("bus = 0", "bus = 0\naddress = 0x41")) as journal:
        said = journal.wait("aperture", 60)
        wait_ready()
        wait_level(SHUTTER, True, 3 * SCENE_S)
    return said.message[:160]


def disk_full() -> str:
    """A press on a full disk is refused, nothing torn is left behind, and the gate lives on."""
    run("systemctl", "stop", GATE)
    run("mount", "-t", "tmpfs", "-o", "size=600k,mode=0700,uid=focusgate,gid=focusgate", "tmpfs", str(CAPTURES))
    try:
        run("dd", "if=/dev/zero", f"of={CAPTURES}/filler", "bs=1k", "count=590", check=False)
        journal = Journal()
        run("systemctl", "start", "--no-block", GATE)
        wait_ready()
        _open_for(0.3)
        press(CAPTURE)
        time.sleep(0.2)
        release(CAPTURE)
        said = journal.wait("disk", 20)
        need(status()["saved"] == 0, "saved on a full disk")
        left = sorted(path.name for path in CAPTURES.rglob("*.jpg"))
        need(not left, f"left behind: {left}")
    finally:
        run("systemctl", "stop", GATE)
        run("umount", str(CAPTURES))
        run("systemctl", "start", "--no-block", GATE)
        wait_ready()
    return said.message[:160]
