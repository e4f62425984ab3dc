"""What the service manager is told, and when it is told nothing."""

from __future__ import annotations

from device.clock import MS, SECOND
from device.gate import GateState, Mode
from device.service import ServiceWord
from device.status import Status


def told(*moments: tuple[int, int, bool]) -> list[str]:
    """What is said at each moment of (now ms, frames, whether vision gives signs of life)."""
    said: list[str] = []
    word = ServiceWord(said.append)
    for now_ms, frames, alive in moments:
        state = GateState(mode=Mode.CLOSED, reason="too dark")
        word.tick(now_ms * MS + SECOND, Status(gate=state, frames=frames), alive=alive)
    return said


def test_ready_is_said_once_and_not_before_the_first_frame() -> None:
    said = told((0, 0, True), (10, 1, True), (20, 2, True))
    assert "READY=1" not in said[0]
    assert said[1] == "READY=1"
    assert len(said) == 2


def test_the_watchdog_is_fed_twice_a_second() -> None:
    said = told(*((at_ms, 1, True) for at_ms in range(0, 2001, 10)))
    assert sum("WATCHDOG=1" in words for words in said) == 5


def test_the_watchdog_is_not_fed_while_vision_gives_no_sign_of_life() -> None:
    said = told((0, 1, True), (1000, 1, True), (2000, 1, False), (3000, 1, True))
    assert ["WATCHDOG=1" in words for words in said] == [True, True, False, True]


def test_the_status_says_state_and_rate_once_a_second() -> None:
    said = told(*((at_ms, 1, True) for at_ms in range(0, 1001, 100)))
    lines = [words for words in said if "STATUS=" in words]
    assert len(lines) == 2
    assert "STATUS=closed: too dark (0.0 frames/s, 0 ms)" in lines[0]
