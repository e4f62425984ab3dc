"""Checks of the installed device at work: a scene through the real camera stack, real edges, real levels."""

from __future__ import annotations

import json
import time

from check_board import BLUE, CAPTURE, GREEN, OVERRIDE, RED, SHUTTER
from installed import APERTURE_CLOSE, CAPTURES, CONFIG, POSITIONS_US, SCENE_S, SERVO_ENABLE, configure, open_for
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
    status,
    tell,
    wait_level,
)

EVIDENCE_MS = 300.0  # older evidence is none, so no gate state can be that late
MOVE_S = 1.5
PARTS = "camera", "camera memory", "gpio", "i2c", "watchdog", "model", "service", "exposure"
FULL_OFF = 0x1000  # PCA9685 data sheet, 7.3.3: bit 4 of OFF_H
PRE_SCALE = 121  # 25 MHz / (4096 × 50 Hz) - 1
TABLE_COUNTS = {round(position_us * 50 * 4096 / 1e6) for position_us in POSITIONS_US}


def installs() -> str:
    """The installer as a user runs it, on a release that is built already; the service must reach READY."""
    configure()
    began_s = time.monotonic()
    said = run("/src/systemd/install.sh", "--no-packages", timeout_s=240).strip().splitlines()
    need(is_ready(), f"the service is not READY: {said[-1]}")
    found = show(GATE, "Type", "StatusText", "WatchdogUSec")
    need(found["Type"] == "notify" and found["WatchdogUSec"] == "2s", str(found))
    return f"READY after {time.monotonic() - began_s:.0f} s; status '{found['StatusText']}'"


def installs_again() -> str:
    """A second run mends what is broken and changes nothing that is the user's."""
    before = CONFIG.read_text(), main_pid(GATE)
    run("/src/systemd/install.sh", "--no-packages", timeout_s=240)
    need(CONFIG.read_text() == before[0], "the configuration was changed")
    need(is_ready() and main_pid(GATE) != before[1], "the service was not started anew")
    open_for(0.3)
    return "configuration kept, service READY, the gate opens"


def guard_runs() -> str:
    found = show(GUARD, "ActiveState", "NRestarts", "Type")
    need(found["ActiveState"] == "active" and found["NRestarts"] == "0", str(found))
    return f"Type={found['Type']}"


def units_are_sound() -> str:
    """systemd itself finds nothing wrong with the units, and little exposed."""
    said = run("systemd-analyze", "verify", f"/etc/systemd/system/{GATE}", f"/etc/systemd/system/{GUARD}").strip()
    need(not said, said[:200])
    exposures = []
    for unit in (GATE, GUARD):
        overall = run("systemd-analyze", "security", "--no-pager", unit).strip().splitlines()[-1]
        exposures.append(float(overall.split(":")[1].split()[0]))
    need(max(exposures) <= 1.5, f"exposure {exposures}")
    return f"exposure {exposures[0]} and {exposures[1]}"


def scene_opens_and_closes() -> str:
    """Pictures in focus open the gate, pictures out of focus close it: levels of line and lamp from outside."""
    ages, judging, spans, told_ns = [], [], [], 0
    wait_level(SHUTTER, True, 2 * SCENE_S)
    for high in (True, False, True):
        began_ns = time.monotonic_ns()
        end_ns = began_ns + int(SCENE_S * 1e9)
        colours = set()
        while level(SHUTTER) is high and time.monotonic_ns() < end_ns:
            time.sleep(0.05)
            colours.add((level(RED), level(GREEN), level(BLUE)))
            record = status()
            if record.get("judged_fps") and record["written_ns"] != told_ns:  # it is written once a second
                told_ns = record["written_ns"]
                ages.append(record["age_ms"])
                judging.append(record["judge_ms"])
        spans.append((time.monotonic_ns() - began_ns) / 1e9)
        want = (False, True, False) if high else (True, False, False)
        need(want in colours, f"lamp with the line {'high' if high else 'low'}: {sorted(colours)}")
    need(all(1.0 < span < SCENE_S for span in spans), f"spans {[f'{span:.1f}' for span in spans]} s")
    measured("exposure → gate state (status file)", ages, EVIDENCE_MS)
    measured("classifier, 640×480, emulated", judging)
    return "open {:.1f} s, closed {:.1f} s, open {:.1f} s".format(*spans)


def _captures() -> list[dict[str, object]]:
    said = run("runuser", "-u", "focusgate", "--", "focusgate", "captures", "list", "--json", "--store", str(CAPTURES))
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def press_while_open() -> str:
    """A real edge leads to a capture on disk, whole and judged in focus."""
    before = {item["capture_id"] for item in _captures()} if CAPTURES.exists() else set()
    journal = Journal()
    _open_afresh()
    at_ns = press(CAPTURE)
    saved = journal.wait("saved", 20)
    release(CAPTURE)
    new = [item for item in _captures() if item["capture_id"] not in before]
    need(len(new) == 1, f"{len(new)} new captures")
    need(not new[0].get("override"), "it says override")
    verify = run("runuser", "-u", "focusgate", "--", "focusgate", "captures", "verify", "--store", str(CAPTURES))
    measured("edge → saved and synced (journal)", [(saved.at_ns - at_ns) / MS])
    return f"{saved.message}; verify: {verify.strip().splitlines()[-1]}"


def _open_afresh() -> None:
    """Return just after the gate has opened, with some seconds to go."""
    wait_level(SHUTTER, False, SCENE_S)
    wait_level(SHUTTER, True, SCENE_S)
    time.sleep(0.3)


def _closed_afresh() -> None:
    wait_level(SHUTTER, True, SCENE_S)
    wait_level(SHUTTER, False, SCENE_S)
    time.sleep(0.5)


def press_while_closed() -> str:
    """Refused, with the reason, and nothing saved; how long an edge takes to be answered."""
    before = status()["saved"]
    delays: list[float] = []
    journal = Journal()
    while len(delays) < 8:
        _closed_afresh()
        for _ in range(4):
            if level(SHUTTER):
                break
            at_ns = press(CAPTURE)
            refused = journal.wait("refused", 3)
            journal = Journal()
            release(CAPTURE)
            if not level(SHUTTER):
                delays.append((refused.at_ns - at_ns) / MS)
            time.sleep(0.4)  # one press in 250 ms counts
    need(status()["saved"] == before, "something was saved")
    return f"{refused.message}; {measured('edge → press answered (journal)', delays)}"


def override_saves() -> str:
    """Holding the override arms one capture: amber lamp, then a file that says what it is."""
    before = {item["capture_id"] for item in _captures()}
    journal = Journal()
    _closed_afresh()
    press(OVERRIDE)
    journal.wait("override armed", 6)
    release(OVERRIDE)
    colours = set()
    for _ in range(30):
        colours.add((level(RED), level(GREEN), level(BLUE)))
        time.sleep(0.02)
    press(CAPTURE)
    saved = journal.wait("saved", 20)
    release(CAPTURE)
    new = [item for item in _captures() if item["capture_id"] not in before]
    need(len(new) == 1 and "override" in json.dumps(new[0]), f"captures {new}")
    need((True, True, False) in colours and (False, False, False) in colours, f"lamp {sorted(colours)}")
    return saved.message


def servo_moves() -> str:
    """The aperture's buttons reach the PCA9685's registers: 50 pulses a second, and the pulse of the table."""
    journal = Journal()
    pulses, powered = set(), set()
    need(level(SERVO_ENABLE), "the servo driver's outputs are enabled at rest")
    press(APERTURE_CLOSE)
    end_s = time.monotonic() + MOVE_S
    while time.monotonic() < end_s:
        high, low = (int(run("i2cget", "-y", "0", "0x40", register).strip(), 16) for register in ("0x09", "0x08"))
        counts = high << 8 | low
        powered.add(not level(SERVO_ENABLE))
        if not counts & FULL_OFF:
            pulses.add(counts)
    release(APERTURE_CLOSE)
    said = journal.wait("aperture at f/", 15)
    need(pulses & TABLE_COUNTS, f"pulses {sorted(pulses)}, one of the table is {sorted(TABLE_COUNTS)}")
    pre_scale = int(run("i2cget", "-y", "0", "0x40", "0xfe").strip(), 16)
    need(pre_scale == PRE_SCALE, f"PRE_SCALE {pre_scale}, due {PRE_SCALE}")
    need(powered == {True, False} and level(SERVO_ENABLE), f"output enable during the move: {sorted(powered)}")
    return f"{said.message}; pulses of {sorted(pulses)} counts, PRE_SCALE {pre_scale}"


def doctor_speaks() -> str:
    """The doctor finds every part that this board has, and no failure."""
    said = json.loads(run("focusgate", "doctor", "--json", check=False))
    tell("doctor", said=said)
    states = {found["check"]: found["state"] for found in said["findings"]}
    need(said["failures"] == 0, f"failures: {[found for found in said['findings'] if found['state'] == 'failure']}")
    missed = [name for name in PARTS if states.get(name) != "ok"]
    need(not missed, f"not ok: {missed}")
    return ", ".join(f"{list(states.values()).count(state)} {state}" for state in ("ok", "warning", "skipped"))


def journal_is_clean() -> str:
    """The journal tells of every change of state, and holds no traceback."""
    text = run("journalctl", "-b", "-u", GATE, "-u", GUARD, "-o", "cat", "--quiet")
    need("Traceback" not in text, "a traceback in the journal")
    for word in ("open", "closed", "refused", "saved"):
        need(word in text, f"no line with '{word}'")
    return f"{len(text.splitlines())} lines"
