"""The units: hardened, complete, free of what is known to break a board; systemd judges them where it is installed."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ("focusgate.service", "focusgate-guard.service")
EXPOSURE_TENTHS = 15
HARDWARE_WATCHDOG_S = 15.0  # the longest that a Raspberry Pi's watchdog can be set to
REBOOTS_AN_HOUR = 3
UNITS_OF_TIME_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)(ms|s|min|h)?", text)
    assert found is not None, text
    return int(found[1]) * UNITS_OF_TIME_S[found[2] or "s"]


def parsed(name: str) -> configparser.ConfigParser:
    """A unit allows a key more than once; the parser then keeps the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(SYSTEMD / name, encoding="utf-8")
    return parser


def values(name: str, key: str) -> list[str]:
    """All values of a key that may come more than once."""
    return re.findall(rf"^{key}=(.*)$", (SYSTEMD / name).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS)
def test_the_camera_and_the_gpio_chip_are_not_hidden_by_private_devices(unit: str) -> None:
    service = parsed(unit)["Service"]
    assert "PrivateDevices" not in service
    assert service["DevicePolicy"] == "closed"
    assert "char-gpiochip rw" in values(unit, "DeviceAllow")


def test_the_gate_may_use_camera_camera_memory_gpio_and_i2c_and_nothing_else() -> None:
    assert set(values("focusgate.service", "DeviceAllow")) == {
        f"char-{kind} rw" for kind in ("media", "video4linux", "dma_heap", "gpiochip", "i2c")
    }


def test_the_guard_may_use_gpio_alone() -> None:
    assert values("focusgate-guard.service", "DeviceAllow") == ["char-gpiochip rw"]
    assert parsed("focusgate-guard.service")["Service"]["SupplementaryGroups"] == "gpio"


@pytest.mark.parametrize("unit", UNITS)
def test_what_the_processor_and_the_board_are_can_be_read(unit: str) -> None:
    assert parsed(unit)["Service"]["ProcSubset"] == "all"


@pytest.mark.parametrize("unit", UNITS)
def test_modules_of_the_working_directory_cannot_shadow_the_program(unit: str) -> None:
    assert any("PYTHONSAFEPATH=1" in line for line in values(unit, "Environment"))


@pytest.mark.parametrize("unit", UNITS)
def test_lgpio_has_a_folder_of_its_own_to_write_its_pipe(unit: str) -> None:
    service = parsed(unit)["Service"]
    folder = service["WorkingDirectory"]
    assert f"LG_WD={folder}" in values(unit, "Environment")
    assert folder.removeprefix("/run/") in service["RuntimeDirectory"].split()


def test_the_two_services_share_a_runtime_directory_that_outlives_either_but_no_working_directory() -> None:
    gate, guard = (parsed(unit)["Service"] for unit in UNITS)
    assert gate["RuntimeDirectoryPreserve"] == guard["RuntimeDirectoryPreserve"] == "yes"
    assert gate["WorkingDirectory"] != guard["WorkingDirectory"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_line_is_driven_low_whatever_ended_the_service(unit: str) -> None:
    (after,) = values(unit, "ExecStopPost")
    assert after.startswith("-")
    assert "--drive-low" in after
    assert "${FOCUSGATE_SHUTTER_PIN}" in after


@pytest.mark.parametrize("unit", UNITS)
def test_the_guard_gets_the_pin_of_the_configuration_folder(unit: str) -> None:
    pin = re.search(r"^FOCUSGATE_SHUTTER_PIN=\d+$", (SYSTEMD / "board.env").read_text(encoding="utf-8"), re.MULTILINE)
    assert pin is not None
    assert pin[0] in values(unit, "Environment")
    assert values(unit, "EnvironmentFile") == ["-/etc/focusgate/board.env"]


def test_a_frozen_gate_is_killed_within_2_2_seconds() -> None:
    service = parsed("focusgate.service")["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert seconds(service["WatchdogSec"]) + seconds(service["TimeoutAbortSec"]) <= 2.2


def test_a_frozen_guard_is_killed_within_a_second_so_that_the_line_is_driven_low() -> None:
    from device.guard import IDLE_NS

    service = parsed("focusgate-guard.service")["Service"]
    assert service["Type"] == "notify"
    assert service["WatchdogSignal"] == "SIGKILL"
    assert 2 * IDLE_NS / 1e9 < seconds(service["WatchdogSec"]) <= 1.0


def test_the_guard_is_started_in_a_way_that_it_understands() -> None:
    from device.guard import _arguments

    for key in ("ExecStart", "ExecStopPost"):
        (command,) = values("focusgate-guard.service", key)
        words = command.replace("${FOCUSGATE_SHUTTER_PIN}", "24").split()
        asked = _arguments(words[words.index("device.guard") + 1 :])
        assert (asked.pin, str(asked.socket), asked.drive_low) == (24, "/run/focusgate/guard.sock", key != "ExecStart")


def test_the_guard_is_tried_again_for_ever_and_at_once() -> None:
    unit = parsed("focusgate-guard.service")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "always"
    assert seconds(unit["Service"]["RestartSec"]) <= 0.2


def test_the_gate_outlives_a_guard_that_cannot_start() -> None:
    unit = parsed("focusgate.service")["Unit"]
    assert unit["Wants"] == unit["After"] == "focusgate-guard.service"
    assert not {"Requires", "BindsTo", "Requisite"} & set(unit)


def test_repeated_failure_reboots_the_board_but_at_most_three_times_an_hour() -> None:
    unit = parsed("focusgate.service")
    assert unit["Unit"]["StartLimitAction"] == "reboot"
    waited_s = (int(unit["Unit"]["StartLimitBurst"]) - 1) * seconds(unit["Service"]["RestartSec"])
    assert waited_s >= 0.99 * 3600 / REBOOTS_AN_HOUR
    longest_try_s = seconds(unit["Service"]["RestartSec"]) + 5
    assert int(unit["Unit"]["StartLimitBurst"]) * longest_try_s < seconds(unit["Unit"]["StartLimitIntervalSec"])


def test_backing_off_keeps_to_the_same_number_of_reboots_and_never_waits_long() -> None:
    unit = parsed("dropins/back-off.conf")
    first_s, last_s = seconds(unit["Service"]["RestartSec"]), seconds(unit["Service"]["RestartMaxDelaySec"])
    steps = int(unit["Service"]["RestartSteps"])
    # systemd's own rule: r_i = r_0 · (r_n / r_0)^(i / n), then r_n for good
    waits_s = [
        first_s * (last_s / first_s) ** (min(i, steps) / steps) for i in range(int(unit["Unit"]["StartLimitBurst"]))
    ]
    assert all(before <= after for before, after in pairwise(waits_s))
    assert max(waits_s) <= 5.0
    assert sum(waits_s[:-1]) >= 3600 / REBOOTS_AN_HOUR


def test_a_wrong_configuration_does_not_reboot_the_board() -> None:
    from models.errors import ExitCode

    assert parsed("focusgate.service")["Service"]["RestartPreventExitStatus"] == str(int(ExitCode.USAGE))


def test_captures_are_for_the_service_alone() -> None:
    service = parsed("focusgate.service")["Service"]
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == ("focusgate", "0700")
    assert service["UMask"] == "0077"
    assert service["LimitCORE"] == "0"


def test_the_hardware_watchdog_can_be_set_to_what_is_asked_of_it() -> None:
    manager = parsed("dropins/watchdog.conf")["Manager"]
    assert seconds(manager["RuntimeWatchdogSec"]) < HARDWARE_WATCHDOG_S
    assert seconds(manager["RebootWatchdogSec"]) <= HARDWARE_WATCHDOG_S


def test_every_group_of_the_units_is_made_and_opened_by_a_rule() -> None:
    groups = set(" ".join(parsed(unit)["Service"]["SupplementaryGroups"] for unit in UNITS).split())
    made = set(re.findall(r"^g (\S+)", (SYSTEMD / "focusgate.sysusers").read_text(encoding="utf-8"), re.MULTILINE))
    opened = set(re.findall(r'GROUP="(\w+)"', (SYSTEMD / "60-focusgate.rules").read_text(encoding="utf-8")))
    assert groups == made == opened


def test_no_file_under_systemd_names_a_package_host() -> None:
    for path in SYSTEMD.rglob("*"):
        if path.is_file():
            assert not re.search(r"https?://|--index-url|--find-links=", path.read_text(encoding="utf-8")), path


@pytest.fixture
def runnable_units(tmp_path: Path) -> list[Path]:
    """The units with programs that exist here, so that only the units themselves are judged."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(re.sub(r"/opt/focusgate/venv/bin/\w+", "/bin/true", text), encoding="utf-8")
    if version() >= 254:
        (tmp_path / "focusgate.service.d").mkdir()
        shutil.copy(SYSTEMD / "dropins/back-off.conf", tmp_path / "focusgate.service.d/back-off.conf")
    return [tmp_path / name for name in UNITS]


def version() -> int:
    first = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(first.split()[1])


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(runnable_units: list[Path]) -> None:
    """An unknown key is a warning and exit code 0: nothing at all may be said."""
    ran = subprocess.run(["systemd-analyze", "verify", *runnable_units], capture_output=True, text=True, check=False)
    said = [line for line in ran.stderr.splitlines() if any(name in line for name in ("focusgate", "back-off"))]
    assert said == []
    assert ran.returncode == 0


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_at_most_1_5(unit: str, runnable_units: list[Path]) -> None:
    path = next(path for path in runnable_units if path.name == unit)
    ran = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", "--no-pager", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-200:] + ran.stderr
