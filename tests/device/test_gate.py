"""The gate core, sentence by sentence; boundaries are tested from both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device.gate import (
    MS,
    SECOND,
    Button,
    ButtonStuck,
    Capture,
    Evidence,
    GateSettings,
    GateState,
    Inputs,
    Mode,
    OverrideArmed,
    OverrideExpired,
    Press,
    Refused,
    step,
)

SETTINGS = GateSettings()
PERIOD = 100 * MS
START = 1000 * SECOND
IDLE = Inputs()


def evidence(frame_id: int, exposed_ns: int, passes: bool = True) -> Evidence:
    return Evidence(frame_id, exposed_ns, passes, "" if passes else "only 50 % in focus (90 % needed)")


def opened() -> GateState:
    """A gate that has just been opened by frames 1 to 3; its time is START + 3 periods."""
    state = GateState()
    for number in (1, 2, 3):
        at_ns = START + number * PERIOD
        state = step(state, evidence(number, at_ns), IDLE, at_ns)
    assert state.mode is Mode.OPEN
    return state


def armed(base: GateState | None = None) -> GateState:
    """A gate whose override has just been armed, and the button let go."""
    state = base or GateState(now_ns=START)
    at_ns = state.now_ns + MS
    state = step(state, None, Inputs(override=True), at_ns)
    state = step(state, None, Inputs(override=True), at_ns + SETTINGS.override_hold_ns)
    assert state.mode is Mode.OVERRIDE_ARMED
    return step(state, None, IDLE, at_ns + SETTINGS.override_hold_ns + MS)


def test_a_new_gate_is_starting_and_not_enabled() -> None:
    state = step(GateState(), None, IDLE, START)
    assert (state.mode, state.enabled) == (Mode.STARTING, False)


def test_two_passing_frames_do_not_open_and_the_third_does() -> None:
    state = GateState()
    modes = []
    for number in (1, 2, 3):
        state = step(state, evidence(number, START + number * PERIOD), IDLE, START + number * PERIOD)
        modes.append(state.mode)
    assert modes == [Mode.CLOSED, Mode.CLOSED, Mode.OPEN]


def test_while_counting_passes_it_says_hold_still() -> None:
    state = step(GateState(), evidence(1, START), IDLE, START)
    assert state.reason == "in focus, hold still"


def test_the_first_failing_frame_closes_with_its_reason_and_the_count_begins_anew() -> None:
    state = opened()
    at_ns = state.now_ns + PERIOD
    state = step(state, evidence(4, at_ns, passes=False), IDLE, at_ns)
    assert (state.mode, state.reason, state.passes) == (Mode.CLOSED, "only 50 % in focus (90 % needed)", 0)
    state = step(state, evidence(5, at_ns + PERIOD), IDLE, at_ns + PERIOD)
    assert state.mode is Mode.CLOSED


@pytest.mark.parametrize(("age_ns", "mode"), [(300 * MS, Mode.OPEN), (300 * MS + 1, Mode.CLOSED)])
def test_evidence_is_evidence_up_to_300_ms(age_ns: int, mode: Mode) -> None:
    state = opened()
    state = step(state, None, IDLE, state.now_ns + age_ns)
    assert state.mode is mode


def test_evidence_as_old_as_the_clock_itself_is_stale() -> None:
    state = step(GateState(), evidence(1, SECOND), IDLE, SECOND)
    assert step(state, None, IDLE, 2 * SECOND).reason == "no frame judged in the last 300 ms"
    assert step(GateState(), evidence(1, SECOND), IDLE, 2 * SECOND).evidence is None


def test_holds_and_waits_are_measured_from_their_beginning_at_any_time_of_the_clock() -> None:
    since_ns = SETTINGS.override_hold_ns
    state = step(GateState(), None, Inputs(override=True), since_ns)
    assert step(state, None, Inputs(override=True), 2 * since_ns).mode is Mode.OVERRIDE_ARMED
    since_ns = SETTINGS.stuck_ns
    state = step(GateState(), None, Inputs(capture=True), since_ns)
    assert step(state, None, Inputs(capture=True), 2 * since_ns).capture_button.stuck
    waiting = replace(GateState(), press=Press(SECOND, override=False), now_ns=SECOND)
    assert step(waiting, None, IDLE, 2 * SECOND).press is None


def test_after_a_silence_three_more_passes_are_needed() -> None:
    state = opened()
    at_ns = state.now_ns + 301 * MS
    state = step(state, evidence(4, at_ns), IDLE, at_ns)
    assert (state.mode, state.passes) == (Mode.CLOSED, 1)


def test_a_classifier_that_is_too_slow_is_told_from_one_that_is_silent() -> None:
    slow = "frames are judged too slowly, later than 300 ms after their exposure"
    state = step(GateState(), evidence(1, START), IDLE, START + 301 * MS)
    assert (state.mode, state.reason) == (Mode.CLOSED, slow)
    state = step(state, evidence(2, START + 400 * MS), IDLE, START + 500 * MS)
    assert state.reason == "in focus, hold still"
    state = step(state, None, IDLE, START + SECOND)
    assert state.reason == "no frame judged in the last 300 ms"
    state = step(state, evidence(3, START + SECOND), IDLE, START + 2 * SECOND)
    assert state.reason == slow


def test_without_evidence_it_says_for_how_long() -> None:
    state = opened()
    assert step(state, None, IDLE, state.now_ns + SECOND).reason == "no frame judged in the last 300 ms"


@pytest.mark.parametrize(
    "late",
    [
        evidence(4, START + 3 * PERIOD - 301 * MS),  # stale on arrival
        evidence(4, START + 3 * PERIOD + PERIOD),  # exposed in the future
        evidence(3, START + 3 * PERIOD + 1),  # the same frame again
        evidence(4, START + 3 * PERIOD),  # another frame, but not exposed later
    ],
)
def test_evidence_that_cannot_be_newer_is_ignored(late: Evidence) -> None:
    state = opened()
    after = step(state, replace(late, passes=False), IDLE, state.now_ns + 2)
    assert after.evidence == state.evidence
    assert after.mode is Mode.OPEN


def test_a_clock_that_runs_backwards_is_taken_as_standing_still() -> None:
    state = opened()
    assert step(state, None, IDLE, state.now_ns - SECOND).now_ns == state.now_ns


def test_a_fault_closes_with_its_cause_and_what_passed_before_it_opens_nothing_after_it() -> None:
    state = opened()
    state = step(state, None, Inputs(fault="camera: gone"), state.now_ns + MS)
    assert (state.mode, state.reason, state.enabled) == (Mode.FAULT, "camera: gone", False)
    state = step(state, None, IDLE, state.now_ns + MS)
    assert (state.mode, state.reason) == (Mode.CLOSED, "in focus, hold still")
    for number, mode in ((4, Mode.CLOSED), (5, Mode.CLOSED), (6, Mode.OPEN)):
        at_ns = START + number * PERIOD
        state = step(state, evidence(number, at_ns), IDLE, at_ns)
        assert state.mode is mode


# --- the capture button ----------------------------------------------------------------------------------------------


def test_a_press_while_open_saves_the_first_frame_exposed_after_it() -> None:
    state = opened()
    press_ns = state.now_ns + 10 * MS
    state = step(state, None, Inputs(capture=True), press_ns)
    assert state.events == ()
    state = step(state, evidence(4, press_ns - 1), Inputs(capture=True), press_ns + 50 * MS)
    assert state.events == ()  # exposed before the press
    state = step(state, evidence(5, press_ns), Inputs(capture=True), press_ns + 90 * MS)
    assert state.events == (Capture(5, press_ns, override=False, judged=True),)
    assert state.press is None


def test_a_failing_frame_after_the_press_is_passed_over() -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(4, press_ns + MS, passes=False), IDLE, press_ns + 100 * MS)
    assert (state.events, state.mode) == ((), Mode.CLOSED)
    state = step(state, evidence(5, press_ns + 150 * MS), IDLE, press_ns + 200 * MS)
    assert state.events == (Capture(5, press_ns, override=False, judged=True),)


@pytest.mark.parametrize(("waited_ns", "saved"), [(500 * MS, True), (500 * MS + 1, False)])
def test_the_frame_must_come_within_500_ms_of_the_press(waited_ns: int, saved: bool) -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(9, press_ns + 300 * MS), IDLE, press_ns + waited_ns)
    expected = (
        Capture(9, press_ns, override=False, judged=True)
        if saved
        else Refused("no frame in focus within 500 ms of the press")
    )
    assert state.events == (expected,)
    assert state.press is None


def test_a_fault_between_press_and_frame_saves_nothing() -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(4, press_ns), Inputs(fault="model: gone"), press_ns + MS)
    assert state.events == ()
    state = step(state, None, Inputs(fault="model: gone"), press_ns + SECOND)
    assert state.events == (Refused("no frame in focus within 500 ms of the press"),)


def test_a_press_while_closed_is_refused_with_the_reason() -> None:
    state = step(GateState(), evidence(1, START, passes=False), Inputs(capture=True), START)
    assert state.events == (Refused("only 50 % in focus (90 % needed)"),)
    assert state.press is None


def test_a_press_in_the_instant_in_which_the_gate_closes_is_refused() -> None:
    state = opened()
    at_ns = state.now_ns + PERIOD
    state = step(state, evidence(4, at_ns, passes=False), Inputs(capture=True), at_ns)
    assert isinstance(state.events[0], Refused)


def test_holding_the_button_is_one_press() -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(4, press_ns), Inputs(capture=True), press_ns + MS)
    assert len(state.events) == 1
    state = step(state, evidence(5, press_ns + PERIOD), Inputs(capture=True), press_ns + PERIOD)
    assert state.events == ()


def test_a_second_press_while_the_first_waits_is_refused_and_the_first_still_served() -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, None, IDLE, press_ns + MS)
    state = step(state, None, Inputs(capture=True), press_ns + 2 * MS)
    assert state.events == (Refused("the last press is still waiting for its frame"),)
    state = step(state, evidence(4, press_ns), IDLE, press_ns + 3 * MS)
    assert state.events == (Capture(4, press_ns, override=False, judged=True),)


def test_when_nothing_can_be_saved_a_press_is_refused_before_the_exposure() -> None:
    state = opened()
    state = step(state, None, Inputs(capture=True, cannot_save="disk full"), state.now_ns + MS)
    assert state.events == (Refused("disk full"),)


def test_when_saving_becomes_impossible_the_waiting_press_is_refused() -> None:
    state = opened()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(4, press_ns), Inputs(cannot_save="disk full"), press_ns + MS)
    assert (state.events, state.press) == ((Refused("disk full"),), None)


# --- the override ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held_ns", "is_armed"), [(1500 * MS - 1, False), (1500 * MS, True)])
def test_the_override_arms_after_a_hold_of_1500_ms(held_ns: int, is_armed: bool) -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    state = step(state, None, Inputs(override=True), START + held_ns)
    assert (state.mode is Mode.OVERRIDE_ARMED) == is_armed
    assert state.events == ((OverrideArmed(START + held_ns + 10 * SECOND),) if is_armed else ())


def test_two_short_holds_do_not_add_up() -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    state = step(state, None, IDLE, START + 1400 * MS)
    state = step(state, None, Inputs(override=True), START + 1450 * MS)
    state = step(state, None, Inputs(override=True), START + 1600 * MS)
    assert state.mode is Mode.STARTING


def test_one_hold_arms_once() -> None:
    state = armed()
    until_ns = state.armed_until_ns
    state = GateState(now_ns=START)
    state = step(state, None, Inputs(override=True), START + MS)
    for number in range(30):
        state = step(state, None, Inputs(override=True), START + MS + 1500 * MS + number * 10 * MS)
    assert state.armed_until_ns == until_ns


@pytest.mark.parametrize(("later_ns", "is_armed"), [(10 * SECOND - 1, True), (10 * SECOND, False)])
def test_an_armed_override_expires_after_10_s(later_ns: int, is_armed: bool) -> None:
    state = armed()
    assert state.armed_until_ns is not None
    state = step(state, None, IDLE, state.armed_until_ns - 10 * SECOND + later_ns)
    assert state.enabled == is_armed
    assert state.events == (() if is_armed else (OverrideExpired(),))


def test_an_override_saves_the_first_frame_after_the_press_with_the_score_that_it_overrules() -> None:
    state = armed()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(7, press_ns, passes=False), IDLE, press_ns + 50 * MS)
    assert state.events == (Capture(7, press_ns, override=True, judged=True),)


def test_an_override_is_one_shot() -> None:
    state = armed()
    press_ns = state.now_ns + MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(7, press_ns, passes=False), IDLE, press_ns + MS)
    assert (state.armed_until_ns, state.enabled) == (None, False)
    state = step(state, None, Inputs(capture=True), press_ns + SECOND)
    assert isinstance(state.events[0], Refused)


@pytest.mark.parametrize(("waited_ns", "taken"), [(300 * MS - 1, False), (300 * MS, True)])
def test_without_a_classifier_an_override_takes_the_newest_frame_after_300_ms(waited_ns: int, taken: bool) -> None:
    state = armed()
    press_ns = state.now_ns + MS
    broken = Inputs(frame_id=42, exposed_ns=press_ns, fault="model: broken")
    state = step(state, None, replace(broken, capture=True), press_ns)
    state = step(state, None, broken, press_ns + waited_ns)
    assert state.events == ((Capture(42, press_ns, override=True, judged=False),) if taken else ())


@pytest.mark.parametrize("newest", [Inputs(), Inputs(frame_id=41, exposed_ns=START)])
def test_without_a_frame_after_the_press_an_override_is_refused_and_stays_armed(newest: Inputs) -> None:
    state = armed()
    press_ns = state.now_ns + MS
    state = step(state, None, replace(newest, capture=True), press_ns)
    state = step(state, None, newest, press_ns + 400 * MS)
    assert state.events == ()
    state = step(state, None, newest, press_ns + 501 * MS)
    assert state.events == (Refused("no frame from the camera within 500 ms of the press"),)
    assert state.mode is Mode.OVERRIDE_ARMED


def test_a_press_made_while_armed_is_served_after_the_override_expired() -> None:
    state = armed()
    assert state.armed_until_ns is not None
    press_ns = state.armed_until_ns - MS
    state = step(state, None, Inputs(capture=True), press_ns)
    state = step(state, evidence(5, press_ns + 10 * MS, passes=False), IDLE, press_ns + 60 * MS)
    assert state.events == (OverrideExpired(), Capture(5, press_ns, override=True, judged=True))


def test_the_override_works_in_every_state_and_says_so_even_when_open() -> None:
    for base in (GateState(now_ns=START), opened(), step(opened(), None, Inputs(fault="x"), START + 4 * PERIOD)):
        assert armed(base).mode is Mode.OVERRIDE_ARMED


def test_both_buttons_in_one_instant_arm_first_and_then_press() -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    press_ns = START + 1500 * MS
    state = step(state, None, Inputs(override=True, capture=True), press_ns)
    assert state.press is not None
    assert state.press.override


# --- stuck buttons ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("held_ns", "stuck"), [(10 * SECOND - 1, False), (10 * SECOND, True)])
@pytest.mark.parametrize("button", list(Button))
def test_a_button_held_for_10_s_is_stuck_and_said_so_once(button: Button, held_ns: int, stuck: bool) -> None:
    down = Inputs(**{button.value: True})
    state = step(GateState(), None, down, START)
    state = step(state, None, down, START + held_ns)
    assert (ButtonStuck(button) in state.events) == stuck
    state = step(state, None, down, START + held_ns + 20 * SECOND)
    assert (ButtonStuck(button) in state.events) == (not stuck)


def test_a_stuck_override_disarms_what_it_armed_and_a_stuck_capture_leaves_the_gate_alone() -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    state = step(state, None, Inputs(override=True), START + 1500 * MS)
    state = step(state, None, Inputs(override=True), START + 10 * SECOND)
    assert state.events == (ButtonStuck(Button.OVERRIDE), OverrideExpired())
    assert not state.enabled
    state = opened()
    for number in range(4, 130):
        at_ns = START + number * PERIOD
        state = step(state, evidence(number, at_ns), Inputs(capture=True), at_ns)
    assert state.mode is Mode.OPEN


def test_a_button_found_stuck_at_the_first_look_arms_nothing() -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    state = step(state, None, Inputs(override=True), START + 11 * SECOND)
    assert state.events == (ButtonStuck(Button.OVERRIDE),)
    assert not state.enabled


def test_a_freed_button_works_again() -> None:
    state = step(GateState(), None, Inputs(override=True), START)
    state = step(state, None, Inputs(override=True), START + 10 * SECOND)
    state = step(state, None, IDLE, START + 11 * SECOND)
    assert armed(state).enabled
