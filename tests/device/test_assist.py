"""Aperture advice: it finds the better aperture where there is one, and it is bounded whatever it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.assist import (
    AssistSettings,
    AssistState,
    Observation,
    Phase,
    advise,
    observation_of,
    worthwhile_step,
)
from device.clock import MS, SECOND
from device.frame import ExposureInfo
from device.optics_model import Light, Optics, blur_at
from device.simulation.hand import hold_span_s
from device.simulation.optics import (
    ExposureLimits,
    Lens,
    auto_exposure,
    blur_radius_px,
    diffraction_radius_px,
    smear_px,
)
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld
from models.focusmap import Cause, FocusMap, TileGrid

F_NUMBERS = (1.4, 2.0, 2.8, 4.0, 5.6)
PERIOD_NS = 100 * MS
SETTINGS = AssistSettings()


def seen_at(exposed_ns: int, f_number: float | None = 1.4, **changes: object) -> Observation:
    """A frame of a tilted scene in good light, short of 90 %."""
    base = Observation(
        exposed_ns=exposed_ns,
        fraction=0.6,
        passes=False,
        blur_px=3.0,
        exposure_us=1250.0,
        gain=1.0,
        f_number=f_number,
        f_numbers=F_NUMBERS,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class Iris:
    """An aperture that does what it is told, and a scene that is `best` at one of its positions."""

    best: int = 2
    index: int = 0
    state: AssistState = field(default_factory=AssistState)
    now_ns: int = 0
    moves: list[tuple[int, int]] = field(default_factory=list)
    obeys: bool = True

    def frames(self, count: int, **changes: object) -> None:
        for _ in range(count):
            self.now_ns += PERIOD_NS
            share = 0.95 - 0.1 * abs(self.index - self.best)
            frame = seen_at(self.now_ns, F_NUMBERS[self.index], fraction=share, passes=share >= 0.9)
            self.state, steps = advise(self.state, replace(frame, **changes), self.now_ns, SETTINGS)  # type: ignore[arg-type]
            if steps:
                self.moves.append((self.now_ns, steps))
                self.index += steps if self.obeys else 0


def test_it_closes_step_by_step_until_the_picture_passes_and_then_holds() -> None:
    iris = Iris()
    iris.frames(60)
    assert iris.index == 2
    assert [steps for _, steps in iris.moves] == [1, 1]
    iris.frames(300)
    assert len(iris.moves) == 2


def test_it_waits_for_some_frames_in_a_row_before_it_begins() -> None:
    iris = Iris()
    for _ in range(50):
        iris.frames(2)
        iris.frames(1, fraction=0.95, passes=True)
    assert iris.moves == []


def test_two_moves_are_never_closer_than_the_interval_and_each_position_is_looked_at() -> None:
    iris = Iris(best=4)
    iris.frames(100)
    assert iris.index == 4
    assert all(later - at >= SETTINGS.settle_ns + PERIOD_NS for (at, _), (later, _) in pairwise(iris.moves))


def test_it_goes_back_to_the_best_that_it_saw_when_nothing_passes() -> None:
    iris = Iris()
    iris.frames(4, fraction=0.5, passes=False)
    while iris.state.phase is Phase.SEARCHING:
        share = {0: 0.5, 1: 0.8, 2: 0.6, 3: 0.55, 4: 0.5}[iris.index]
        blur_px = 3.0 if iris.index < 3 else 1.0
        iris.frames(1, fraction=share, passes=False, blur_px=blur_px)
    assert iris.index == 1
    before = len(iris.moves)
    iris.frames(90, fraction=0.8, passes=False)
    assert len(iris.moves) == before


@pytest.mark.parametrize("changes", [{"busy": True}, {"paused": True}])
def test_nothing_moves_during_a_press_or_when_paused(changes: dict[str, object]) -> None:
    iris = Iris()
    iris.frames(100, **changes)
    assert iris.moves == []
    iris.frames(4)
    assert iris.state.phase is Phase.SEARCHING
    iris.frames(100, **changes)
    assert iris.moves == []


@pytest.mark.parametrize(
    "changes",
    [
        {"fraction": None, "blur_px": None},
        {"fraction": 0.1},
        {"exposure_us": None},
        {"gain": None},
        {"f_number": None},
        {"f_number": 3.3},
        {"f_numbers": (1.4,)},
        {"f_numbers": ()},
        {"exposure_us": 33_000.0, "gain": 6.0},
    ],
    ids=["not judged", "far away", "no exposure", "no gain", "f unknown", "f of no table", "fixed", "none", "dark"],
)
def test_without_knowledge_or_light_it_leaves_the_aperture_alone(changes: dict[str, object]) -> None:
    iris = Iris()
    iris.frames(100, **changes)
    assert iris.moves == []


def test_a_hand_on_the_aperture_is_respected_for_a_minute() -> None:
    iris = Iris(best=4)
    iris.frames(3)
    iris.index = 1
    iris.frames(590)
    assert iris.moves == []
    iris.frames(30)
    assert iris.moves


def test_an_aperture_that_does_not_follow_is_left_alone() -> None:
    iris = Iris(obeys=False)
    iris.frames(125)
    assert len(iris.moves) == 1


def test_a_search_ends_in_time_even_if_frames_stop_passing_judgement() -> None:
    iris = Iris(best=4)
    iris.frames(4)
    assert iris.state.phase is Phase.SEARCHING
    iris.frames(60, fraction=None, blur_px=None)
    assert iris.state.phase is Phase.HOLDING
    assert iris.moves == []


def test_a_passing_frame_ends_a_search_at_once() -> None:
    iris = Iris(best=4)
    iris.frames(6)
    iris.frames(3, passes=True, fraction=0.95)
    assert iris.state.phase is Phase.HOLDING


def test_frames_that_were_exposed_before_the_move_do_not_count() -> None:
    iris = Iris()
    while not iris.moves:
        iris.frames(1)
    moved_ns = iris.now_ns
    for _ in range(20):
        iris.frames(1, exposed_ns=moved_ns - 1)
    assert len(iris.moves) == 1


def test_closing_pays_for_defocus_and_opening_for_diffraction() -> None:
    assert worthwhile_step(3.0, seen_at(0, 1.4), SETTINGS) == 1
    assert worthwhile_step(SETTINGS.optics.diffraction_px(5.6), seen_at(0, 5.6), SETTINGS) == -1
    assert worthwhile_step(0.6, seen_at(0, 1.4), SETTINGS) == 0


def test_noise_and_motion_make_it_open() -> None:
    bright = seen_at(0, 4.0, exposure_us=8000.0, gain=1.0)
    assert worthwhile_step(2.1, bright, SETTINGS) >= 0
    assert worthwhile_step(2.1, replace(bright, exposure_us=33_000.0, gain=7.9), SETTINGS) == -1


BLURS = st.floats(0.0, 60.0) | st.none()
OBSERVATIONS = st.builds(
    Observation,
    exposed_ns=st.integers(0, 60 * SECOND),
    fraction=st.none() | st.floats(0, 1),
    passes=st.booleans(),
    blur_px=BLURS,
    exposure_us=st.none() | st.floats(0, 1e6),
    gain=st.none() | st.floats(0, 64),
    f_number=st.none() | st.sampled_from(F_NUMBERS),
    f_numbers=st.just(F_NUMBERS) | st.just(()),
    busy=st.booleans(),
    paused=st.booleans(),
)


@given(st.lists(st.tuples(OBSERVATIONS, st.integers(-SECOND, 3 * SECOND)), max_size=60))
def test_whatever_it_is_told_a_move_stays_in_the_table_and_respects_press_and_pause(
    told: list[tuple[Observation, int]],
) -> None:
    state, now_ns = AssistState(), 0
    for seen, wait_ns in told:
        now_ns += wait_ns
        state, steps = advise(state, seen, now_ns, SETTINGS)
        if steps:
            assert not seen.busy
            assert not seen.paused
            assert seen.f_number is not None
            assert 0 <= F_NUMBERS.index(seen.f_number) + steps < len(F_NUMBERS)


many = tuple(round(1.4 * 1.05**index, 3) for index in range(40))
tight = AssistSettings(
    rest_ns=2 * SECOND,
    settle_ns=0,
    interval_ns=100 * MS,
    frames_a_position=1,
    largest_gain=1e9,
    margin=-10.0,
    start_fraction=0.0,
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 39),
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 60), st.floats(100, 1e5), st.floats(1, 64), st.booleans()),
        min_size=1,
        max_size=30,
    ),
)
def test_no_picture_however_adverse_makes_a_search_longer_than_20_moves_or_5_seconds(
    index: int, scenes: list[tuple[float, float, float, float, bool]]
) -> None:
    state, moves = AssistState(), []
    for tick in range(1200):  # 60 s of frames, 50 ms apart
        fraction, blur_px, exposure_us, gain, judged = scenes[tick % len(scenes)]
        now_ns = tick * 50 * MS
        frame = Observation(
            exposed_ns=now_ns,
            fraction=fraction if judged else None,
            passes=False,
            blur_px=blur_px if judged else None,
            exposure_us=exposure_us,
            gain=gain,
            f_number=many[index],
            f_numbers=many,
        )
        state, steps = advise(state, frame, now_ns, tight)
        if steps:
            moves.append((state.started_ns, now_ns))
            index += steps
    searches = {started for started, _ in moves}
    for started in searches:
        of_this = [at for began, at in moves if began == started]
        assert len(of_this) <= tight.largest_moves
        assert of_this[-1] - started <= tight.longest_ns + tight.interval_ns + 50 * MS
    assert all(later - before >= tight.rest_ns for before, later in pairwise(sorted(searches)))
    assert all(later - at >= tight.interval_ns for (_, at), (_, later) in pairwise(moves))


LENS = Lens(focal_length_mm=2.8, focus_distance_mm=40.0, pixel_pitch_um=1.4, wavelength_nm=550.0)
OPTICS = Optics(magnification=LENS.magnification, hand_mm_s=2.0)


@pytest.mark.parametrize("f_number", F_NUMBERS)
def test_the_model_of_the_optics_is_that_of_the_simulation(f_number: float) -> None:
    assert OPTICS.diffraction_px(f_number) == pytest.approx(diffraction_radius_px(LENS, f_number), rel=1e-6)
    assert OPTICS.motion_px(8000.0) == pytest.approx(smear_px(LENS, 2.0, 8000.0) / np.sqrt(6), rel=1e-6)


@given(st.floats(30, 60), st.sampled_from(F_NUMBERS), st.sampled_from(F_NUMBERS))
def test_blur_is_predicted_as_the_lens_makes_it(distance_mm: float, f_number: float, other: float) -> None:
    still = replace(OPTICS, hand_mm_s=0.0)
    light = Light(1000.0, 1.0)
    blur = blur_radius_px(LENS, f_number, distance_mm)
    found = blur_at(blur, still, f_number=f_number, light=light, other=other, other_light=light)
    assert found == pytest.approx(blur_radius_px(LENS, other, distance_mm), rel=1e-5)


@given(st.sampled_from(F_NUMBERS), st.sampled_from(F_NUMBERS), st.floats(0.3, 2.0))
def test_light_is_predicted_as_exposure_control_chooses_it(f_number: float, other: float, light: float) -> None:
    limits = ExposureLimits(reference_us=5000.0, reference_f_number=2.8, longest_us=8000.0, largest_gain=1e9)
    now, then = auto_exposure(limits, f_number, light), auto_exposure(limits, other, light)
    found = Light(now.exposure_us, now.gain).at(f_number, other, limits.longest_us)
    assert (found.exposure_us, found.gain) == pytest.approx((then.exposure_us, then.gain))


def test_a_search_through_a_long_table_ends_after_20_moves_at_the_best_place() -> None:
    state, index, moves = AssistState(), 0, 0
    for tick in range(200):
        frame = seen_at(tick * 50 * MS, many[index], f_numbers=many, blur_px=60.0, fraction=0.5 - index / 100)
        state, steps = advise(state, frame, tick * 50 * MS, replace(tight, rest_ns=60 * SECOND, margin=0.0))
        index, moves = index + steps, moves + bool(steps)
    assert (moves, index) == (20, 0)


def test_an_observation_is_made_of_what_was_judged() -> None:
    blur = np.array([[1.0, 2.0, 3.0, 4.0, 50.0]], np.float32)
    cause = np.array([[0, 0, 0, 0, Cause.GLARE]], np.uint8)
    grid = TileGrid(64, 64, 1, 5)
    focus_map = FocusMap(grid, blur, (blur <= 3).astype(np.float32), cause, 3.0, 0.5, "told", "a" * 64, exposed_ns=7)
    found = observation_of(focus_map, ExposureInfo(exposure_us=1.0, analogue_gain=2.0), 2.0, F_NUMBERS, percent=75)
    assert found.blur_px == pytest.approx(3.25)
    assert (found.fraction, found.passes, found.exposed_ns) == (0.75, True, 7)
    blind = replace(focus_map, cause=np.full((1, 5), Cause.DARK, np.uint8))
    found = observation_of(blind, ExposureInfo(), None, ())
    assert (found.fraction, found.blur_px, found.passes) == (None, None, False)


@pytest.fixture(scope="module")
def examination() -> Callable[..., tuple[float, float]]:
    """Share of passing frames in the second half of a hold, and the last f-number, with or without advice."""

    def examine(tilt_mm: float, f_number: float, *, assisted: bool) -> tuple[float, float]:
        world = SimulatedWorld(
            WorldSettings(width=640, height=480, seed=3, tilt_mm=tilt_mm, f_number=f_number, cycle_s=20.0)
        )
        grid = TileGrid.of(640, 480, 64)
        settings = AssistSettings(criterion_px=2.0, longest_us=8000.0, largest_gain=16.0, optics=OPTICS)
        state, passed = AssistState(), []
        start_s, end_s = hold_span_s(world.settings.motion)
        for now_ns in range(round(start_s * SECOND), round(end_s * SECOND), PERIOD_NS):
            truth = world.truth(grid, now_ns)
            limits = world.settings.limits
            exposure = auto_exposure(limits, world.f_number, world.settings.light)
            focus_map = FocusMap(
                grid=grid,
                blur_px=truth.blur_px.astype(np.float32),
                p_in_focus=(truth.blur_px <= 2.0).astype(np.float32),
                cause=np.where(truth.inside, Cause.JUDGED, Cause.OUTSIDE).astype(np.uint8),
                criterion_px=2.0,
                threshold=0.5,
                model_name="the truth",
                model_sha256="a" * 64,
                exposed_ns=now_ns,
            )
            info = ExposureInfo(exposure_us=exposure.exposure_us, analogue_gain=exposure.gain)
            seen = observation_of(focus_map, info, world.f_number, world.settings.f_numbers)
            state, steps = advise(state, seen, now_ns, settings)
            if steps and assisted:
                world.move_aperture(steps)
            passed.append(seen.passes)
        world.close()
        half = passed[len(passed) // 2 :]
        return sum(half) / len(half), world.f_number

    return examine


def test_a_tilted_scene_that_stays_closed_wide_open_is_opened_by_the_assistant(
    examination: Callable[..., tuple[float, float]],
) -> None:
    alone, _ = examination(2.5, 1.4, assisted=False)
    assisted, f_number = examination(2.5, 1.4, assisted=True)
    assert alone == 0.0
    assert assisted > 0.9
    assert 2.0 < f_number < 5.6


def test_an_aperture_too_far_closed_is_opened_again(examination: Callable[..., tuple[float, float]]) -> None:
    alone, _ = examination(0.7, 8.0, assisted=False)
    assisted, f_number = examination(0.7, 8.0, assisted=True)
    assert alone == 0.0
    assert assisted > 0.9
    assert f_number < 5.6


def test_a_scene_that_passes_is_left_alone(examination: Callable[..., tuple[float, float]]) -> None:
    assisted, f_number = examination(0.7, 2.8, assisted=True)
    assert assisted > 0.9
    assert f_number == 2.8
