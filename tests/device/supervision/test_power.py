"""The supply voltage: told while it is too low and a while more; the actuator is off, the audit log has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock import SECOND
from device.supervision.power import HOLD_NS, LOOK_NS, PowerWatch, Supply, power_watch, read_alarm, supply


def sensor(root: Path, name: str = "rpi_volt", alarm: str | None = "0\n") -> Path:
    folder = root / f"hwmon{len(list(root.iterdir()))}"
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    if alarm is not None:
        (folder / "in0_lcrit_alarm").write_text(alarm)
    return folder / "in0_lcrit_alarm"


@given(st.lists(st.tuples(st.integers(0, 2 * HOLD_NS), st.booleans()), max_size=30))
def test_it_is_low_for_five_seconds_after_the_last_alarm_and_at_no_other_time(moments: list[tuple[int, bool]]) -> None:
    state, now_ns, last_ns = Supply(), 10**12, None
    for gap_ns, alarm in moments:
        now_ns += gap_ns
        state = supply(state, alarm, now_ns)
        last_ns = now_ns if alarm else last_ns
        assert state.is_low(now_ns) == (last_ns is not None and now_ns - last_ns < HOLD_NS)


@pytest.mark.parametrize(("gap_ns", "low"), [(0, True), (HOLD_NS - 1, True), (HOLD_NS, False), (HOLD_NS + 1, False)])
def test_at_the_end_of_the_five_seconds_it_is_over(gap_ns: int, low: bool) -> None:
    assert Supply(SECOND).is_low(SECOND + gap_ns) is low
    assert not Supply().is_low(gap_ns)


def test_it_looks_twice_a_second_and_holds_for_five() -> None:
    assert (LOOK_NS, HOLD_NS) == (SECOND // 2, 5 * SECOND)


@pytest.mark.parametrize(("text", "low"), [("1\n", True), ("0\n", False), ("2\n", False), ("", False), ("11", False)])
def test_only_a_one_is_an_alarm(tmp_path: Path, text: str, low: bool) -> None:
    assert read_alarm(sensor(tmp_path, alarm=text)) is low
    assert not read_alarm(tmp_path / "none")


def test_the_boards_own_sensor_is_found_among_others(tmp_path: Path) -> None:
    assert power_watch(tmp_path) is None
    sensor(tmp_path, "cpu_thermal", None)
    assert power_watch(tmp_path) is None
    alarm = sensor(tmp_path)
    watch = power_watch(tmp_path)
    assert watch is not None
    assert watch.turned(SECOND) is None
    alarm.write_text("1\n")
    assert watch.turned(SECOND + LOOK_NS - 1) is None
    assert watch.turned(SECOND + LOOK_NS) is True
    assert watch.turned(SECOND + LOOK_NS) is None
    alarm.unlink()
    assert watch.turned(SECOND + LOOK_NS + HOLD_NS) is False


def test_a_sensor_without_a_name_that_can_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "hwmon0" / "name").mkdir(parents=True)
    assert power_watch(tmp_path) is None
    assert power_watch(tmp_path / "nowhere") is None


def test_on_a_fake_clock_there_is_no_look_before_its_time() -> None:
    looks: list[bool] = []
    watch = PowerWatch(lambda: not looks.append(True))
    for now_ns in range(0, 10 * LOOK_NS, LOOK_NS // 10):
        watch.turned(now_ns)
    assert len(looks) == 10
