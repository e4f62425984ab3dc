"""Checks of the operating system, the disk, the model and the service."""

from __future__ import annotations

import re

from device.doctor.finding import Finding, failure, ok, skipped, warning
from device.doctor.probe import Probe, Written
from device.doctor.subject import SERVICE_USER, Subject
from device.store.space import Room, space_of
from models.errors import FocusgateError, one_line

OLDEST_PYTHON = (3, 11)
MIB = 1 << 20
LOW_BYTES = 2048 * MIB  # about 500 captures of 4 MB
SLOW_MB_PER_S = 1.0  # a capture of 4 MB would keep the "saved" tone waiting for four seconds
OLD_PROFILE_DAYS = 365.0
LARGEST_EXPOSURE = 1.5
UNITS = ("focusgate-guard.service", "focusgate.service")
REINSTALL = "sudo make install"
NOT_A_BOARD = "not a board"


def operating_system(probe: Probe) -> Finding:
    """ONNX Runtime has no wheels for 32 bits, and Raspberry Pi OS can run a 32-bit user space on a 64-bit kernel."""
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', probe.read("/etc/os-release") or "", re.MULTILINE)
    kernel = probe.read("/proc/sys/kernel/osrelease") or "unknown"
    model = probe.read("/proc/device-tree/model")
    bits = probe.bits()
    what = ", ".join(filter(None, (model, name[1] if name else "unknown system", f"kernel {kernel}", f"{bits} bit")))
    if bits != 64:
        return failure("system", what, "write the 64-bit Raspberry Pi OS to the card (docs/board.md)")
    return ok("system", what)


def python(probe: Probe, device: Subject) -> Finding:
    """The interpreter, and the modules that come from the system's packages."""
    version = probe.python()
    text = f"Python {version[0]}.{version[1]}"
    if version < OLDEST_PYTHON:
        return failure(
            "python", f"{text}: 3.11 or newer is needed", "write Raspberry Pi OS bookworm or trixie to the card"
        )
    if probe.distribution("RPi.GPIO") is not None and device.pins == "rpi":
        return failure(
            "python",
            f"{text} with the original RPi.GPIO, which has no edges on kernel 6.6 and does not run on a Pi 5",
            "sudo apt-get install python3-rpi-lgpio",
        )
    needed = {
        "picamera2": (device.camera == "picamera2", "sudo apt-get install python3-picamera2"),
        "RPi.GPIO": (device.pins == "rpi", "sudo apt-get install python3-rpi-lgpio"),
        "smbus2": (device.i2c is not None, REINSTALL),
    }
    for module, (wanted, mend) in needed.items():
        if wanted and not probe.has_module(module):
            return failure("python", f"{text} without the module {module}", mend)
    found = [module for module, (wanted, _) in needed.items() if wanted]
    return ok("python", f"{text} with {', '.join(found)}" if found else text)


def groups(probe: Probe, device: Subject) -> Finding:
    """The service's user must reach camera, GPIO and I²C without being root."""
    if not device.board:
        return skipped("groups", NOT_A_BOARD)
    wanted = {"video", "gpio", "i2c"}
    found = probe.groups_of(SERVICE_USER)
    if found is None:
        return failure("groups", f"there is no user {SERVICE_USER}", REINSTALL)
    missing = sorted(wanted - found)
    if missing:
        return failure(
            "groups",
            f"{SERVICE_USER} is not in {', '.join(missing)}",
            "sudo systemd-sysusers /etc/sysusers.d/focusgate.conf && sudo systemctl restart focusgate",
        )
    return ok("groups", f"{SERVICE_USER} is in {', '.join(sorted(wanted))}")


def configuration(device: Subject) -> Finding:
    """Only says which one is in force: a wrong one ends every command before this is reached."""
    if device.config_file is not None:
        return ok("configuration", f"{device.config_file}: camera {device.camera}, pins {device.pins}")
    return ok("configuration", f"the defaults: camera {device.camera}, pins {device.pins}")


def disk(probe: Probe, device: Subject) -> Finding:
    """A real write and fsync where captures go."""
    try:
        found = probe.write_test(device.store)
    except PermissionError:
        if probe.is_root():
            return failure("disk", f"{device.store} is read-only", "replace the card, or remount it for writing")
        return skipped("disk", f"{device.store} is not for you to read", "sudo focusgate doctor")
    except OSError as error:
        return failure(
            "disk",
            f"{device.store}: cannot be written ({error.strerror or one_line(error)})",
            f"make room, replace the card, or name another folder; is there a folder {device.store}?",
        )
    return _room(found, str(device.store))


def _room(found: Written, folder: str) -> Finding:
    free_gib = found.free_bytes / (1024 * MIB)
    space = space_of(found.free_bytes)
    room = f"{free_gib:.1f} GiB free, room for {max(space.captures_left, 0)} captures"
    what = f"{folder}: {room}, written and synced at {found.mb_per_s:.0f} MB/s"
    make_room = "focusgate captures export FOLDER, then focusgate captures delete ID..."
    if space.room is Room.FULL:
        return failure("disk", what, make_room)
    if found.free_bytes < LOW_BYTES:
        return warning("disk", what, make_room)
    if found.mb_per_s < SLOW_MB_PER_S:
        return warning("disk", what, "replace the card by one of class A1 or better")
    return ok("disk", what)


def clock(probe: Probe) -> Finding:
    """There is no battery behind the clock. Captures are ordered without it; their date and time are not right."""
    ran = probe.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    synchronised = probe.read("/run/systemd/timesync/synchronized") is not None
    if ran is None and not synchronised:
        return skipped("clock", "no timedatectl here to ask")
    if synchronised or (ran is not None and ran.out == "yes"):
        return ok("clock", "synchronised")
    return warning(
        "clock",
        "not synchronised: captures stay in order, their date may be wrong",
        "connect a network once, or: sudo timedatectl set-ntp true",
    )


def model(probe: Probe, device: Subject) -> Finding:
    """Signature and digest before parsing, then the golden vectors: as at every start."""
    try:
        return ok("model", f"{probe.model(device.manifest, device.trusted_keys)}, signed, golden vectors pass")
    except FocusgateError as error:
        return failure("model", one_line(error), REINSTALL if device.board else "install focusgate anew")


def profile(probe: Probe, device: Subject) -> Finding:
    """What was measured about this lens and sensor; a year old, it is worth measuring again."""
    if device.camera == "simulated":
        return skipped("profile", "the simulated device knows its own field of view")
    if device.profile is None:
        return warning("profile", "none: uncalibrated, the model's own criterion holds", "calibrate this device")
    age_days = probe.age_days(str(device.profile))
    if age_days is None:
        return failure("profile", f"{device.profile} cannot be read", "name a profile that exists, or none")
    what = f"{device.profile}, {age_days:.0f} days old"
    if age_days > OLD_PROFILE_DAYS:
        return warning("profile", what, "calibrate this device anew")
    return ok("profile", what)


def service(probe: Probe, device: Subject) -> Finding:
    """Both units enabled and running."""
    if not device.board:
        return skipped("service", NOT_A_BOARD)
    ran = [probe.run("systemctl", "is-active", unit) for unit in UNITS]
    enabled = [probe.run("systemctl", "is-enabled", unit) for unit in UNITS]
    for unit, active, starts in zip(UNITS, ran, enabled, strict=True):
        if active is None or starts is None:
            return skipped("service", "no systemctl here to ask")
        if starts.out != "enabled":
            return failure("service", f"{unit} is not enabled", REINSTALL)
        if active.out == "failed":
            return failure("service", f"{unit} has failed", f"journalctl -u {unit} -e; sudo systemctl restart {unit}")
        if active.out != "active":
            return warning("service", f"{unit} is {active.out}", f"sudo systemctl start {unit}")
    return ok("service", "gate and guard are active")


def exposure(probe: Probe, device: Subject) -> Finding:
    """How much of the system the units could reach, 0 to 10, with whatever drop-ins this board has."""
    if not device.board:
        return skipped("exposure", NOT_A_BOARD)
    levels: list[float] = []
    for unit in UNITS:
        path = f"/etc/systemd/system/{unit}"
        if not probe.paths(path):
            return failure("exposure", f"{unit} is not installed", REINSTALL)
        ran = probe.run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
        found = re.search(r"exposure level for \S+: ([\d.]+)", ran.out) if ran is not None else None
        if found is None:
            return skipped("exposure", "systemd-analyze gives no figure here")
        levels.append(float(found[1]))
    what = f"{max(levels):.1f} of 10 at most (allowed: {LARGEST_EXPOSURE})"
    if max(levels) > LARGEST_EXPOSURE:
        return failure("exposure", what, f"remove what weakens the units ('systemctl cat focusgate'), or: {REINSTALL}")
    return ok("exposure", what)
