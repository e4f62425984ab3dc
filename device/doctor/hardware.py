"""Checks of the board: camera and its memory, GPIO, the shutter line, I²C, watchdog, power."""

from __future__ import annotations

import re
import sys

from device.doctor.finding import Finding, failure, ok, skipped, warning
from device.doctor.probe import Probe
from device.doctor.subject import Subject
from device.doctor.system import NOT_A_BOARD, REINSTALL
from models.errors import one_line

LEAST_CMA_MIB = 128  # four requests of 2592×1944: 8 MB picture and 10 MB raw each; twice that for fragmentation
LAST_PULLED_UP_PIN = 8  # BCM 0 to 8 are pulled up at power-on, 9 to 27 down (BCM2835 ARM peripherals, table 6-31)
HEADER_LINES = 28  # BCM 0 to 27 are on the 40-pin header
LONGEST_WATCHDOG_S = 15.0
HOT_MILLIDEGREES = 80_000  # the Pi slows down from 80 °C on

CONFIG_TXT = "/boot/firmware/config.txt"
ENABLE_LINE = "shutter line"
_LIST_CAMERAS = (
    "from picamera2 import Picamera2\nfor i in Picamera2.global_camera_info(): print('CAMERA', i.get('Model'), i['Id'])"
)

# vcgencmd get_throttled: bit 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit; the same from
# bit 16 on for "has happened since the start"
_THROTTLED = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "at the temperature limit"}
_SINCE_START = 16


def camera(probe: Probe, device: Subject) -> Finding:
    """The camera that the configuration names. Listing does not disturb a service that uses it."""
    if device.camera == "simulated":
        return skipped("camera", f"{NOT_A_BOARD}: the camera is simulated")
    if device.camera_path is not None:
        if probe.paths(device.camera_path):
            return ok("camera", device.camera_path)
        return failure("camera", f"{device.camera_path} is not there", "connect it, or name another in [camera]")
    ran = probe.run(sys.executable, "-c", _LIST_CAMERAS)
    if ran is None or ran.code != 0:
        why = one_line(ran.out[-120:]) if ran is not None else "no Python to ask"
        return failure("camera", f"cameras cannot be listed: {why}", "sudo apt-get install python3-picamera2")
    found = re.findall(r"^CAMERA (\S+)", ran.out, re.MULTILINE)
    if not found:
        return failure(
            "camera",
            "no camera found",
            f"switch off, seat both ends of the ribbon cable, switch on; camera_auto_detect=1 in {CONFIG_TXT}",
        )
    return ok("camera", ", ".join(found))


def camera_memory(probe: Probe, device: Subject) -> Finding:
    """Contiguous memory for frames. A Pi 5 has an IOMMU and takes any memory; on a Pi 4 it is set aside at boot."""
    if device.camera != "picamera2":
        return skipped("camera memory", f"{NOT_A_BOARD}: camera {device.camera}")
    heaps = probe.paths("/dev/dma_heap/*")
    if not heaps:
        return failure("camera memory", "no /dev/dma_heap", "use a kernel of Raspberry Pi OS 6.1 or newer")
    model = probe.read("/proc/device-tree/model") or ""
    total = re.search(r"^CmaTotal:\s+(\d+) kB", probe.read("/proc/meminfo") or "", re.MULTILINE)
    free = re.search(r"^CmaFree:\s+(\d+) kB", probe.read("/proc/meminfo") or "", re.MULTILINE)
    if re.search(r"Raspberry Pi 5|Compute Module 5", model) or total is None or free is None:
        return ok("camera memory", f"{len(heaps)} DMA heaps")
    total_mib, free_mib = int(total[1]) // 1024, int(free[1]) // 1024
    what = f"{total_mib} MiB contiguous, {free_mib} MiB free"
    if total_mib < LEAST_CMA_MIB:
        return warning("camera memory", what, f"dtoverlay=vc4-kms-v3d,cma-256 in {CONFIG_TXT}, then reboot")
    return ok("camera memory", what)


def gpio(probe: Probe, device: Subject) -> Finding:
    """The chip that carries the header: pinctrl-bcm2711 on a Pi 4, pinctrl-rp1 on a Pi 5."""
    if device.pins != "rpi":
        return skipped("gpio", f"{NOT_A_BOARD}: pins {device.pins}")
    if not probe.paths("/dev/gpiochip*"):
        return failure("gpio", "no /dev/gpiochip*", "this kernel knows no GPIO chip; use Raspberry Pi OS")
    chip = header_chip(probe)
    if chip is None:
        ran = probe.run("gpiodetect")
        if ran is None:
            return skipped("gpio", "gpiodetect is missing", "sudo apt-get install gpiod")
        return failure("gpio", f"no chip with the header's lines: {one_line(ran.out, 120)}", "sudo focusgate doctor")
    return ok("gpio", f"{chip[0]} is {chip[1]}")


def header_chip(probe: Probe) -> tuple[str, str] | None:
    """Device and label of the chip that has the 40-pin header's lines."""
    ran = probe.run("gpiodetect")
    for name, label, lines in re.findall(r"^(\S+) \[([^]]*)\] \((\d+) lines\)", ran.out if ran else "", re.MULTILINE):
        if label.startswith("pinctrl-") and int(lines) >= HEADER_LINES:
            return name, label
    return None


def shutter_line(probe: Probe, device: Subject) -> Finding:
    """Low while nobody drives it? Only a released line can tell; the guard's is not taken from it."""
    if device.pins != "rpi" or device.shutter_pin is None:
        return skipped(ENABLE_LINE, f"{NOT_A_BOARD}: pins {device.pins}")
    pin = device.shutter_pin
    resistor = f"10 kΩ from GPIO{pin} to ground (docs/board.md)"
    if pin <= LAST_PULLED_UP_PIN:
        return failure(ENABLE_LINE, f"GPIO{pin} is pulled up at power-on", "choose one from GPIO9 to GPIO27")
    guards = re.search(r"^FOCUSGATE_SHUTTER_PIN=(\d+)", probe.read("/etc/focusgate/board.env") or "", re.MULTILINE)
    if guards is not None and int(guards[1]) != pin:
        return failure(
            ENABLE_LINE,
            f"the guard holds GPIO{guards[1]}, the configuration says GPIO{pin}",
            "make /etc/focusgate/board.env and /etc/focusgate/focusgate.toml agree, then restart focusgate-guard",
        )
    chip = header_chip(probe)
    level = None if chip is None else released_level(probe, chip[0], pin)
    if level is None:
        return skipped(
            ENABLE_LINE,
            f"GPIO{pin} is held by the guard, or cannot be read: its pull-down cannot be seen",
            "sudo systemctl stop focusgate focusgate-guard; sudo focusgate doctor",
        )
    if level:
        return failure(ENABLE_LINE, f"GPIO{pin} is high while nobody drives it: no pull-down", f"solder {resistor}")
    return ok(ENABLE_LINE, f"GPIO{pin} is low while nobody drives it")


def released_level(probe: Probe, chip: str, pin: int) -> int | None:
    """Level of a line taken as an input without any pull of the chip's own; None if it is in use or unreadable.

    A floating line can read low by chance: five readings must agree.
    """
    version = probe.run("gpioget", "--version")
    if version is None:
        return None
    command: tuple[str, ...] = ("gpioget", "--bias=disable", chip, str(pin))
    if not re.search(r"\bv?1\.\d", version.out):
        command = ("gpioget", "--numeric", "--bias=disabled", f"--chip={chip}", str(pin))
    levels = set()
    for _ in range(5):
        ran = probe.run(*command)
        if ran is None or ran.code != 0 or ran.out not in ("0", "1"):
            return None
        levels.add(int(ran.out))
    return max(levels)


def i2c(probe: Probe, device: Subject) -> Finding:
    """Does the chip that the aperture needs answer? Reading its first register changes nothing."""
    if device.i2c is None:
        return skipped("i2c", "the configuration asks for no I²C device")
    chip = device.i2c
    if not probe.paths(f"/dev/i2c-{chip.bus}"):
        return failure("i2c", f"no /dev/i2c-{chip.bus}", "sudo raspi-config nonint do_i2c 0, then reboot")
    ran = probe.run("i2cget", "-y", str(chip.bus), f"0x{chip.address:02x}", "0x00")
    where = f"{chip.name} at 0x{chip.address:02x} on bus {chip.bus}"
    if ran is None:
        return skipped("i2c", "i2cget is missing", "sudo apt-get install i2c-tools")
    if ran.code != 0:
        return failure(
            "i2c", f"{where} does not answer", "check SDA, SCL, ground and 3.3 V of the driver (docs/board.md)"
        )
    return ok("i2c", f"{where} answers")


def watchdog(probe: Probe, device: Subject) -> Finding:
    """The hardware that resets the board when the system itself hangs."""
    if not device.board:
        return skipped("watchdog", NOT_A_BOARD)
    identity = probe.read("/sys/class/watchdog/watchdog0/identity")
    if identity is None:
        return warning("watchdog", "no hardware watchdog", f"dtparam=watchdog=on in {CONFIG_TXT}, then reboot")
    ran = probe.run("systemctl", "show", "--property=RuntimeWatchdogUSec", "--value")
    asked_s = _seconds(ran.out) if ran is not None and ran.code == 0 else None
    if asked_s is None:
        return skipped("watchdog", f"{identity}: systemd does not say whether it is used")
    return _watchdog_of(identity, asked_s, probe.read("/sys/class/watchdog/watchdog0/state"))


def _watchdog_of(identity: str, asked_s: float, state: str | None) -> Finding:
    if asked_s == 0:
        return warning("watchdog", f"{identity} is there but not used", REINSTALL)
    if asked_s > LONGEST_WATCHDOG_S:
        mend = "RuntimeWatchdogSec=10s in /etc/systemd/system.conf.d, then reboot"
        return failure("watchdog", f"{identity} cannot be set to {asked_s:g} s and is off", mend)
    if state == "inactive":
        return failure("watchdog", f"{identity} is set to {asked_s:g} s but not running", "sudo reboot")
    return ok("watchdog", f"{identity} resets the board after {asked_s:g} s")


def _seconds(text: str) -> float | None:
    """What systemd prints for a span: '10s', '1min 30s', '500ms', '0', 'infinity' (which means off)."""
    if text in ("0", "infinity"):
        return 0.0
    parts = re.findall(r"(\d+)(ms|us|s|min|h)\b", text)
    scale = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
    return sum(int(number) * scale[unit] for number, unit in parts) if parts else None


def power(probe: Probe, device: Subject) -> Finding:
    """Voltage and heat, as the firmware saw them since the start."""
    if not device.board:
        return skipped("power", NOT_A_BOARD)
    ran = probe.run("vcgencmd", "get_throttled")
    text = ran.out if ran is not None and ran.code == 0 else None
    text = text or probe.read("/sys/devices/platform/soc/soc:firmware/get_throttled")
    found = re.search(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]+)$", text or "")
    if found is None:
        return skipped("power", "the firmware does not say (no Raspberry Pi?)")
    return _power_of(int(found[1], 16), probe.read("/sys/class/thermal/thermal_zone0/temp"))


def _power_of(bits: int, millidegrees: str | None) -> Finding:
    now = [name for bit, name in _THROTTLED.items() if bits >> bit & 1]
    before = [name for bit, name in _THROTTLED.items() if bits >> (bit + _SINCE_START) & 1]
    mend = "use the official power supply, and a fan or heat sink"
    if now:
        return failure("power", f"now {', '.join(now)}", mend)
    if before:
        return warning("power", f"since the start: {', '.join(before)}", mend)
    if millidegrees is None or not millidegrees.isdigit():
        return ok("power", "enough voltage")
    what = f"{int(millidegrees) / 1000:.0f} °C"
    if int(millidegrees) >= HOT_MILLIDEGREES:
        return warning("power", what, mend)
    return ok("power", f"enough voltage, {what}")
