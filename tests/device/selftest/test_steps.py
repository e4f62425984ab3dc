"""The self-test on simulated pins: what a watching person says decides, and the line is measured where it can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from device.clock import MS, SECOND, FakeClock
from device.doctor.finding import State
from device.pins.protocol import Buttons, Lamp, Tone
from device.pins.simulated import SimulatedPins
from device.selftest.steps import OPEN_NS, STEPS, Bench, aperture, buttons, lamp, shutter, tones, walk
from models.errors import HardwareError


@dataclass
class Watcher:
    """Answers as told, and presses what it is asked to (or something else)."""

    pins: SimulatedPins
    sees: Callable[[str], bool] = lambda _question: True
    hand: Callable[[str], str | None] = lambda button: button
    hold_ns: int = 200 * MS
    present: bool = True
    asked: list[str] = field(default_factory=list)

    def look(self, question: str) -> bool:
        self.asked.append(question)
        return self.sees(question)

    def press(self, button: str) -> bool:
        pressed = self.hand(button)
        if pressed is not None:
            self.pins.press(pressed, self.hold_ns)
        return self.present


@dataclass
class Iris:
    """Moves among its positions, or jams at one."""

    f_numbers: tuple[float, ...] = (2.8, 4.0, 5.6, 8.0)
    index: int = 1
    jammed: bool = False

    @property
    def f_number(self) -> float:
        return self.f_numbers[self.index]

    def move(self, steps: int) -> float:
        if not self.jammed:
            self.index = min(max(self.index + steps, 0), len(self.f_numbers) - 1)
        return self.f_number

    def close(self) -> None: ...


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(now_ns=5 * SECOND)


@pytest.fixture
def pins(clock: FakeClock) -> SimulatedPins:
    return SimulatedPins(clock)


@pytest.fixture
def bench(clock: FakeClock, pins: SimulatedPins) -> Bench:
    return Bench(pins, Iris(), clock, pins.shutter_is_high)


def test_with_everything_in_order_every_step_is_ok(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(walk(bench, Watcher(pins), tuple(STEPS)))
    assert [finding for finding in findings if finding.state is not State.OK] == []
    assert len(findings) == len(Lamp) + len(Tone) + len(Buttons.__slots__) + 2 + 2


def test_every_lamp_state_is_shown_once(bench: Bench, pins: SimulatedPins) -> None:
    list(lamp(bench, Watcher(pins)))
    shown = [event.value for event in pins.history if event.output == "lamp"]
    assert sorted(shown) == sorted(state.value for state in Lamp)


def test_every_tone_is_sounded_once_and_none_over_another(bench: Bench, pins: SimulatedPins) -> None:
    list(tones(bench, Watcher(pins)))
    sounded = [event for event in pins.history if event.output == "tone"]
    assert sorted(event.value for event in sounded) == sorted(tone.value for tone in Tone)
    assert all(b.at_ns - a.at_ns >= SECOND for a, b in pairwise(sounded))


def test_what_the_person_did_not_see_is_a_failure(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(lamp(bench, Watcher(pins, sees=lambda question: "green" not in question)))
    assert [finding.check for finding in findings if finding.state is State.FAILURE] == [
        "lamp open",
        "lamp open, room is low",
    ]


def test_swapped_buttons_are_found(bench: Bench, pins: SimulatedPins) -> None:
    swapped = {"capture": "override", "override": "capture"}
    findings = {f.check: f for f in buttons(bench, Watcher(pins, hand=lambda name: swapped.get(name, name)))}
    assert findings["button capture"].state is State.FAILURE
    assert "override answered" in findings["button capture"].what
    assert findings["button aperture_open"].state is State.OK


def test_a_button_that_never_answers_is_a_failure(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(buttons(bench, Watcher(pins, hand=lambda _name: None)))
    assert [finding.state for finding in findings] == [State.FAILURE] * len(Buttons.__slots__)


def test_buttons_that_are_not_fitted_are_not_asked_for(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(buttons(replace(bench, fitted=("capture", "override")), Watcher(pins)))
    assert [(finding.check, finding.state) for finding in findings] == [
        ("button capture", State.OK),
        ("button override", State.OK),
    ]


def test_waiting_for_a_press_has_an_end(bench: Bench, pins: SimulatedPins, clock: FakeClock) -> None:
    begun_ns = clock.now_ns()
    list(buttons(bench, Watcher(pins, hand=lambda _name: None)))
    assert clock.now_ns() - begun_ns <= len(Buttons.__slots__) * 16 * SECOND


def test_a_button_that_stays_down_is_found(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(buttons(bench, Watcher(pins, hold_ns=3600 * SECOND)))
    assert {finding.state for finding in findings} == {State.FAILURE}
    assert "never let go" in findings[0].what
    assert "before anybody pressed" in findings[1].what


def test_a_glitch_is_not_a_press(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(buttons(bench, Watcher(pins, hold_ns=5 * MS)))
    assert findings[0].state is State.FAILURE
    assert "no press" in findings[0].what


def test_with_nobody_there_real_buttons_are_skipped(bench: Bench, pins: SimulatedPins) -> None:
    findings = list(buttons(bench, Watcher(pins, hand=lambda _name: None, present=False)))
    assert {finding.state for finding in findings} == {State.SKIPPED}


def test_the_aperture_goes_to_both_ends_and_back_to_where_it_was(clock: FakeClock, pins: SimulatedPins) -> None:
    iris = Iris(index=2)
    findings = list(aperture(Bench(pins, iris, clock), Watcher(pins)))
    assert [(finding.check, finding.state) for finding in findings] == [
        ("aperture closes", State.OK),
        ("aperture opens", State.OK),
    ]
    assert iris.f_number == 5.6


def test_an_aperture_that_moves_at_its_own_pace_is_waited_for(clock: FakeClock, pins: SimulatedPins) -> None:
    class Slow(Iris):
        """Arrives two seconds after it was told to move."""

        moved_ns: int = 0
        wanted: int = 1

        @property
        def f_number(self) -> float:
            return self.f_numbers[self.wanted if clock.now_ns() >= self.moved_ns + 2 * SECOND else self.index]

        def move(self, steps: int) -> float:
            self.index = self.f_numbers.index(self.f_number)
            self.wanted = min(max(self.index + steps, 0), len(self.f_numbers) - 1)
            self.moved_ns = clock.now_ns()
            return self.f_number

    iris = Slow()
    assert {finding.state for finding in aperture(Bench(pins, iris, clock), Watcher(pins))} == {State.OK}


def test_an_aperture_that_does_not_know_where_it_is_fails(clock: FakeClock, pins: SimulatedPins) -> None:
    class Lost(Iris):
        f_number = None

        def move(self, _steps: int) -> None: ...

    findings = list(aperture(Bench(pins, Lost(), clock), Watcher(pins)))
    assert {finding.state for finding in findings} == {State.FAILURE}
    assert "nowhere that it knows" in findings[0].what


def test_a_jammed_aperture_is_found_without_asking(clock: FakeClock, pins: SimulatedPins) -> None:
    watcher = Watcher(pins)
    findings = list(aperture(Bench(pins, Iris(jammed=True), clock), watcher))
    assert {finding.state for finding in findings} == {State.FAILURE}
    assert watcher.asked == []


def test_a_fixed_aperture_is_skipped(clock: FakeClock, pins: SimulatedPins) -> None:
    (finding,) = aperture(Bench(pins, Iris(f_numbers=(4.0,), index=0), clock), Watcher(pins))
    assert finding.state is State.SKIPPED


def test_the_shutter_line_is_high_without_a_gap_and_falls_by_itself(bench: Bench, pins: SimulatedPins) -> None:
    assert [finding.state for finding in shutter(bench, Watcher(pins))] == [State.OK, State.OK]
    rose, fell = (event for event in pins.history if event.output == "shutter")
    assert (rose.value, fell.value) == ("high", "low")
    assert OPEN_NS <= fell.at_ns - rose.at_ns <= OPEN_NS + 200 * MS


def test_a_line_that_stays_low_or_stays_high_is_found_by_measuring(clock: FakeClock, pins: SimulatedPins) -> None:
    watcher = Watcher(pins)
    low = [finding.state for finding in shutter(Bench(pins, Iris(), clock, lambda: False), watcher)]
    high = [finding.state for finding in shutter(Bench(pins, Iris(), clock, lambda: True), watcher)]
    assert low == [State.FAILURE, State.OK]
    assert high == [State.OK, State.FAILURE]


def test_a_line_that_cannot_be_read_back_is_judged_by_the_person(clock: FakeClock, pins: SimulatedPins) -> None:
    watcher = Watcher(pins, sees=lambda question: "low" not in question)
    assert [f.state for f in shutter(Bench(pins, Iris(), clock), watcher)] == [State.OK, State.FAILURE]


def test_a_part_that_does_not_answer_ends_its_own_step_only(bench: Bench, pins: SimulatedPins) -> None:
    def dead(_lamp: Lamp) -> None:
        raise HardwareError("the lamp does not answer")

    pins.show = dead
    findings = list(walk(bench, Watcher(pins), ("lamp", "tones")))
    assert (findings[0].check, findings[0].state, findings[0].what) == (
        "lamp",
        State.FAILURE,
        "the lamp does not answer",
    )
    assert {finding.state for finding in findings[1:]} == {State.OK}
