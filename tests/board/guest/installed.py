"""The installed device: its configuration, and how the checks bring it into a state and see in which it is."""

from __future__ import annotations

import time
from pathlib import Path

from check_board import BLUE, GREEN, RED, SHUTTER
from rig import GATE, Journal, is_ready, level, need, run, show, wait_for

CONFIG, BOARD_ENV = Path("/etc/focusgate/focusgate.toml"), Path("/etc/focusgate/board.env")
CAPTURES = Path("/var/lib/focusgate/captures")
APERTURE_OPEN, APERTURE_CLOSE, SERVO_ENABLE = 16, 20, 17
SCENE_S = 20.0  # in focus and out of it take 5 s each; emulation may be slow
POSITIONS_US = [1100.0, 1300.0, 1600.0, 1900.0]
TOML = f"""
[camera]
kind = "picamera2"
name = "scene"
layout = "NV12"
fps = 8.0

[pins]
kind = "rpi"
shutter = {SHUTTER}
aperture_open = {APERTURE_OPEN}
aperture_close = {APERTURE_CLOSE}

[aperture]
kind = "servo"
bus = 0
enable = {SERVO_ENABLE}
f_numbers = [4.0, 5.6, 8.0, 11.0]
positions = {POSITIONS_US}

[store]
folder = "{CAPTURES}"
"""
FAULT_S = 3.0  # two periods of the lamp's double flash
MOSTLY = 0.5
NOT_RUN = "0"  # systemd's word for a process that has not ended yet


def configure(text: str = TOML) -> None:
    """What a person edits on a board: the configuration; and what only this board needs: its GPIO chip, more time."""
    drop_in = Path("/etc/systemd/system/focusgate.service.d/rig.conf")  # emulation starts some ten times slower
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Service]\nTimeoutStartSec=200s\n")
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(text)
    chip = Path("/run/rig-chip").read_text().strip().removeprefix("gpiochip")
    BOARD_ENV.write_text(f"FOCUSGATE_SHUTTER_PIN={SHUTTER}\nRPI_LGPIO_CHIP={chip}\nRPI_LGPIO_REVISION=c03115\n")


def wait_ready(timeout_s: float = 90) -> float:
    """Seconds until the service is READY (again)."""
    began_s = time.monotonic()
    wait_for("the service to be READY", is_ready, timeout_s)
    return time.monotonic() - began_s


def open_for(seconds: float) -> None:
    """Return while the line is high and has been so for `seconds`."""

    def steady() -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not level(SHUTTER):
                return False
            time.sleep(0.02)
        return True

    wait_for("the gate to be open", steady, 3 * SCENE_S)


def start_with(text: str) -> Journal:
    """The service started with another configuration, whether that goes well or not; its journal from then on."""
    run("systemctl", "stop", GATE)
    run("systemctl", "reset-failed", GATE, check=False)
    journal = Journal()
    CONFIG.write_text(text)
    run("systemctl", "start", "--no-block", GATE)
    return journal


def mended() -> str:
    """What the checks broke is as it was: the service works again."""
    start_with(TOML)
    seconds = wait_ready()
    open_for(0.3)
    return f"READY after {seconds:.0f} s, and the gate opens"


def exit_code() -> int | None:
    """Of the last process that ended; None while one runs that has not ended."""
    found = show(GATE, "ExecMainCode", "ExecMainStatus")
    return None if found["ExecMainCode"] == NOT_RUN else int(found["ExecMainStatus"])


def ends_with(code: int, timeout_s: float = 60) -> None:
    """The service's process ends with this code, the line low, the lamp dark."""
    wait_for("the service's end", lambda: exit_code() is not None, timeout_s)
    need(exit_code() == code, f"exit code {exit_code()}, due {code}")
    need(not level(SHUTTER), "the line is high")
    need(not any(level(line) for line in (RED, GREEN, BLUE)), "the lamp is lit")


def lamp(seconds: float) -> tuple[set[str], float]:
    """The colours seen, and the share of the time that it was lit."""
    words = ((RED, "red"), (GREEN, "green"), (BLUE, "blue"))
    seen = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        seen.append("+".join(word for line, word in words if level(line)))
        time.sleep(0.01)
    return set(seen) - {""}, sum(map(bool, seen)) / len(seen)


def lamp_shows_fault() -> None:
    """The double flash: red and mostly dark, where "closed" is red and mostly lit."""
    colours, lit = lamp(FAULT_S)
    need(colours == {"red"} and 0.0 < lit < MOSTLY, f"lamp {sorted(colours)}, lit for {100 * lit:.0f} % of the time")


def no_traceback(journal: Journal) -> None:
    need(not any("Traceback" in entry.message for entry in journal.entries()), "a traceback in the journal")
