"""A device that is throttled, and a picture at the edge of focus: slower and steadier, never wrong (H28, H10)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from device.clock import MS, SECOND
from device.gate import Evidence, GateState, Inputs, step

if TYPE_CHECKING:
    from conftest import Rig

START_NS = 1000 * SECOND
MakeRig = Callable[..., "Rig"]
USUAL_MS = 50  # from exposure to result where nothing throttles
TICK_MS = 10


def lived(result_ms: int, seconds: int = 5) -> list[tuple[int, int, GateState]]:
    """(time, exposure of the newest result, state) at every step of a gate whose results take so long.

    The frame for the next result is exposed when the last one is there, and every frame passes.
    """
    state, story, exposed_ms = GateState(), [], 0
    for now_ms in range(0, seconds * 1000, TICK_MS):
        evidence = None
        if now_ms >= exposed_ms + result_ms:
            evidence = Evidence(now_ms, START_NS + exposed_ms * MS, passes=True)
            exposed_ms = now_ms
        state = step(state, evidence, Inputs(), START_NS + now_ms * MS)
        story.append((now_ms, exposed_ms - result_ms, state))
    return story


@pytest.mark.parametrize("factor", range(1, 21))
def test_throttled_up_to_twenty_times_it_is_slower_and_never_open_on_old_evidence(factor: int) -> None:
    story = lived(factor * USUAL_MS)
    assert all(now_ms - exposed_ms <= 300 for now_ms, exposed_ms, state in story if state.enabled)
    opened = sum(state.enabled for _, _, state in story) / len(story)
    if factor <= 2:
        assert opened > 0.8
    if factor >= 4:  # fewer than seven results a second: three in a row are never fresh together
        assert opened == 0.0


@pytest.mark.parametrize("factor", range(7, 21))
def test_results_that_come_too_late_are_called_slow(factor: int) -> None:
    reasons = {state.reason for now_ms, _, state in lived(factor * USUAL_MS) if now_ms > factor * USUAL_MS}
    assert reasons == {"frames are judged too slowly, later than 300 ms after their exposure"}


def test_noise_of_two_percent_around_the_threshold_opens_on_no_failing_frame_and_spares_the_lamp(
    make_rig: MakeRig,
) -> None:
    rig, chance = make_rig(), random.Random(3)
    for _ in range(300):
        rig.camera.sharp_percent = chance.choice((81, 88, 94))  # of 16 tiles: 13, 14 and 15, around 90 %
        rig.frames(1)
        passes = 100 * round(16 * rig.camera.sharp_percent / 100) >= 90 * 16
        if not passes:
            assert not rig.pins.shutter_is_high()
    lamps = [item.at_ns for item in rig.pins.history if item.output == "lamp"]
    assert rig.decision.status.opened > 0
    assert all(third - first >= SECOND for first, third in zip(lamps, itertools.islice(lamps, 2, None), strict=False))
