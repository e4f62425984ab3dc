"""Every plug pulled: each ends in the state that docs/board.md names, with its line and its exit code."""

from __future__ import annotations

import os
from pathlib import Path

from check_board import CAPTURE, SHUTTER
from installed import (
    CAPTURES,
    SCENE_S,
    TOML,
    configure,
    ends_with,
    exit_code,
    lamp_shows_fault,
    no_traceback,
    open_for,
    start_with,
    wait_ready,
)
from rig import GATE, Entry, Journal, is_ready, level, need, press, release, run, show, status, wait_for

CONFIG_CODE, CAMERA_CODE, HARDWARE_CODE = 2, 3, 6  # models/errors.py, and the README
LONGEST_START_S = 60.0
TOLD = 160  # characters of a line that are shown
DISK_MB, FILLER_MB = 300, 150  # device/store/space.py reserves 200 MB


def _refuses(text: str, part: str, code: int) -> str:
    """The service says `part` and ends with this code, without a traceback."""
    journal = start_with(text)
    said = journal.wait(part, LONGEST_START_S)
    ends_with(code)
    no_traceback(journal)
    return f"exit code {code}: {said.message[:TOLD]}"


def _works_closed(journal: Journal, part: str) -> Entry:
    """The service is READY and says `part`; line low and lamp at "fault"."""
    said = journal.wait(part, LONGEST_START_S)
    wait_ready()
    lamp_shows_fault()
    need(not level(SHUTTER), "the line is high")
    no_traceback(journal)
    return said


def camera_absent() -> str:
    """Tried for some seconds, with the lamp at "fault"; then the service ends."""
    journal = start_with(TOML.replace('name = "scene"', 'name = "nobody"'))
    journal.wait("no such camera", LONGEST_START_S)
    lamp_shows_fault()
    said = journal.wait("FG-103", LONGEST_START_S)
    ends_with(CAMERA_CODE)
    no_traceback(journal)
    return f"exit code {CAMERA_CODE}: {said.message[:TOLD]}"


def wrong_config() -> str:
    """No second try: trying again would not mend it."""
    said = _refuses(TOML.replace("fps = 8.0", "fps = 800.0"), "fps", CONFIG_CODE)
    wait_for("systemd to give up", lambda: show(GATE, "ActiveState")["ActiveState"] == "failed", 10)
    return said


def chip_forbidden() -> str:
    """No permission for the GPIO chip."""
    chip = Path("/dev") / Path("/run/rig-chip").read_text().strip()
    mode = chip.stat().st_mode
    chip.chmod(0o600)
    try:
        return _refuses(TOML, "FG-401", HARDWARE_CODE)
    finally:
        chip.chmod(mode)


def model_missing() -> str:
    """READY all the same, for an override can be saved; the gate stays closed."""
    text = TOML + '\n[model]\nmanifest = "/nowhere/focus-s.json"\n'
    return _works_closed(start_with(text), "/nowhere/focus-s.json").message[:TOLD]


def servo_silent() -> str:
    """No servo driver at the address: told, and the gate works on without it."""
    journal = start_with(TOML.replace("bus = 0", "bus = 0\naddress = 0x41"))
    said = journal.wait("aperture", LONGEST_START_S)
    wait_ready()
    open_for(0.3)
    no_traceback(journal)
    return said.message[:TOLD]


def disk_full() -> str:
    """Closed by a fault, a press refused and nothing torn left behind; open again as soon as there is room."""
    options = f"size={DISK_MB}m,mode=0700,uid=focusgate,gid=focusgate"
    run("systemctl", "stop", GATE)
    run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(CAPTURES))
    try:
        filler = CAPTURES / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FILLER_MB * 1_000_000)
        journal = start_with(TOML)
        said = _works_closed(journal, "the disk is full")
        press(CAPTURE)
        journal.wait("refused", 10)
        release(CAPTURE)
        need(status()["saved"] == 0, "saved on a full disk")
        left = sorted(path.name for path in CAPTURES.rglob("*.jpg"))
        need(not left, f"left behind: {left}")
        filler.unlink()
        open_for(0.3)
    finally:
        run("systemctl", "stop", GATE)
        run("umount", str(CAPTURES))
    return f"{said.message[:TOLD]}; open again when there was room"


def store_read_only() -> str:
    """A card that is read-only from the start."""
    run("systemctl", "stop", GATE)
    run("mount", "--bind", str(CAPTURES), str(CAPTURES))
    run("mount", "-o", "remount,bind,ro", str(CAPTURES))
    try:
        return _works_closed(start_with(TOML), str(CAPTURES)).message[:TOLD]
    finally:
        run("systemctl", "stop", GATE)
        run("umount", str(CAPTURES))


def chip_vanishes() -> str:
    """The GPIO chip goes away under the service, and comes back; installing again, the next check, mends the rest."""
    live = Path("/sys/kernel/config/gpio-sim/pi/live")
    journal = start_with(TOML)
    wait_ready()
    live.write_text("0")
    try:
        said = journal.wait("GPIO", SCENE_S)
        wait_for("the service's end", lambda: not is_ready() and exit_code() == HARDWARE_CODE, SCENE_S)
        no_traceback(journal)
    finally:
        live.write_text("1")
        device, chip = ((live.parent / name).read_text().strip() for name in ("dev_name", "bank0/chip_name"))
        Path("/run/rig-chip").write_text(chip)  # its number may be another, as rig.sh said it
        Path("/run/rig-gpio").write_text(f"/sys/devices/platform/{device}/{chip}")
    configure()
    return f"exit code {HARDWARE_CODE}: {said.message[:TOLD]}"
