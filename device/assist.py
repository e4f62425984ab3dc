"""Aperture advice: closes the iris while that makes more of the picture sharp, opens it where it costs more. Pure.

Advice, not authority: the gate judges every frame by itself and does not know that this exists. A search is short, its
moves are few, and at its end the best that was found is kept; then it rests. Nothing moves while a press waits for its
frame or an override is armed, while the clinician paused it, or after the clinician moved the aperture by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from device.clock import MS, SECOND
from device.frame import ExposureInfo
from device.optics_model import Light, Optics, blur_at
from models.focusmap import FocusMap
from models.verdict import DEFAULT_PERCENT


class Phase(StrEnum):
    """What the assistant is doing."""

    WATCHING = "watching"
    SEARCHING = "searching"
    HOLDING = "holding"


@dataclass(frozen=True, slots=True)
class AssistSettings:
    """When to begin, how far to go, when to stop.

    start_fraction     below this share in focus the distance is wrong, and closing does not mend that
    start_frames       so many frames in a row fall short before a search begins
    frames_a_position  so many frames are judged at each position
    settle_ns          frames exposed so soon after a move do not count
    interval_ns        shortest time between two moves
    largest_moves, longest_ns   of one search (hazard H30)
    rest_ns            between two searches
    follow_ns          an aperture that is not there by then does not follow
    manual_ns          so long after a move by hand the clinician's choice stands
    criterion_px       largest blur radius that is in focus
    margin             gain in cost below which a step is not worth it
    longest_us, largest_gain    limits of exposure and gain: beyond, the light does not allow it
    free_gain          gain up to which noise costs nothing
    noise_cost         what each stop of gain beyond that costs, as a share of the criterion
    """

    start_fraction: float = 0.3
    start_frames: int = 3
    frames_a_position: int = 2
    settle_ns: int = 150 * MS
    interval_ns: int = 200 * MS
    largest_moves: int = 20
    longest_ns: int = 5 * SECOND
    rest_ns: int = 10 * SECOND
    follow_ns: int = 3 * SECOND
    manual_ns: int = 60 * SECOND
    criterion_px: float = 2.0
    margin: float = 0.03
    longest_us: float = 33_000.0
    largest_gain: float = 8.0
    free_gain: float = 2.0
    noise_cost: float = 0.1
    optics: Optics = field(default_factory=Optics)


@dataclass(frozen=True, slots=True)
class Observation:
    """One judged frame, and where the aperture stands.

    fraction       share of the judged tiles in focus; None where too few could be judged
    passes         the gate's own verdict on the frame
    blur_px        blur radius that the percentage asked for must stay below; None where nothing could be judged
    f_number       in force now; None if unknown
    busy           a press waits, an override is armed, or a capture is being taken
    paused         by the clinician
    """

    exposed_ns: int
    fraction: float | None
    passes: bool
    blur_px: float | None
    exposure_us: float | None
    gain: float | None
    f_number: float | None
    f_numbers: tuple[float, ...]
    busy: bool = False
    paused: bool = False


def observation_of(
    focus_map: FocusMap,
    info: ExposureInfo,
    f_number: float | None,
    f_numbers: tuple[float, ...],
    *,
    percent: int = DEFAULT_PERCENT,
    busy: bool = False,
    paused: bool = False,
) -> Observation:
    """What the assistant needs of one judged frame. `percent` of the judged tiles are at most `blur_px` blurred."""
    known = focus_map.can_judge
    blur = focus_map.blur_px[focus_map.judged]
    return Observation(
        exposed_ns=focus_map.exposed_ns,
        fraction=focus_map.fraction if known else None,
        passes=focus_map.passes(percent),
        blur_px=float(np.percentile(blur, percent)) if known else None,
        exposure_us=info.exposure_us,
        gain=info.analogue_gain,
        f_number=f_number,
        f_numbers=f_numbers,
        busy=busy,
        paused=paused,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen at one position: sums over `frames`."""

    index: int
    frames: int = 0
    fraction: float = 0.0
    blur_px: float = 0.0

    @property
    def mean_fraction(self) -> float:
        return self.fraction / self.frames


@dataclass(frozen=True, slots=True)
class AssistState:
    """`until_ns` ends HOLDING; `asked` is the f-number of a move that is under way."""

    phase: Phase = Phase.WATCHING
    started_ns: int = 0
    until_ns: int = 0
    short_frames: int = 0
    moves: int = 0
    moved_ns: int | None = None
    asked: float | None = None
    last_f: float | None = None
    exposed_ns: int | None = None
    here: Found | None = None
    best: Found | None = None
    visited: frozenset[int] = frozenset()


DEFAULTS = AssistSettings()


def advise(
    state: AssistState, seen: Observation, now_ns: int, settings: AssistSettings = DEFAULTS
) -> tuple[AssistState, int]:
    """The state after this frame, and by how many positions to close the aperture now (negative: open; 0: nothing)."""
    if seen.f_number not in seen.f_numbers or len(seen.f_numbers) < 2:
        return replace(state, phase=Phase.WATCHING, short_frames=0, asked=None, last_f=None), 0
    state = _where(state, seen.f_number, now_ns, settings)
    if state.phase is Phase.HOLDING and now_ns >= state.until_ns:
        state = replace(state, phase=Phase.WATCHING, short_frames=0)
    if seen.paused or seen.busy or state.asked is not None or _too_soon(state, now_ns, settings):
        return state, 0
    if state.phase is Phase.SEARCHING and now_ns - state.started_ns >= settings.longest_ns:
        return _finish(state, seen, now_ns, settings)
    if state.phase is Phase.HOLDING or _is_old(state, seen, settings):
        return state, 0
    state = replace(state, exposed_ns=seen.exposed_ns)
    look = _watch if state.phase is Phase.WATCHING else _search
    return look(state, seen, now_ns, settings)


def _where(state: AssistState, f_number: float, now_ns: int, settings: AssistSettings) -> AssistState:
    """Has the move arrived? Did somebody else move it?"""
    if state.asked is not None:
        if f_number == state.asked:
            return replace(state, asked=None, last_f=f_number, moved_ns=now_ns)
        if state.moved_ns is not None and now_ns - state.moved_ns >= settings.follow_ns:
            return _hold(replace(state, asked=None, last_f=f_number), now_ns + settings.rest_ns)
        return state
    if state.last_f is not None and f_number != state.last_f:
        return _hold(replace(state, last_f=f_number), now_ns + settings.manual_ns)
    return replace(state, last_f=f_number)


def _hold(state: AssistState, until_ns: int) -> AssistState:
    return replace(state, phase=Phase.HOLDING, until_ns=until_ns, short_frames=0, here=None)


def _too_soon(state: AssistState, now_ns: int, settings: AssistSettings) -> bool:
    return state.moved_ns is not None and now_ns - state.moved_ns < settings.interval_ns


def _is_old(state: AssistState, seen: Observation, settings: AssistSettings) -> bool:
    """Seen before, or exposed before the last move had come to rest."""
    if state.exposed_ns is not None and seen.exposed_ns <= state.exposed_ns:
        return True
    return state.moved_ns is not None and seen.exposed_ns < state.moved_ns + settings.settle_ns


def _watch(state: AssistState, seen: Observation, now_ns: int, settings: AssistSettings) -> tuple[AssistState, int]:
    """Begin a search after some frames in a row that a better aperture would help."""
    if seen.passes or not _promises(seen, settings):
        return replace(state, short_frames=0), 0
    state = replace(state, short_frames=state.short_frames + 1)
    if state.short_frames < settings.start_frames:
        return state, 0
    return replace(
        state,
        phase=Phase.SEARCHING,
        started_ns=now_ns,
        short_frames=0,
        moves=0,
        here=None,
        best=None,
        visited=frozenset(),
    ), 0


def _promises(seen: Observation, settings: AssistSettings) -> bool:
    """Far from focus more depth does not help, but less diffraction, motion or noise may."""
    if seen.fraction is None or seen.blur_px is None:
        return False
    step = worthwhile_step(seen.blur_px, seen, settings)
    return step < 0 or (step > 0 and seen.fraction >= settings.start_fraction)


def _search(state: AssistState, seen: Observation, now_ns: int, settings: AssistSettings) -> tuple[AssistState, int]:
    """Look at this position long enough, then take the next step, or finish."""
    if seen.passes:
        return _hold(state, now_ns + settings.rest_ns), 0
    if seen.fraction is None or seen.blur_px is None or seen.f_number is None:
        return state, 0
    index = seen.f_numbers.index(seen.f_number)
    here = state.here if state.here is not None and state.here.index == index else Found(index)
    here = Found(index, here.frames + 1, here.fraction + seen.fraction, here.blur_px + seen.blur_px)
    state = replace(state, here=here)
    if here.frames < settings.frames_a_position:
        return state, 0
    best = state.best if state.best is not None and state.best.mean_fraction >= here.mean_fraction else here
    state = replace(state, best=best, here=None, visited=state.visited | {index})
    step = worthwhile_step(here.blur_px / here.frames, seen, settings)
    if step == 0 or index + step in state.visited or state.moves >= settings.largest_moves - 1:
        return _finish(state, seen, now_ns, settings)
    return _move(state, seen, step, now_ns)


def _finish(state: AssistState, seen: Observation, now_ns: int, settings: AssistSettings) -> tuple[AssistState, int]:
    """Back to the best that was found, and hold it."""
    best = state.best
    state = _hold(state, now_ns + settings.rest_ns)
    if best is None or seen.f_number is None or best.index >= len(seen.f_numbers):
        return state, 0
    return _move(state, seen, best.index - seen.f_numbers.index(seen.f_number), now_ns)


def _move(state: AssistState, seen: Observation, steps: int, now_ns: int) -> tuple[AssistState, int]:
    if steps == 0 or seen.f_number is None:
        return state, 0
    asked = seen.f_numbers[seen.f_numbers.index(seen.f_number) + steps]
    return replace(state, asked=asked, moved_ns=now_ns, moves=state.moves + 1), steps


def worthwhile_step(blur_px: float, seen: Observation, settings: AssistSettings) -> int:
    """-1, 0 or 1: the neighbouring position that costs less than this one by more than the margin, if any.

    Without exposure and gain nobody knows whether the light allows it: 0.
    """
    if seen.f_number is None or not seen.exposure_us or not seen.gain:
        return 0
    index = seen.f_numbers.index(seen.f_number)
    light = Light(seen.exposure_us, seen.gain)
    costs = {0: _cost(blur_px, light, settings)}
    for step in (-1, 1):
        if not 0 <= index + step < len(seen.f_numbers):
            continue
        other = seen.f_numbers[index + step]
        other_light = light.at(seen.f_number, other, settings.longest_us)
        if step > 0 and other_light.gain > settings.largest_gain:
            continue
        blur = blur_at(
            blur_px, settings.optics, f_number=seen.f_number, light=light, other=other, other_light=other_light
        )
        costs[step] = _cost(blur, other_light, settings)
    step = min(costs, key=lambda each: costs[each])
    return step if costs[step] < costs[0] - settings.margin else 0


def _cost(blur_px: float, light: Light, settings: AssistSettings) -> float:
    """Blur in units of the criterion, plus what the noise of the gain costs."""
    stops = max(0.0, float(np.log2(light.gain / settings.free_gain)))
    return blur_px / settings.criterion_px + settings.noise_cost * stops
