"""A wall clock that jumps by years: the order of captures and records is kept, and the gate does not notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from device.audit.chain import parse_line
from device.audit.journal import Journal
from device.audit.log import AuditLog
from device.audit.tail import file_name, file_numbers
from device.audit.verify import verify_log
from device.clock import MS, SECOND
from device.store.catalogue import read_listing, read_record
from device.store.files import AUDIT
from device.store.origin import Origin

RUNS, RUNS_IN_FULL = 1, 20
RUN_NS = 30 * SECOND
YEARS_NS = 10 * 365 * 86_400 * SECOND
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Wall:
    """A wall clock; every few seconds, if it `jumps`, it is set by up to ten years forward or back."""

    def __init__(self, seed: int, *, jumps: bool) -> None:
        self.chance, self.jumps = random.Random(seed), jumps
        self.clock: Any = None
        self.offset_ns = self.jumped = self.next_ns = 0

    def now(self) -> datetime:
        now_ns = self.clock.now_ns() if self.clock else 0
        if self.jumps and now_ns >= self.next_ns > 0:
            self.offset_ns = self.chance.choice((-YEARS_NS, YEARS_NS, self.chance.randrange(-YEARS_NS, YEARS_NS), 0))
            self.jumped += 1
        if now_ns >= self.next_ns:
            self.next_ns = now_ns + self.chance.randrange(200, 4000) * MS
        return FIRST + timedelta(microseconds=(now_ns + self.offset_ns) // 1000)


def recorded(make_world: Callable[..., Any], folder: Path, seed: int, *, jumps: bool) -> tuple[Any, Wall, list[Any]]:
    """One run with presses, and what the gate was at each step."""
    wall, chance, states = Wall(seed, jumps=jumps), random.Random(seed), []
    held: list[Journal] = []
    late = SimpleNamespace(trouble=None)
    late.note = lambda kind, /, **data: held[0].note(kind, **data) if held else None
    late.state = lambda kind, part, /, **data: held[0].state(kind, part, **data) if held else None
    origin = Origin("boot", "test", wall.now, lambda: False)
    world = make_world(audit=late, origin=origin, delay_ns=lambda: chance.randint(1, 60) * MS)
    wall.clock = world.clock
    (folder / str(jumps)).mkdir(parents=True)
    held.append(Journal(lambda: AuditLog(folder / str(jumps) / AUDIT, origin), world.clock, origin))
    start_ns = world.clock.now_ns()
    world.presses = [
        (
            start_ns + at_s * SECOND + chance.randrange(900) * MS,
            chance.choice(("capture", "capture", "override")),
            chance.choice((80, 1600)) * MS,
        )
        for at_s in range(1, 29)
    ]

    def look() -> None:
        gate = world.gate
        states.append((gate.now_ns, gate.mode, gate.reason, gate.passes, world.pins.shutter_is_high()))
        held[0].tick(0.0)

    world.ticked = look
    world.run(start_ns + RUN_NS)
    held[0].close()
    assert world.failures == []
    return world, wall, states


def test_a_wall_clock_that_jumps_by_years_changes_neither_order_nor_gate(
    make_world: Callable[..., Any],
    tmp_path: Path,
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    *,
    full: bool,
) -> None:
    runs, jumped, records, changed, out_of_order = (RUNS_IN_FULL if full else RUNS), 0, 0, 0, 0
    for seed in range(runs):
        folder = tmp_path / f"run{seed}"
        _, _, calm = recorded(make_world, folder, seed, jumps=False)
        world, wall, states = recorded(make_world, folder, seed, jumps=True)
        changed += calm != states
        jumped += wall.jumped
        listing = read_listing(world.recorder._store.folder)
        captures = [read_record(listing.path(entry)) for entry in listing.entries]
        assert len(captures) > 3
        out_of_order += [one.exposed_ns for one in captures] != sorted(one.exposed_ns for one in captures)
        out_of_order += [one.sequence for one in captures] != sorted({one.sequence for one in captures})
        log = folder / "True" / AUDIT
        lines = [
            parse_line(line)[0]
            for number in file_numbers(log)
            for line in (log / file_name(number)).read_bytes().splitlines()
        ]
        assert verify_log(log).problems == []
        out_of_order += any(before.sequence + 1 != after.sequence for before, after in pairwise(lines))
        kinds = [line.kind for line in lines]
        assert kinds.count("clock") >= wall.jumped // 4  # a jump there and back within a second is none
        walls = [datetime.fromisoformat(line.wall_time) for line in lines]
        assert walls != sorted(walls)
        records += len(lines) + len(captures)
        so_far((seed + 1) / runs)
    promise(
        "clock: jumps of the wall clock by up to 10 years",
        jumped,
        f"{changed} runs of the gate changed",
        "0",
        met=not changed,
    )
    promise(
        "clock: captures and audit records in their order",
        records,
        f"{out_of_order} runs out of order",
        "0",
        met=not out_of_order,
    )
    assert (changed, out_of_order) == (0, 0)
    assert jumped > 3 * runs
