"""The checks of the board's parts: camera, memory, GPIO, shutter line, I²C, watchdog, power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.doctor import hardware
from device.doctor.finding import State
from device.doctor.probe import Ran
from device.doctor.subject import Subject

LEVEL_V2 = ("gpioget", "--numeric", "--bias=disabled", "--chip=gpiochip0", "24")
LEVEL_V1 = ("gpioget", "--bias=disable", "gpiochip0", "24")


def camera_command(pi: Any) -> tuple[str, ...]:
    (command,) = (command for command in pi.commands if command[1:2] == ("-c",))
    return tuple(command)


def test_the_camera_is_named(pi: Any, board: Subject) -> None:
    assert hardware.camera(pi, board).what == "ov5647"


def test_no_camera_is_a_failure_that_speaks_of_the_ribbon(pi: Any, board: Subject) -> None:
    pi.says("", *camera_command(pi))
    finding = hardware.camera(pi, board)
    assert finding.state is State.FAILURE
    assert "ribbon" in str(finding.mend)


def test_a_camera_stack_that_breaks_is_quoted_in_one_line(pi: Any, board: Subject) -> None:
    pi.says("Traceback\nModuleNotFoundError: No module named 'picamera2'", *camera_command(pi), code=1)
    finding = hardware.camera(pi, board)
    assert finding.state is State.FAILURE
    assert finding.what.endswith("No module named 'picamera2'")
    assert "\n" not in finding.what


@pytest.mark.parametrize(("node", "state"), [("/dev/video0", State.OK), ("/dev/video1", State.FAILURE)])
def test_a_usb_camera_must_be_connected(pi: Any, changed: Callable[..., Subject], node: str, state: State) -> None:
    pi.nodes = ("/dev/video0",)
    assert hardware.camera(pi, changed(camera="v4l2", camera_path=node)).state is state


def test_little_contiguous_memory_is_a_warning_on_a_pi_4(pi: Any, board: Subject) -> None:
    pi.files["/proc/meminfo"] = "CmaTotal: 65536 kB\nCmaFree: 1000 kB\n"
    finding = hardware.camera_memory(pi, board)
    assert finding.state is State.WARNING
    assert "cma-256" in str(finding.mend)


def test_a_pi_5_needs_no_contiguous_memory(pi: Any, board: Subject) -> None:
    pi.files["/proc/meminfo"] = "CmaTotal: 65536 kB\nCmaFree: 1000 kB\n"
    pi.files["/proc/device-tree/model"] = "Raspberry Pi 5 Model B Rev 1.0"
    assert hardware.camera_memory(pi, board).state is State.OK


def test_no_dma_heap_is_a_failure(pi: Any, board: Subject) -> None:
    pi.nodes = ()
    assert hardware.camera_memory(pi, board).state is State.FAILURE


def test_the_chip_with_the_header_is_found_on_a_pi_5_too(pi: Any, board: Subject) -> None:
    pi.says("gpiochip0 [gpio-brcmstb@107d508500] (32 lines)\ngpiochip4 [pinctrl-rp1] (54 lines)", "gpiodetect")
    assert hardware.gpio(pi, board).what == "gpiochip4 is pinctrl-rp1"


def test_no_gpio_chip_is_a_failure(pi: Any, board: Subject) -> None:
    pi.nodes = ()
    assert hardware.gpio(pi, board).state is State.FAILURE


def test_a_chip_without_the_header_is_a_failure(pi: Any, board: Subject) -> None:
    pi.says("gpiochip0 [raspberrypi-exp-gpio] (8 lines)", "gpiodetect")
    assert hardware.gpio(pi, board).state is State.FAILURE


def test_without_gpiodetect_the_chip_cannot_be_judged(pi: Any, board: Subject) -> None:
    pi.forget("gpiodetect")
    finding = hardware.gpio(pi, board)
    assert finding.state is State.SKIPPED
    assert finding.mend == "sudo apt-get install gpiod"


def test_a_shutter_line_that_is_high_when_released_has_no_pull_down(pi: Any, board: Subject) -> None:
    pi.says("1", *LEVEL_V2)
    finding = hardware.shutter_line(pi, board)
    assert finding.state is State.FAILURE
    assert "10 kΩ from GPIO24 to ground" in str(finding.mend)


@pytest.mark.parametrize(("level", "state"), [("0", State.OK), ("1", State.FAILURE)])
def test_the_older_gpioget_is_spoken_to_in_its_own_way(pi: Any, board: Subject, level: str, state: State) -> None:
    pi.says("gpioget (libgpiod) v1.6.3", "gpioget", "--version")
    pi.says(level, *LEVEL_V1)
    del pi.commands[LEVEL_V2]
    assert hardware.shutter_line(pi, board).state is state


def test_a_line_that_reads_high_once_in_five_times_has_no_pull_down(pi: Any, board: Subject) -> None:
    readings = iter("00100")
    answered = pi.run

    def run(*command: str) -> Ran | None:
        found = answered(*command)
        return Ran(0, next(readings)) if command == LEVEL_V2 else found

    pi.run = run
    assert hardware.shutter_line(pi, board).state is State.FAILURE


def test_a_line_held_by_the_guard_is_left_alone_and_the_command_that_frees_it_is_named(pi: Any, board: Subject) -> None:
    pi.says("gpioget: unable to request lines: Device or resource busy", *LEVEL_V2, code=1)
    finding = hardware.shutter_line(pi, board)
    assert finding.state is State.SKIPPED
    assert "systemctl stop focusgate focusgate-guard" in str(finding.mend)


@pytest.mark.parametrize("pin", range(9))
def test_a_pin_that_is_pulled_up_at_power_on_is_refused_for_the_shutter(
    pi: Any, changed: Callable[..., Subject], pin: int
) -> None:
    finding = hardware.shutter_line(pi, changed(shutter_pin=pin))
    assert finding.state is State.FAILURE
    assert "power-on" in finding.what


def test_guard_and_configuration_must_speak_of_the_same_pin(pi: Any, board: Subject) -> None:
    pi.files["/etc/focusgate/board.env"] = "FOCUSGATE_SHUTTER_PIN=25"
    finding = hardware.shutter_line(pi, board)
    assert finding.state is State.FAILURE
    assert "GPIO25" in finding.what
    assert "GPIO24" in finding.what


def test_a_silent_i2c_device_is_a_failure(pi: Any, board: Subject) -> None:
    pi.says("Error: Read failed", "i2cget", "-y", "1", "0x40", "0x00", code=2)
    finding = hardware.i2c(pi, board)
    assert finding.state is State.FAILURE
    assert "0x40 on bus 1" in finding.what


def test_a_bus_that_is_switched_off_is_a_failure(pi: Any, board: Subject) -> None:
    pi.nodes = ()
    assert "raspi-config" in str(hardware.i2c(pi, board).mend)


@pytest.mark.parametrize(
    ("asked", "state"),
    [
        ("10s", State.OK),
        ("15s", State.OK),
        ("1min 30s", State.FAILURE),
        ("0", State.WARNING),
        ("infinity", State.WARNING),
        ("", State.SKIPPED),
    ],
)
def test_the_hardware_watchdog_must_be_used_and_within_its_15_seconds(
    pi: Any, board: Subject, asked: str, state: State
) -> None:
    pi.says(asked, "systemctl", "show", "--property=RuntimeWatchdogUSec", "--value")
    assert hardware.watchdog(pi, board).state is state


def test_a_watchdog_that_does_not_run_is_a_failure(pi: Any, board: Subject) -> None:
    pi.files["/sys/class/watchdog/watchdog0/state"] = "inactive"
    assert hardware.watchdog(pi, board).state is State.FAILURE


def test_no_hardware_watchdog_is_a_warning(pi: Any, board: Subject) -> None:
    del pi.files["/sys/class/watchdog/watchdog0/identity"]
    assert hardware.watchdog(pi, board).state is State.WARNING


@pytest.mark.parametrize(
    ("bits", "state", "words"),
    [
        (0x50005, State.FAILURE, "now under-voltage, throttled"),
        (0x50000, State.WARNING, "since the start: under-voltage, throttled"),
        (0x80008, State.FAILURE, "now at the temperature limit"),
        (0x20000, State.WARNING, "since the start: frequency capped"),
        (0x0, State.OK, "enough voltage, 48 °C"),
    ],
)
def test_voltage_and_heat_are_told_apart_and_now_from_before(
    pi: Any, board: Subject, bits: int, state: State, words: str
) -> None:
    pi.says(f"throttled={bits:#x}", "vcgencmd", "get_throttled")
    finding = hardware.power(pi, board)
    assert (finding.state, finding.what) == (state, words)


def test_without_vcgencmd_the_kernel_is_asked(pi: Any, board: Subject) -> None:
    pi.forget("vcgencmd")
    pi.files["/sys/devices/platform/soc/soc:firmware/get_throttled"] = "50000"
    assert hardware.power(pi, board).state is State.WARNING


def test_80_degrees_is_hot(pi: Any, board: Subject) -> None:
    pi.files["/sys/class/thermal/thermal_zone0/temp"] = "80000"
    assert hardware.power(pi, board).state is State.WARNING


@given(st.integers(0, 0xFFFFF))
def test_power_is_ok_only_if_no_known_bit_is_set(bits: int) -> None:
    known = 0xF000F
    finding = hardware._power_of(bits, None)
    assert (finding.state is State.OK) == (bits & known == 0)
