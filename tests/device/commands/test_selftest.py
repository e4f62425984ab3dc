"""`focusgate selftest` on simulated pins: with nobody there, and with a person who answers."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from device.aperture.protocol import Aperture
from device.clock import SECOND, FakeClock
from device.commands import selftest
from device.pins.simulated import SimulatedPins
from device.status import Status
from device.status_file import write_status
from models.errors import ExitCode, HardwareError, InputError

Run = Callable[..., int]


class Iris:
    f_numbers = (2.8, 5.6)
    f_number = 2.8

    def move(self, steps: int) -> float:
        self.f_number = 5.6 if steps > 0 else 2.8
        return self.f_number

    def close(self) -> None: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command on a fake clock, with an aperture of two positions."""
    iris: Aperture = Iris()
    backends = ModuleType("device.backends")
    backends.source_of = lambda _config, _clock: SimpleNamespace(aperture=iris)
    backends.pins_of = lambda _config, clock: SimulatedPins(clock)
    monkeypatch.setitem(sys.modules, "device.backends", backends)
    monkeypatch.setattr("device.clock.MonotonicClock", FakeClock)
    monkeypatch.setattr(selftest, "CONFIG_FILE", tmp_path / "none.toml")

    def runs(*words: str) -> int:
        parser = argparse.ArgumentParser()
        selftest.add_parser(parser.add_subparsers())
        arguments = parser.parse_args(["selftest", *words])
        return int(arguments.run(arguments))

    return runs


def test_with_yes_simulated_pins_pass_and_nobody_is_asked(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: pytest.fail("somebody was asked"))
    assert run("--yes") == ExitCode.OK
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "22 steps, 0 failed"
    assert all(line.startswith("ok ") for line in said[:-1])


def test_some_steps_may_be_chosen_and_keep_their_order(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--yes", "--only", "shutter, lamp") == ExitCode.OK
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert said == ["lamp"] * 8 + ["shutter"] * 2


@pytest.mark.parametrize("only", ["lamps", "", ",", "lamp,horn"])
def test_a_step_that_is_none_is_refused_with_those_there_are(only: str) -> None:
    with pytest.raises(InputError, match="allowed: lamp, tones, buttons, aperture, shutter"):
        selftest.chosen(only)


def test_a_person_who_says_no_makes_it_fail(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "No" if "green" in question else "")
    assert run("--only", "lamp") == ExitCode.NOT_PASSED
    said = capsys.readouterr().out
    assert "failure  lamp open" in said
    assert "docs/board.md" in said


def test_without_a_terminal_the_way_out_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(InputError, match="--yes"):
        run("--only", "lamp")


def test_beside_a_running_service_it_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    monkeypatch.setattr("device.status_file.STATUS_FILE", path)
    selftest.refuse_beside_the_service()
    write_status(path, Status(), time.monotonic_ns() - 600 * SECOND)
    selftest.refuse_beside_the_service()
    write_status(path, Status(), time.monotonic_ns() + 600 * SECOND)
    with pytest.raises(InputError, match="systemctl stop focusgate"):
        selftest.refuse_beside_the_service()


def test_a_person_at_a_terminal_is_told_which_button_to_press(capsys: pytest.CaptureFixture[str]) -> None:
    assert selftest.AtTerminal().press("aperture_open")
    assert "Press the aperture open button" in capsys.readouterr().out


def test_while_a_person_thinks_the_pins_go_on_playing_and_a_silent_guard_does_not_end_it() -> None:
    """The lamp's rhythm is played by `tick`; this one fails every time, as with a guard that is gone."""
    ticked = threading.Semaphore(0)

    class Ticked(SimulatedPins):
        def tick(self, _now_ns: int) -> None:
            ticked.release()
            raise HardwareError("the guard is gone")

    with selftest.ticking(Ticked(FakeClock()), FakeClock()):
        assert ticked.acquire(timeout=20)
        assert ticked.acquire(timeout=20)
    assert not any(thread.name == "lamp" for thread in threading.enumerate())


def test_the_command_names_exactly_the_steps_that_there_are() -> None:
    from device.selftest.steps import STEPS

    assert tuple(STEPS) == selftest.STEP_NAMES
