"""All checks of the virtual board, started by its systemd. Three boots: the second after a crash of the kernel, the
third after a service that failed too often; then the board switches itself off."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import check_board
import check_faults
import check_gate
import check_plugs
import installed
from check_board import SHUTTER
from rig import GATE, CheckError, chosen, is_ready, level, need, perform, run, tell

JOURNAL = Path("/dev/virtio-ports/journal")
PHASE = Path("/var/lib/rig-phase")
RUNTIME_DROP_IN = Path("/run/systemd/system/focusgate.service.d/rig-fails.conf")  # gone after a reboot
REBOOT_S = 180
AFTER_CRASH = "works after the crash"


def first_boot() -> None:
    """Everything that one life of the board shows."""
    perform("boots", check_board.boots, 300, always=True)
    perform("GPIO chip with 54 lines", check_board.has_54_lines, 10)
    perform("I²C bus", check_board.i2c_answers, 10)
    with_release_on_trial()
    perform("installs as a user would", check_gate.installs, 300, always=True)
    perform("guard runs", check_gate.guard_runs, 10)
    perform("units are sound", check_gate.units_are_sound, 60)
    perform("scene opens and closes the gate", check_gate.scene_opens_and_closes, 200)
    perform("press while open is saved", check_gate.press_while_open, 120)
    perform("press while closed is refused", check_gate.press_while_closed, 200)
    perform("override is saved as such", check_gate.override_saves, 120)
    perform("aperture button reaches the servo", check_gate.servo_moves, 60)
    perform("gate killed", check_faults.killed_gate, 200)
    perform("gate frozen, watchdog", check_faults.frozen_gate, 200)
    perform("guard killed", check_faults.killed_guard, 100)
    perform("guard frozen", check_faults.frozen_guard, 100)
    perform("camera stalls", check_faults.camera_stalls, 100)
    perform("camera vanishes", check_faults.camera_vanishes, 150)
    pull_every_plug()
    perform("installs again", check_gate.installs_again, 300)
    perform("doctor", check_gate.doctor_speaks, 120)
    perform("journal", check_gate.journal_is_clean, 30)


def pull_every_plug() -> None:
    """What ends the service leaves it ended; the next check starts it with a configuration of its own."""
    perform("camera absent at start", check_plugs.camera_absent, 100)
    perform("configuration wrong", check_plugs.wrong_config, 100)
    perform("GPIO chip forbidden", check_plugs.chip_forbidden, 100)
    perform("model missing", check_plugs.model_missing, 150)
    perform("card read-only", check_plugs.store_read_only, 150)
    perform("disk full", check_plugs.disk_full, 150)
    perform("servo silent", check_plugs.servo_silent, 150)
    perform("GPIO chip vanishes", check_plugs.chip_vanishes, 200)
    installed.configure()  # every plug in again


def with_release_on_trial() -> None:
    """The drivers one by one, before anything is installed."""
    release = next(Path("/opt/focusgate/releases").iterdir())
    venv = Path("/opt/focusgate/venv")
    venv.symlink_to(release)
    chip = Path("/run/rig-chip").read_text().strip().removeprefix("gpiochip")
    os.environ |= {"RPI_LGPIO_CHIP": chip, "RPI_LGPIO_REVISION": "c03115", "LG_WD": "/run"}
    check_board.versions()
    perform("button's edge reaches RPi.GPIO", check_board.edges_reach_rpi_gpio, 120)
    perform("guard alone drops the line", check_board.guard_alone, 180)
    perform("camera at full size", check_board.camera_at_full_size, 180)
    check_board.unplug_full_camera()
    venv.unlink()


def is_back() -> str:
    """After a reboot nobody had to do anything: the service is READY, the line works, the captures are whole."""
    seconds = installed.wait_ready(240)
    run("runuser", "-u", "focusgate", "--", "focusgate", "captures", "verify", "--store", str(installed.CAPTURES))
    return f"READY {seconds:.0f} s later, captures whole"


def crash() -> None:
    """The kernel stops in the middle of everything; only the hardware watchdog can help."""
    watchdog = Path("/sys/class/watchdog/watchdog0")
    tell("note", watchdog=(watchdog / "identity").read_text().strip(), state=(watchdog / "state").read_text().strip())
    os.sync()
    Path("/proc/sys/kernel/panic").write_text("0")
    Path("/proc/sys/kernel/sysrq").write_text("1")
    Path("/proc/sysrq-trigger").write_text("c")


def reboots_after_repeated_failure() -> str:
    """A service that cannot be started: the start limit, lowered here from 400 to 3, ends in a reboot."""
    RUNTIME_DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    lines = "[Unit]", "StartLimitBurst=3", "[Service]", "ExecStart=", "ExecStart=/bin/false", "RestartSec=1s"
    RUNTIME_DROP_IN.write_text("\n".join(lines) + "\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "--no-block", GATE)
    time.sleep(REBOOT_S)
    raise CheckError(f"no reboot within {REBOOT_S} s")


def tell_journal() -> None:
    with contextlib.suppress(OSError, CheckError), JOURNAL.open("w", encoding="utf-8") as port:
        port.write(run("journalctl", "-b", "-o", "short-monotonic", "--no-hostname", "--quiet", check=False))


def power_off() -> None:
    tell_journal()
    tell("end")
    subprocess.run(["systemctl", "poweroff"], check=False)


def main() -> int:
    boot = int(PHASE.read_text()) if PHASE.exists() else 1
    PHASE.write_text(f"{boot + 1}")
    if boot == 1:
        try:
            first_boot()
        finally:
            tell_journal()
        if chosen(AFTER_CRASH):
            crash()
        else:
            power_off()
    elif boot == 2:
        perform("hung system is reset by the watchdog", _rebooted, 10)
        perform(AFTER_CRASH, is_back, 300)
        tell_journal()
        perform("reboots after repeated failure", reboots_after_repeated_failure, REBOOT_S + 10)
        power_off()
    else:
        perform("reboots after repeated failure", _rebooted, 10)
        perform("works after the reboot", is_back, 300)
        power_off()
    return 0


def _rebooted() -> str:
    need(not level(SHUTTER) or is_ready(), "the line is high before the service is READY")
    return f"up for {float(Path('/proc/uptime').read_text().split()[0]):.0f} s"


if __name__ == "__main__":
    sys.exit(main())
