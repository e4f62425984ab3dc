"""A board made of dictionaries: a Raspberry Pi 4 on which every check passes, for tests to take apart."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from device.doctor.probe import Ran, Written
from device.doctor.subject import I2cDevice, Subject

GIB = 1 << 30


@dataclass
class FakeProbe:
    """Answers from what it was given."""

    files: dict[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    commands: dict[tuple[str, ...], Ran] = field(default_factory=dict)
    modules: frozenset[str] = frozenset()
    distributions: dict[str, str] = field(default_factory=dict)
    users: dict[str, frozenset[str]] = field(default_factory=dict)
    ages_days: dict[str, float] = field(default_factory=dict)
    version: tuple[int, int] = (3, 11)
    word_bits: int = 64
    root: bool = True
    written: Written | OSError = field(default_factory=lambda: Written(40.0, 20 * GIB))
    model_says: str | Exception = "focus-s 1.0, SHA-256 0123456789ab…"

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def paths(self, pattern: str) -> tuple[str, ...]:
        return tuple(node for node in self.nodes if fnmatch(node, pattern))

    def age_days(self, path: str) -> float | None:
        return self.ages_days.get(path)

    def run(self, *command: str) -> Ran | None:
        if command in self.commands:
            return self.commands[command]
        known = {asked[0] for asked in self.commands}
        return Ran(1, "no such argument") if command[0] in known else None

    def python(self) -> tuple[int, int]:
        return self.version

    def bits(self) -> int:
        return self.word_bits

    def has_module(self, name: str) -> bool:
        return name in self.modules

    def distribution(self, name: str) -> str | None:
        return self.distributions.get(name)

    def groups_of(self, user: str) -> frozenset[str] | None:
        return self.users.get(user)

    def is_root(self) -> bool:
        return self.root

    def write_test(self, folder: Path) -> Written:
        if isinstance(self.written, OSError):
            raise self.written
        return self.written

    def model(self, manifest: Path | None, trusted_keys: Path | None) -> str:
        if isinstance(self.model_says, Exception):
            raise self.model_says
        return self.model_says

    def says(self, out: str, *command: str, code: int = 0) -> None:
        self.commands[command] = Ran(code, out)

    def forget(self, program: str) -> None:
        """As if the program were not installed."""
        self.commands = {command: ran for command, ran in self.commands.items() if command[0] != program}


PIN = 24
UNIT_FILES = tuple(f"/etc/systemd/system/{name}.service" for name in ("focusgate", "focusgate-guard"))
LEVEL_V2 = ("gpioget", "--numeric", "--bias=disabled", "--chip=gpiochip0", str(PIN))
LEVEL_V1 = ("gpioget", "--bias=disable", "gpiochip0", str(PIN))


@pytest.fixture
def board() -> Subject:
    return Subject(
        camera="picamera2",
        pins="rpi",
        shutter_pin=PIN,
        i2c=I2cDevice(1, 0x40, "PCA9685"),
        store=Path("/var/lib/focusgate/captures"),
        profile=Path("/etc/focusgate/profile.json"),
        config_file=Path("/etc/focusgate/focusgate.toml"),
    )


@pytest.fixture
def desk() -> Subject:
    return Subject(store=Path("captures"))


@pytest.fixture
def pi() -> FakeProbe:
    from device.doctor.hardware import _LIST_CAMERAS

    probe = FakeProbe(
        files={
            "/etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
            "/proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8",
            "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4",
            "/proc/meminfo": "MemTotal: 3884000 kB\nCmaTotal:         524288 kB\nCmaFree:          470000 kB\n",
            "/sys/class/watchdog/watchdog0/identity": "Broadcom BCM2835 Watchdog timer",
            "/sys/class/watchdog/watchdog0/state": "active",
            "/sys/class/thermal/thermal_zone0/temp": "48312",
            "/etc/focusgate/board.env": f"# the guard's\nFOCUSGATE_SHUTTER_PIN={PIN}\n",
        },
        nodes=("/dev/gpiochip0", "/dev/gpiochip1", "/dev/i2c-1", "/dev/dma_heap/linux,cma", *UNIT_FILES),
        modules=frozenset({"picamera2", "RPi.GPIO", "smbus2"}),
        distributions={"rpi-lgpio": "0.6"},
        users={"focusgate": frozenset({"focusgate", "video", "gpio", "i2c"})},
        ages_days={"/etc/focusgate/profile.json": 12.0},
    )
    probe.says("CAMERA ov5647 /base/soc/i2c0mux/i2c@1/ov5647@36", sys.executable, "-c", _LIST_CAMERAS)
    probe.says("gpiochip0 [pinctrl-bcm2711] (58 lines)\ngpiochip1 [raspberrypi-exp-gpio] (8 lines)", "gpiodetect")
    probe.says("gpioget (libgpiod) v2.2.1", "gpioget", "--version")
    probe.says("0", *LEVEL_V2)
    probe.says("0x11", "i2cget", "-y", "1", "0x40", "0x00")
    probe.says("10s", "systemctl", "show", "--property=RuntimeWatchdogUSec", "--value")
    probe.says("throttled=0x0", "vcgencmd", "get_throttled")
    probe.says("yes", "timedatectl", "show", "--property=NTPSynchronized", "--value")
    for unit in ("focusgate.service", "focusgate-guard.service"):
        probe.says("active", "systemctl", "is-active", unit)
        probe.says("enabled", "systemctl", "is-enabled", unit)
        said = f"→ Overall exposure level for {unit}: 0.4 SAFE"
        probe.says(said, "systemd-analyze", "security", "--offline=true", "--no-pager", f"/etc/systemd/system/{unit}")
    return probe


@pytest.fixture
def changed(board: Subject) -> Callable[..., Subject]:
    """The board with some of its configuration changed."""

    def change(**values: object) -> Subject:
        return replace(board, **values)

    return change
