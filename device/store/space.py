"""How much room there is for captures, and what to say of it. Pure.

Counted in captures, because that is what the user has to plan with; refused before the exposure, because a picture that
cannot be kept should not be taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MB = 1_000_000
RESERVE_BYTES = 200 * MB  # kept free for the system, its logs and the audit
RESERVE_CAPTURES = 20  # or this many captures, if that is more
FULL_SIZE_BYTES = 8 * MB  # a noisy 2592×1944 capture at quality 95, 4:4:4; until larger ones are seen
LOW_CAPTURES = 100  # a day of examinations: time to export and make room


class Room(StrEnum):
    """What the user should know."""

    ENOUGH = "enough"
    LOW = "low"  # fewer than LOW_CAPTURES fit
    FULL = "full"  # the next one would touch the reserve


@dataclass(frozen=True, slots=True)
class Space:
    """`captures_left` before the reserve is touched; negative within it."""

    captures_left: int

    @property
    def room(self) -> Room:
        if self.captures_left < 1:
            return Room.FULL
        return Room.LOW if self.captures_left < LOW_CAPTURES else Room.ENOUGH

    def line(self) -> str:
        """In words, with what to do."""
        match self.room:
            case Room.ENOUGH:
                return f"room for {self.captures_left} captures"
            case Room.LOW:
                return f"room for only {self.captures_left} captures; export and delete captures"
            case Room.FULL:
                return "the disk is full; export and delete captures"


def space_of(free_bytes: int, largest_bytes: int = 0) -> Space:
    """The room on a disk with `free_bytes`, for captures as large as the largest so far (`largest_bytes`)."""
    each = max(largest_bytes, FULL_SIZE_BYTES)
    return Space((free_bytes - max(RESERVE_BYTES, RESERVE_CAPTURES * each)) // each)
