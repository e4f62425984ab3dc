"""The simulated camera's frame rate, on a clock that waits for it and on one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from device.camera.simulated import SimulatedCamera
from device.clock import MS, SECOND, FakeClock
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld
from models.focusmap import TileGrid

START_NS = 5 * SECOND
PERIOD_NS = 100 * MS


class BusyClock(FakeClock):
    """A clock that runs on by `busy_ns` whenever somebody has looked: the work between two frames takes time."""

    def __init__(self, now_ns: int, busy_ns: int) -> None:
        super().__init__(now_ns)
        self.busy_ns = busy_ns

    def now_ns(self) -> int:
        now_ns = super().now_ns()
        self.advance_ns(self.busy_ns)
        return now_ns


@pytest.fixture(scope="module")
def world() -> Iterator[SimulatedWorld]:
    made = SimulatedWorld(WorldSettings(seed=2, width=128, height=96))
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START_NS)


@pytest.fixture
def camera(world: SimulatedWorld, clock: FakeClock) -> SimulatedCamera:
    return SimulatedCamera(world, clock, fps=10.0)


def test_reading_moves_a_fake_clock_by_one_period(camera: SimulatedCamera, clock: FakeClock) -> None:
    for number in range(4):
        frame = camera.read()
        assert frame.exposed_ns == clock.now_ns() == START_NS + number * PERIOD_NS
        assert frame.id == number + 1


def test_the_frame_rate_is_the_one_asked_for(world: SimulatedWorld, clock: FakeClock) -> None:
    camera = SimulatedCamera(world, clock, fps=15.6)
    times = [camera.read().exposed_ns for _ in range(5)]
    assert {after - before for before, after in pairwise(times)} == {round(SECOND / 15.6)}


def test_a_late_reader_misses_frames_rather_than_seeing_old_ones(camera: SimulatedCamera, clock: FakeClock) -> None:
    camera.read()
    clock.advance_ns(1030 * MS)
    assert camera.read().exposed_ns == START_NS + 1030 * MS
    assert camera.read().exposed_ns == START_NS + 1100 * MS  # the next on the sensor's own beat; nothing was queued


@pytest.mark.parametrize("late_ns", [PERIOD_NS, 10 * PERIOD_NS, 10 * PERIOD_NS + 1])
def test_no_exposure_comes_twice_to_a_late_reader(camera: SimulatedCamera, clock: FakeClock, late_ns: int) -> None:
    camera.read()
    clock.advance_ns(late_ns)
    late, after = camera.read(), camera.read()
    assert after.exposed_ns > late.exposed_ns
    assert not np.array_equal(after.luma, late.luma)


@pytest.mark.parametrize("busy_ns", [30 * MS, 150 * MS, 420 * MS])
def test_a_slow_reader_gets_fresh_frames_and_never_more_than_the_frame_rate(
    world: SimulatedWorld, busy_ns: int
) -> None:
    clock = BusyClock(START_NS, busy_ns)
    camera = SimulatedCamera(world, clock, fps=10.0)
    ages, times = [], []
    for _ in range(12):
        frame = camera.read()
        ages.append(FakeClock.now_ns(clock) - frame.exposed_ns)
        times.append(frame.exposed_ns)
    assert max(ages) <= busy_ns
    assert times == sorted(set(times))
    assert times[-1] - times[0] >= (len(times) - 2) * max(PERIOD_NS, busy_ns)


def test_a_frame_that_is_held_is_not_overwritten(camera: SimulatedCamera) -> None:
    frame = camera.read()
    luma, still = frame.luma.copy(), frame.still()
    for _ in range(3):
        assert not np.array_equal(camera.read().luma, luma)
    assert np.array_equal(frame.luma, luma)
    assert np.array_equal(frame.still(), still)


def test_each_frame_says_what_it_was_exposed_with_also_after_the_iris_moved(
    world: SimulatedWorld, camera: SimulatedCamera
) -> None:
    before, moved = camera.read(), world.move_aperture(2)
    after = camera.read()
    assert (before.info.f_number, after.info.f_number) == (2.8, moved) == (2.8, 4.0)
    assert after.info.exposure_us == pytest.approx(8000.0)
    assert after.info.analogue_gain == pytest.approx(5000.0 / 8000.0 * (4.0 / 2.8) ** 2)
    assert (before.info.exposure_us, before.info.analogue_gain) == pytest.approx((5000.0, 1.0))
    world.move_aperture(-2)


def test_a_camera_opened_again_shows_the_same_world_at_a_later_time(
    world: SimulatedWorld, camera: SimulatedCamera, clock: FakeClock
) -> None:
    first = camera.read()
    camera.close()
    clock.advance_ns(SECOND)
    again = SimulatedCamera(world, clock, fps=10.0)
    assert again.info == camera.info
    assert again.read().exposed_ns == first.exposed_ns + SECOND


def test_the_hand_sets_out_when_the_camera_is_first_opened(clock: FakeClock) -> None:
    settings = WorldSettings(seed=2, width=128, height=96)
    world, other = SimulatedWorld(settings), SimulatedWorld(settings)
    first = SimulatedCamera(world, clock).read()
    assert np.array_equal(first.luma, other.expose(0).luma)
    clock.advance_ns(6 * SECOND)
    SimulatedCamera(world, clock)  # opened again: the hand goes on
    grid = TileGrid.of(128, 96, 32)
    assert np.array_equal(world.truth(grid, clock.now_ns()).blur_px, other.truth(grid, 6 * SECOND).blur_px)
    assert world.truth(grid, clock.now_ns()).fraction(2.5) >= 0.95
    world.close()
    other.close()
