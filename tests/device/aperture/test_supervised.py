"""An actuator is left alone when the picture does not respond to it, when it fails, and when it moves too much."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.aperture.effect import DISPLAY_GAMMA, EffectState, failed, light_of, moved, seen
from device.aperture.supervised import Limits, SupervisedAperture
from device.clock import MS, SECOND, FakeClock
from device.frame import ExposureInfo, Frame
from models.errors import HardwareError

F_NUMBERS = (1.4, 2.0, 2.8, 4.0, 5.6)


@dataclass
class Iris:
    """What it says and what it does are two things. `follows` is the share of a move that the iris makes."""

    says: int = 0
    true_log_f: float = math.log2(1.4)
    follows: float = 1.0
    broken: str | None = None
    closed: int = 0

    @property
    def f_numbers(self) -> tuple[float, ...]:
        return F_NUMBERS

    @property
    def f_number(self) -> float:
        return F_NUMBERS[self.says]

    def move(self, steps: int) -> float:
        if self.broken is not None:
            raise HardwareError(self.broken)
        before = math.log2(self.f_number)
        self.says = min(max(self.says + steps, 0), len(F_NUMBERS) - 1)
        self.true_log_f += self.follows * (math.log2(self.f_number) - before)
        return self.f_number

    def close(self) -> None:
        self.closed += 1


@dataclass
class Bench:
    clock: FakeClock
    iris: Iris
    aperture: SupervisedAperture
    scene_stops: float = 0.0
    tells_exposure: bool = True

    def frames(self, count: int = 5) -> None:
        for _ in range(count):
            self.clock.advance_ns(100 * MS)
            self.aperture.observe(self.frame())

    def frame(self) -> Frame:
        """Exposure control keeps the picture as bright as it is; the light shows in the exposure."""
        exposure_us = 1000 * 2 ** (2 * self.iris.true_log_f - self.scene_stops)
        info = ExposureInfo(exposure_us=exposure_us, analogue_gain=1.0) if self.tells_exposure else None
        luma = np.full((64, 64), 110, np.uint8)
        return Frame(id=1, exposed_ns=self.clock.now_ns() - 20 * MS, luma=luma, still=lambda: luma, info=info)


@pytest.fixture
def bench(clock: FakeClock) -> Bench:
    iris = Iris()
    return Bench(clock, iris, SupervisedAperture(iris, clock))


def wander(bench: Bench, moves: int) -> None:
    for number in range(moves):
        bench.frames()
        bench.aperture.move(1 if number % 4 < 2 else -1)
    bench.frames()


def test_an_iris_that_works_is_left_to_work(bench: Bench) -> None:
    wander(bench, 12)
    assert bench.aperture.fault is None
    assert bench.aperture.f_number == bench.iris.f_number
    assert bench.aperture.f_numbers == F_NUMBERS


@pytest.mark.parametrize("follows", [0.0, 0.1, -1.0], ids=["jammed", "slips", "reversed"])
def test_an_iris_that_does_not_follow_is_off_after_three_moves(bench: Bench, follows: float) -> None:
    bench.iris.follows = follows
    wander(bench, 3)
    assert bench.aperture.fault is not None
    with pytest.raises(HardwareError, match=r"the picture does not respond to it; .* off until the device is started"):
        bench.aperture.move(1)
    assert bench.iris.closed == 1


def test_a_move_beyond_the_end_expects_nothing(bench: Bench) -> None:
    for _ in range(5):
        bench.frames()
        bench.aperture.move(-1)
    bench.frames()
    assert bench.aperture.fault is None


def test_an_iris_that_follows_halfway_is_not_called_broken(bench: Bench) -> None:
    bench.iris.follows = 0.5
    wander(bench, 12)
    assert bench.aperture.fault is None


def test_a_scene_that_changes_with_every_move_proves_nothing(bench: Bench) -> None:
    for number in range(12):
        bench.frames()
        bench.aperture.move(1 if number % 4 < 2 else -1)
        bench.scene_stops += 5 if number % 4 >= 2 else -5
    bench.frames()
    assert bench.aperture.fault is None


def test_a_camera_that_does_not_tell_its_exposure_cannot_accuse(bench: Bench) -> None:
    bench.iris.follows = 0.0
    bench.tells_exposure = False
    wander(bench, 12)
    assert bench.aperture.fault is None


def test_one_failure_of_the_actuator_is_passed_on_and_two_in_a_row_end_it(bench: Bench) -> None:
    bench.iris.broken = "aperture: does not answer"
    with pytest.raises(HardwareError, match=r"^aperture: does not answer$"):
        bench.aperture.move(1)
    bench.iris.broken = None
    bench.aperture.move(1)
    bench.iris.broken = "aperture: does not answer"
    for _ in range(2):
        with pytest.raises(HardwareError, match=r"^aperture: does not answer$"):
            bench.aperture.move(1)
    assert bench.iris.closed == 1
    bench.iris.broken = None
    with pytest.raises(HardwareError, match="off until the device is started anew"):
        bench.aperture.move(1)
    bench.aperture.close()


def test_it_moves_only_so_often(clock: FakeClock) -> None:
    aperture = SupervisedAperture(Iris(), clock, Limits(moves=4, window_s=10.0))
    moves = 0
    for _ in range(100):
        try:
            aperture.move((-1) ** moves)
            moves += 1
        except HardwareError as error:
            assert "4 moves in 10 s are enough" in str(error)  # noqa: PT017 - either outcome is expected
        clock.advance_ns(SECOND)
    assert moves == 40


def picture(level: int, exposure_us: float | None, gain: float | None) -> Frame:
    luma = np.full((64, 64), level, np.uint8)
    info = ExposureInfo(exposure_us=exposure_us, analogue_gain=gain)
    return Frame(id=1, exposed_ns=0, luma=luma, still=lambda: luma, info=info)


@pytest.mark.parametrize("frame", [picture(110, None, 1.0), picture(110, 1000.0, None), picture(110, 0.0, 1.0)])
def test_light_is_unknown_without_exposure_and_gain(frame: Frame) -> None:
    assert light_of(frame) is None


@pytest.mark.parametrize("level", [0, 7, 241, 255])
def test_light_is_unknown_at_the_limits_of_the_sensor(level: int) -> None:
    assert light_of(picture(level, 1000.0, 1.0)) is None


def test_light_is_counted_in_stops() -> None:
    one = light_of(picture(110, 1000.0, 2.0))
    assert one is not None
    assert light_of(picture(110, 4000.0, 2.0)) == pytest.approx(one - 2)
    assert light_of(picture(220, 1000.0, 2.0)) == pytest.approx(one + DISPLAY_GAMMA)


lights = st.lists(st.tuples(st.none() | st.floats(-20, 20), st.integers(0, 10**10)), max_size=12)


@given(st.lists(st.tuples(st.sampled_from(F_NUMBERS), st.sampled_from(F_NUMBERS), lights), max_size=2))
def test_fewer_than_three_moves_never_condemn_whatever_was_seen(
    moves: list[tuple[float, float, list[tuple[float | None, int]]]],
) -> None:
    state = EffectState()
    for before, after, frames in moves:
        state = moved(state, before, after, 0)
        for light, exposed_ns in frames:
            state = seen(state, light, exposed_ns)
        assert not failed(state)


@pytest.fixture
def frames_of() -> Callable[[EffectState, float, int], EffectState]:
    def look(state: EffectState, light: float, from_ns: int) -> EffectState:
        for index in range(5):
            state = seen(state, light, from_ns + index * 100 * MS)
        return state

    return look


def test_frames_exposed_before_the_move_could_show_do_not_count(
    frames_of: Callable[[EffectState, float, int], EffectState],
) -> None:
    state = frames_of(EffectState(), 0.0, 0)
    state = moved(state, 2.0, 2.8, 1000 * MS)
    state = seen(state, 0.0, 1149 * MS)
    assert state.recent == ()
    assert frames_of(state, -1.0, 1150 * MS).failures == 0


@pytest.mark.parametrize(("light", "failures"), [(0.0, 3), (-1.0, 0), (-20.0, 2)])
def test_an_effect_acquits_none_accuses_and_far_too_much_does_neither(
    frames_of: Callable[[EffectState, float, int], EffectState], light: float, failures: int
) -> None:
    state = frames_of(EffectState(failures=2), 0.0, 0)
    state = moved(state, 2.0, 2.8, 1000 * MS)
    assert frames_of(state, light, 2000 * MS).failures == failures


def test_one_frame_looked_at_again_and_again_is_one_frame(
    frames_of: Callable[[EffectState, float, int], EffectState],
) -> None:
    state = frames_of(EffectState(), 0.0, 0)
    state = moved(state, 2.0, 2.8, 1000 * MS)
    for _ in range(20):
        state = seen(state, 0.0, 2000 * MS)
    assert (state.recent, state.failures) == ((0.0,), 0)


def test_a_move_too_small_to_be_seen_proves_nothing(
    frames_of: Callable[[EffectState, float, int], EffectState],
) -> None:
    state = frames_of(EffectState(), 0.0, 0)
    state = moved(state, 2.0, 2.1, 1000 * MS)
    assert frames_of(state, 0.0, 2000 * MS).failures == 0
