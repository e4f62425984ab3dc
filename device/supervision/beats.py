"""Signs of life: each thread leaves one, anybody may look. Pure, but for the slot itself, which needs no lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

MS = 1_000_000

USUAL_NS = 1800 * MS
"""A thread that gives no sign for this long stands still. With the 0.3 s that an end takes at most it stays below the
2.2 s after which the service manager would kill a device whose decision loop froze."""

GAP_NS = 500 * MS
"""Whoever looks only after such a pause stood still too (a suspended process, a starved board): nobody is judged by a
time in which nobody could run."""


@dataclass(frozen=True, slots=True)
class Sign:
    """`name` was alive at `at_ns` (monotonic), and said that it would be again within `allowed_ns`."""

    name: str
    at_ns: int
    allowed_ns: int = USUAL_NS


class Beat:
    """The slot of one thread, which alone writes it; one object is replaced whole, so that readers need no lock."""

    def __init__(self, name: str, now_ns: int, allowed_ns: int = USUAL_NS) -> None:
        self.sign = Sign(name, now_ns, allowed_ns)

    def mark(self, now_ns: int, allowed_ns: int = USUAL_NS) -> None:
        """Alive now, and again within `allowed_ns`: more for what is known to take long."""
        self.sign = Sign(self.sign.name, now_ns, allowed_ns)


@dataclass(frozen=True, slots=True)
class Look:
    """When somebody last looked, and since when without a pause."""

    last_ns: int
    since_ns: int


def stale(signs: Iterable[Sign], now_ns: int) -> tuple[str, ...]:
    """The names of those that stayed silent for longer than they said."""
    return tuple(sign.name for sign in signs if now_ns - sign.at_ns > sign.allowed_ns)


def looked(look: Look, signs: Iterable[Sign], now_ns: int) -> tuple[Look, tuple[str, ...]]:
    """The next look and who stands still. After a pause in looking everybody's time begins anew."""
    since_ns = now_ns if now_ns - look.last_ns > GAP_NS else look.since_ns
    fair = (replace(sign, at_ns=max(sign.at_ns, since_ns)) for sign in signs)
    return Look(now_ns, since_ns), stale(fair, now_ns)
