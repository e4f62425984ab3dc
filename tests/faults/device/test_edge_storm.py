"""A button that bounces without end: few presses, no memory, and the decision loop keeps its pace."""

from __future__ import annotations

import logging
import random
import time
import tracemalloc
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from device.clock import MS, SECOND
from device.debounce import Debounced, debounce
from device.decision import TICK_NS
from device.pins.protocol import Buttons

EDGES, STORM_NS = 100_000, 10 * SECOND
REFRACTORY_NS = 250 * MS
GROWTH_BYTES = 64 * 1024
PACE = 0.8
FREE_TUPLES = 2_000
BOARD = 20  # how much slower a board is than the machine of the test, generously
STORMS: dict[str, Callable[[random.Random], list[int]]] = {
    "regular": lambda _: [number * (STORM_NS // EDGES * 1013 // 1000) for number in range(EDGES)],
    "random": lambda chance: sorted(chance.randrange(STORM_NS) for _ in range(EDGES)),
    "in bursts of 50 ms": lambda chance: sorted(
        chance.randrange(100) * 100 * MS + chance.randrange(50 * MS) for _ in range(EDGES)
    ),
    "with rests as long as a press": lambda chance: sorted(
        chance.randrange(40) * 250 * MS + chance.randrange(200 * MS) for _ in range(EDGES)
    ),
}


class Storm:
    """The buttons of simulated pins, driven by edges: each turns the level of all of them."""

    def __init__(self, world: Any, edges_ns: list[int]) -> None:
        self.clock, self.edges_ns, self.start_ns = world.clock, edges_ns, world.clock.now_ns() + SECOND
        world.pins.buttons = self.buttons

    def buttons(self) -> Buttons:
        at_ns = self.clock.now_ns() - self.start_ns
        down = bisect_right(self.edges_ns, at_ns) % 2 == 1 or -500 * MS <= at_ns < -400 * MS  # one honest press first
        return Buttons(capture=down, aperture_open=down, aperture_close=down)


@pytest.mark.parametrize("storm", STORMS)
def test_an_edge_storm_gives_few_presses_and_costs_neither_memory_nor_pace(
    make_world: Callable[..., Any],
    promise: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    storm: str,
) -> None:
    monkeypatch.setattr(logging.getLogger("focusgate"), "level", logging.ERROR)  # pytest keeps every line
    edges_ns = STORMS[storm](random.Random(8))
    told: list[tuple[str, int]] = []

    class Notes:
        trouble = None

        def note(self, kind: str, /, **data: Any) -> None:
            if kind == "press":
                told.append((data["button"], world.clock.now_ns()))

        def state(self, kind: str, part: str, /, **data: Any) -> None:
            pass

    world = make_world(audit=Notes())
    Storm(world, edges_ns)
    start_ns, end_ns = world.clock.now_ns(), world.clock.now_ns() + STORM_NS + 2 * SECOND
    steps, spent_ns, sizes = 0, 0, []
    tick = world.decision.tick

    def measured() -> None:
        nonlocal steps, spent_ns
        began_ns = time.thread_time_ns()
        tick()
        spent_ns += time.thread_time_ns() - began_ns
        steps += 1
        if steps % 100 == 0:
            world.pins.history.clear()  # the test's own memory
            world.results.clear()
            sizes.append(tracemalloc.get_traced_memory()[0])

    world.decision.tick = measured
    for _ in range(FREE_TUPLES):  # CPython keeps that many of each length for later
        tuple(deque(range(20), maxlen=20))
    tracemalloc.start()
    world.run(end_ns)
    tracemalloc.stop()
    assert world.failures == []
    shortest_ns = min(
        (
            after - before
            for button in ("capture", "aperture_open", "aperture_close")
            for before, after in pairwise([at_ns for name, at_ns in told if name == button])
        ),
        default=STORM_NS,
    )
    growth_bytes = max(sizes[len(sizes) // 2 :]) - max(sizes[2 : len(sizes) // 2])
    pace = steps / ((end_ns - start_ns) / TICK_NS)
    busy = BOARD * spent_ns / steps / TICK_NS
    promise(
        f"edges: {storm}, shortest time between presses",
        len(edges_ns),
        f"{shortest_ns / MS:.0f} ms, {len(told)} presses",
        "250 ms",
        met=shortest_ns >= REFRACTORY_NS,
    )
    promise(
        f"edges: {storm}, growth of memory",
        len(edges_ns),
        f"{growth_bytes / 1024:.0f} KiB",
        "64 KiB",
        met=growth_bytes <= GROWTH_BYTES,
    )
    promise(
        f"edges: {storm}, decisions made of those due",
        steps,
        f"{100 * pace:.0f} %, each {100 * busy / BOARD:.1f} % of its time",
        "80 %",
        met=pace >= PACE,
    )
    assert shortest_ns >= REFRACTORY_NS
    assert growth_bytes <= GROWTH_BYTES
    assert pace >= PACE


def test_however_often_a_level_is_read_presses_are_a_quarter_of_a_second_apart(
    promise: Callable[..., None], *, full: bool
) -> None:
    """The debouncer alone, polled at every edge rather than every 10 ms."""
    storms, shortest_ns, presses = (20 if full else 2), STORM_NS, 0
    for seed in range(storms):
        chance, now_ns, state, last_ns = random.Random(seed), 0, Debounced(), None
        for _ in range(EDGES):
            now_ns += (
                round(chance.expovariate(1 / (STORM_NS / EDGES))) if seed % 2 else chance.choice((1, 1000, 60 * MS))
            )
            before, state = state, debounce(state, chance.random() < 0.5, now_ns)
            if state.pressed and not before.pressed:
                presses += 1
                shortest_ns = min(shortest_ns, now_ns - last_ns if last_ns is not None else STORM_NS)
                last_ns = now_ns
    promise(
        "edges: the debouncer, polled at every edge",
        storms * EDGES,
        f"{shortest_ns / MS:.0f} ms, {presses} presses",
        "250 ms",
        met=shortest_ns >= REFRACTORY_NS,
    )
    assert shortest_ns >= REFRACTORY_NS
    assert presses > storms
