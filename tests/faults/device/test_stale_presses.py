"""Presses while the camera delivers frames that were exposed before them: nothing of that is saved as passed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from device.clock import MS

PRESSES, PRESSES_IN_FULL = 25, 2_800  # in each of PARTS, which can be run side by side; nine of ten are stale
PARTS = 4
EVERY_NS = 780 * MS
STALE_NS = 560 * MS  # longer than a press waits for its frame
PRESS_NS = 60 * MS
SETTLED_NS = 30 * MS  # a button counts 20 ms after its edge, at the next step
AGES: tuple[Callable[[int, int], int], ...] = (
    lambda _last_ns, press_ns: press_ns - 1,
    lambda _last_ns, press_ns: press_ns - 50 * MS,
    lambda last_ns, press_ns: (last_ns + press_ns - 1) // 2,
    lambda last_ns, _press_ns: last_ns + 1,
)
"""When the frame was exposed, from when the one before was, and when the button was pressed."""


class LateCamera:
    """For STALE_NS from each press it delivers frames that were exposed before it: fresh enough to keep the gate open,
    each newer than the one before, but all of the time before the press. Those `served` are served honestly."""

    def __init__(self, honest: Any, presses_ns: list[int], served: set[int], clock: Any) -> None:
        self.honest, self.clock = honest(clock, period_ns=50 * MS, latency_ns=20 * MS), clock
        self.info, self.close = self.honest.info, self.honest.close
        self.presses_ns, self.served = presses_ns, served
        self.chance = random.Random(presses_ns[-1])
        self.last_ns = 0
        self.next = 0

    def read(self, timeout_s: float = 2.0) -> Any:
        exposed_ns = self.honest.expose()
        now_ns = self.clock.now_ns()
        while self.next + 1 < len(self.presses_ns) and self.presses_ns[self.next + 1] <= now_ns:
            self.next += 1
        press_ns = self.presses_ns[self.next]
        if press_ns <= now_ns < press_ns + STALE_NS and self.next not in self.served:
            exposed_ns = AGES[self.chance.randrange(len(AGES))](self.last_ns, press_ns)
        self.last_ns = max(exposed_ns, self.last_ns + 1)
        return self.honest.frame(self.last_ns)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_press_saves_as_passed_what_was_exposed_before_it(
    make_world: Callable[..., Any],
    honest_camera: Any,
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    *,
    part: int,
    full: bool,
) -> None:
    presses = PRESSES_IN_FULL if full else PRESSES
    chance, presses_ns, served = random.Random(part), [], set(range(0, presses, 10))
    at_ns = 10**12 + 10**9
    for _ in range(presses):
        presses_ns.append(at_ns)
        at_ns += EVERY_NS + chance.randrange(60) * MS
    world = make_world(partial(LateCamera, honest_camera, presses_ns, served))
    world.presses = [(press_ns, "capture", PRESS_NS) for press_ns in presses_ns]
    began_ns, reasons, told = world.clock.now_ns(), Counter[str](), 0

    def ticked() -> None:
        nonlocal told
        if world.decision.status.refused > told:
            told = world.decision.status.refused
            reasons[world.messages] += 1
            so_far((part + (world.clock.now_ns() - began_ns) / (at_ns - began_ns)) / PARTS)

    world.ticked = ticked
    world.run(at_ns)
    assert world.failures == []
    saved = [result.record for result in world.results if result.ok]
    wrong = [record for record in saved if record.override or record.exposed_ns < record.press_ns]
    unserved = {
        index
        for index, press_ns in enumerate(presses_ns)
        if any(press_ns <= record.press_ns < press_ns + SETTLED_NS for record in saved)
    } - served
    promise(
        f"camera: presses against stale frames, part {part + 1}",
        presses - len(served),
        f"{len(unserved)} saved as passed",
        "0",
        met=not (unserved or wrong),
    )
    promise(
        f"camera: presses with honest frames between them, part {part + 1}",
        len(served),
        f"{len(saved)} saved",
        "all",
        met=len(saved) == len(served),
    )
    assert (wrong, unserved) == ([], set())
    assert len(saved) == len(served)
    assert sum(reasons.values()) == presses - len(served)
    waited = sum(number for reason, number in reasons.items() if "no frame in focus within 500 ms" in reason)
    assert waited > 0.8 * (presses - len(served)), reasons  # the gate was open, and the press did wait
