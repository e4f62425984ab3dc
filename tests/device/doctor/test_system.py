"""The whole examination, and the checks of system, disk, model and service: what is found, and what mends it."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.doctor import system
from device.doctor.examine import examine
from device.doctor.finding import State
from device.doctor.probe import Written
from device.doctor.subject import Subject
from models.errors import ModelError

GIB = 1 << 30


def test_on_a_board_with_everything_in_order_every_check_is_ok(pi: Any, board: Subject) -> None:
    findings = examine(pi, board)
    assert [finding.check for finding in findings if finding.state is not State.OK] == []
    assert len({finding.check for finding in findings}) == len(findings) == 17


def test_on_a_desk_what_a_board_has_is_skipped_and_nothing_fails(pi: Any, desk: Subject) -> None:
    findings = {finding.check: finding.state for finding in examine(pi, desk)}
    assert State.FAILURE not in findings.values()
    for check in ("groups", "camera", "camera memory", "gpio", "shutter line", "i2c", "watchdog", "power", "exposure"):
        assert findings[check] is State.SKIPPED


def test_every_failure_and_warning_says_what_to_do(pi: Any, board: Subject) -> None:
    """A board on which nothing answers at all."""
    bare = replace(pi, files={}, nodes=(), commands={}, modules=frozenset(), users={}, ages_days={}, word_bits=32)
    bare.written = OSError(errno.EROFS, "Read-only file system")
    bare.model_says = ModelError("no model")
    for finding in examine(bare, board):
        assert finding.state is not State.OK or finding.check == "configuration", finding
        assert finding.mend or finding.state in (State.OK, State.SKIPPED), finding
        assert "\n" not in finding.what


def test_a_32_bit_system_is_refused_even_on_a_64_bit_kernel(pi: Any) -> None:
    pi.word_bits = 32
    finding = system.operating_system(pi)
    assert finding.state is State.FAILURE
    assert "64-bit Raspberry Pi OS" in str(finding.mend)


def test_the_system_is_named(pi: Any) -> None:
    what = system.operating_system(pi).what
    assert what == "Raspberry Pi 4 Model B Rev 1.4, Debian GNU/Linux 12 (bookworm), kernel 6.6.31+rpt-rpi-v8, 64 bit"


def test_an_old_python_is_refused(pi: Any, board: Subject) -> None:
    pi.version = (3, 9)
    assert system.python(pi, board).state is State.FAILURE


@pytest.mark.parametrize(
    ("module", "mend"), [("picamera2", "python3-picamera2"), ("RPi.GPIO", "python3-rpi-lgpio"), ("smbus2", "install")]
)
def test_a_module_that_the_configuration_needs_is_missed(pi: Any, board: Subject, module: str, mend: str) -> None:
    pi.modules -= {module}
    finding = system.python(pi, board)
    assert finding.state is State.FAILURE
    assert module in finding.what
    assert mend in str(finding.mend)


def test_the_original_rpi_gpio_is_refused(pi: Any, board: Subject) -> None:
    pi.distributions["RPi.GPIO"] = "0.7.1"
    finding = system.python(pi, board)
    assert finding.state is State.FAILURE
    assert finding.mend == "sudo apt-get install python3-rpi-lgpio"


def test_missing_groups_are_named(pi: Any, board: Subject) -> None:
    pi.users["focusgate"] = frozenset({"focusgate", "video"})
    finding = system.groups(pi, board)
    assert finding.state is State.FAILURE
    assert "gpio, i2c" in finding.what


def test_a_missing_service_user_is_a_failure(pi: Any, board: Subject) -> None:
    pi.users.clear()
    assert system.groups(pi, board).state is State.FAILURE


@pytest.mark.parametrize(
    ("written", "state"),
    [
        (Written(40.0, 20 * GIB), State.OK),
        (Written(40.0, 2 * GIB - 1), State.WARNING),
        (Written(40.0, 100 << 20), State.FAILURE),
        (Written(0.5, 20 * GIB), State.WARNING),
        (OSError(errno.ENOSPC, "No space left on device"), State.FAILURE),
        (OSError(errno.EIO, "Input/output error"), State.FAILURE),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), State.FAILURE),
        (PermissionError(errno.EACCES, "Permission denied"), State.FAILURE),
    ],
)
def test_the_disk_is_judged_by_a_real_write_and_by_its_room(
    pi: Any, board: Subject, written: Any, state: State
) -> None:
    pi.written = written
    assert system.disk(pi, board).state is state


def test_the_captures_of_the_service_are_not_for_everybody_to_examine(pi: Any, board: Subject) -> None:
    pi.root = False
    pi.written = PermissionError(errno.EACCES, "Permission denied")
    finding = system.disk(pi, board)
    assert (finding.state, finding.mend) == (State.SKIPPED, "sudo focusgate doctor")


def test_a_clock_that_is_not_synchronised_is_a_warning(pi: Any) -> None:
    pi.says("no", "timedatectl", "show", "--property=NTPSynchronized", "--value")
    assert system.clock(pi).state is State.WARNING


def test_the_mark_of_timesyncd_is_enough(pi: Any) -> None:
    pi.forget("timedatectl")
    assert system.clock(pi).state is State.SKIPPED
    pi.files["/run/systemd/timesync/synchronized"] = ""
    assert system.clock(pi).state is State.OK


def test_a_model_that_is_not_its_manifests_fails_with_the_models_own_words(pi: Any, board: Subject) -> None:
    pi.model_says = ModelError("focus-s.onnx: not the model of its manifest")
    finding = system.model(pi, board)
    assert finding.state is State.FAILURE
    assert finding.what == "focus-s.onnx: not the model of its manifest"


@pytest.mark.parametrize(("days", "state"), [(12.0, State.OK), (365.0, State.OK), (366.0, State.WARNING)])
def test_a_profile_older_than_a_year_is_worth_renewing(pi: Any, board: Subject, days: float, state: State) -> None:
    pi.ages_days[str(board.profile)] = days
    assert system.profile(pi, board).state is state


def test_a_device_without_a_profile_is_uncalibrated(pi: Any, changed: Callable[..., Subject]) -> None:
    assert system.profile(pi, changed(profile=None)).state is State.WARNING


def test_a_profile_that_is_named_must_exist(pi: Any, changed: Callable[..., Subject]) -> None:
    assert system.profile(pi, changed(profile=Path("/etc/none.json"))).state is State.FAILURE


@pytest.mark.parametrize(
    ("command", "said", "state"),
    [
        ("is-active", "failed", State.FAILURE),
        ("is-active", "activating", State.WARNING),
        ("is-active", "inactive", State.WARNING),
        ("is-enabled", "disabled", State.FAILURE),
    ],
)
@pytest.mark.parametrize("unit", ["focusgate.service", "focusgate-guard.service"])
def test_both_units_must_be_enabled_and_active(
    pi: Any, board: Subject, *, unit: str, command: str, said: str, state: State
) -> None:
    pi.says(said, "systemctl", command, unit, code=3)
    finding = system.service(pi, board)
    assert finding.state is state
    assert unit in finding.what


@pytest.mark.parametrize(("level", "state"), [("1.5", State.OK), ("1.6", State.FAILURE), ("9.2", State.FAILURE)])
def test_units_that_were_weakened_are_found(pi: Any, board: Subject, level: str, state: State) -> None:
    unit = "focusgate-guard.service"
    command = ("systemd-analyze", "security", "--offline=true", "--no-pager", f"/etc/systemd/system/{unit}")
    pi.says(f"→ Overall exposure level for {unit}: {level} EXPOSED", *command, code=1)
    finding = system.exposure(pi, board)
    assert finding.state is state
    assert re.search(rf"\b{re.escape(level)}\b", finding.what)
