"""Properties of the gate over random lives: whatever is seen and pressed, it never lies and never blocks."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from device.gate import MS, Capture, Evidence, GateSettings, GateState, Inputs, Mode, OverrideArmed, step

SETTINGS = GateSettings()


@dataclass(frozen=True)
class Moment:
    """One step of a random life."""

    gap_ns: int
    age_ns: int | None  # None: no evidence in this step
    passes: bool
    capture: bool
    override: bool
    fault: bool
    full: bool


EDGES_MS = st.sampled_from([0, 1, 10, 99, 100, 200, 299, 300, 301, 500, 501, 1499, 1500, 1501, 9999, 10_000, 12_000])
MOMENTS = st.builds(
    Moment,
    gap_ns=st.one_of(st.just(10 * MS), st.just(100 * MS), EDGES_MS.map(lambda ms: ms * MS)),
    age_ns=st.one_of(st.none(), st.just(0), st.integers(-MS, 400 * MS), st.sampled_from([300 * MS, 300 * MS + 1])),
    passes=st.sampled_from([True, True, True, False]),
    capture=st.booleans(),
    override=st.sampled_from([False, True, True]),
    fault=st.sampled_from([False] * 9 + [True]),
    full=st.sampled_from([False] * 9 + [True]),
)
LIVES = st.lists(MOMENTS, min_size=1, max_size=80)


def live(moments: list[Moment]) -> list[tuple[int, Evidence | None, Inputs, GateState]]:
    """Run a life; each entry has the time, what was given, and the state after it."""
    state, now_ns, story = GateState(), 10**12, []
    for number, moment in enumerate(moments, 1):
        now_ns += moment.gap_ns
        found = None if moment.age_ns is None else Evidence(number, now_ns - moment.age_ns, moment.passes, "blurred")
        inputs = Inputs(
            capture=moment.capture,
            override=moment.override,
            frame_id=number,
            exposed_ns=now_ns,
            fault="fault" if moment.fault else None,
            cannot_save="full" if moment.full else None,
        )
        state = step(state, found, inputs, now_ns)
        story.append((now_ns, found, inputs, state))
    return story


@settings(max_examples=400)
@given(LIVES)
def test_it_is_open_only_after_three_fresh_passing_frames_in_a_row(moments: list[Moment]) -> None:
    taken: list[Evidence] = []
    silent_since = True
    for now_ns, found, _, state in live(moments):
        last = taken[-1] if taken else None
        if last is not None and now_ns - last.exposed_ns > SETTINGS.max_evidence_age_ns:
            silent_since = True
        if state.evidence is not None and (not taken or state.evidence is not taken[-1]):
            assert state.evidence is found
            if silent_since:
                taken = []
            silent_since = False
            taken.append(state.evidence)
        if state.mode is Mode.OPEN:
            assert len(taken) >= 3
            assert all(item.passes for item in taken[-3:])
            assert 0 <= now_ns - taken[-1].exposed_ns <= SETTINGS.max_evidence_age_ns
            exposures = [item.exposed_ns for item in taken[-3:]]
            assert exposures == sorted(set(exposures))


@given(LIVES)
def test_it_is_never_open_right_after_a_failing_frame(moments: list[Moment]) -> None:
    for _, found, _, state in live(moments):
        if found is not None and state.evidence is found and not found.passes:
            assert state.mode is not Mode.OPEN


@given(LIVES)
def test_it_is_never_open_on_stale_evidence_or_with_a_fault(moments: list[Moment]) -> None:
    for now_ns, _, inputs, state in live(moments):
        if state.mode is Mode.OPEN:
            assert inputs.fault is None
            assert state.evidence is not None
            assert now_ns - state.evidence.exposed_ns <= SETTINGS.max_evidence_age_ns


@settings(max_examples=400)
@given(LIVES)
def test_every_capture_is_of_a_frame_after_its_press_and_passes_unless_it_is_an_override(moments: list[Moment]) -> None:
    for now_ns, found, inputs, state in live(moments):
        for event in state.events:
            if not isinstance(event, Capture):
                continue
            assert inputs.cannot_save is None
            assert now_ns - event.pressed_ns <= SETTINGS.press_window_ns
            if event.judged:
                assert found is not None
                assert found.frame_id == event.frame_id
                assert found.exposed_ns >= event.pressed_ns
                assert event.override or (found.passes and inputs.fault is None)
            else:
                assert event.override
                assert event.frame_id == inputs.frame_id


@settings(max_examples=400)
@given(LIVES)
def test_each_override_capture_was_armed_by_its_own_hold(moments: list[Moment]) -> None:
    holds_since_ns: int | None = None
    armings = overrides = 0
    for now_ns, _, inputs, state in live(moments):
        holds_since_ns = (holds_since_ns if holds_since_ns is not None else now_ns) if inputs.override else None
        for event in state.events:
            if isinstance(event, OverrideArmed):
                armings += 1
                assert holds_since_ns is not None
                held_ns = now_ns - holds_since_ns
                assert SETTINGS.override_hold_ns <= held_ns < SETTINGS.stuck_ns
                assert event.until_ns == now_ns + SETTINGS.override_armed_ns
            elif isinstance(event, Capture) and event.override:
                overrides += 1
        assert overrides <= armings
        if state.mode is Mode.OVERRIDE_ARMED:
            assert state.armed_until_ns is not None
            assert now_ns < state.armed_until_ns


@given(LIVES)
def test_a_press_is_always_answered_within_its_window_by_a_capture_or_a_refusal(moments: list[Moment]) -> None:
    story = live(moments)
    now_ns, _, _, state = story[-1]
    if state.press is not None:
        after = step(state, None, Inputs(), now_ns + SETTINGS.press_window_ns + 1)
        assert after.press is None
        assert len(after.events) >= 1


@given(LIVES)
def test_the_same_life_gives_the_same_states(moments: list[Moment]) -> None:
    assert live(moments) == live(moments)
