"""A clock for several threads of which exactly one runs at any moment; loaded by path from the conftest files.

Who sleeps hands the turn to whoever wakes next, and `on_tick` is called at every step meanwhile. So a camera that hangs
for ten seconds hangs beside a decision loop that works on, as on a real device, but takes no time and always goes the
same way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from device.clock import SECOND
from device.decision import TICK_NS

NEVER_NS = 10**18
START_NS = 1000 * SECOND


class Over(BaseException):
    """The simulated time is over; ends the threads that sleep in it."""


@dataclass(eq=False)
class Actor:
    """A thread that has the turn, or waits for it. `wake_ns` None: until somebody wakes it."""

    name: str
    wake_ns: int | None = 0
    frozen_ns: int = NEVER_NS
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: threading.Thread | None = None


class VirtualTime:
    """A `device.clock.Clock` for threads that take turns; `on_tick` is called every TICK_NS of its time."""

    def __init__(self, on_tick: Callable[[], None], start_ns: int = START_NS) -> None:
        self._now_ns = start_ns
        self._tick_ns = start_ns
        self._on_tick = on_tick
        self._main = Actor("main")
        self._actors = [self._main]
        self._current = self._main
        self.over = False

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until_ns(self, deadline_ns: int) -> None:
        if deadline_ns > self._now_ns:
            self._current.wake_ns = deadline_ns
            self._hand_over()

    def wait(self) -> None:
        """Until somebody wakes the caller."""
        self._current.wake_ns = None
        self._hand_over()

    def wake(self, actor: Actor) -> None:
        if actor.wake_ns is None:
            actor.wake_ns = self._now_ns

    def start(self, name: str, run: Callable[[], None]) -> Actor:
        """A thread that calls `run` for ever, from the next moment at which somebody sleeps."""
        actor = Actor(name, self._now_ns)

        def forever() -> None:
            actor.turn.acquire()
            with contextlib.suppress(Over):
                while not self.over:
                    run()
            actor.wake_ns = NEVER_NS
            self._actors.remove(actor)
            self._give_turn(self._main if self.over else self._next())

        actor.thread = threading.Thread(target=forever, name=name, daemon=True)
        actor.thread.start()
        self._actors.append(actor)
        return actor

    def freeze(self, actor: Actor, at_ns: int) -> None:
        """From then on this thread never gets the turn."""
        actor.frozen_ns = at_ns

    def without_ticks(self) -> None:
        """All threads are actors."""
        self._tick_ns = NEVER_NS

    def stop(self) -> None:
        """The caller stands still, and the time of the main thread has come."""
        self._main.wake_ns = self._now_ns
        self.wait()

    def end(self) -> None:
        """No time passes any more; every thread ends where it sleeps."""
        self.over = True
        for actor in self._actors[1:]:
            self._give_turn(actor)
            self._main.turn.acquire()
        for actor in self._actors[1:]:
            assert actor.thread is not None
            actor.thread.join()

    def _hand_over(self) -> None:
        me = self._current
        actor = self._next()
        if actor is not me:
            self._give_turn(actor)
            me.turn.acquire()
        if self.over and me is not self._main:
            raise Over

    def _give_turn(self, actor: Actor) -> None:
        self._current = actor
        actor.turn.release()

    def _next(self) -> Actor:
        while True:
            awake = [one for one in self._actors if one.wake_ns is not None and one.wake_ns < one.frozen_ns]
            actor = min(awake, key=lambda one: one.wake_ns or 0)
            wake_ns = actor.wake_ns or 0
            if self._tick_ns > wake_ns:
                self._now_ns = max(self._now_ns, wake_ns)
                return actor
            self._now_ns = max(self._now_ns, self._tick_ns)
            self._tick_ns += TICK_NS
            self._on_tick()
