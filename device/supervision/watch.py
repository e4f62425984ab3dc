"""Who looks at the signs of life. Two do: the decision loop at each step, and the main thread for the decision loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from device.supervision.beats import Beat, Look, looked


class Watch:
    """One who looks; `stuck` is called with the names of the threads that stand still, and is not meant to return."""

    def __init__(self, beats: Sequence[Beat], now_ns: int, stuck: Callable[[tuple[str, ...]], None]) -> None:
        self._beats = tuple(beats)
        self._look = Look(now_ns, now_ns)
        self._stuck = stuck

    def tick(self, now_ns: int) -> None:
        """Look now."""
        self._look, names = looked(self._look, (beat.sign for beat in self._beats), now_ns)
        if names:
            self._stuck(names)
