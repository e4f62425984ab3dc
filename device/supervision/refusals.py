"""Which code a refused press has. Pure; the gate says why in words, and tests hold the two together."""

from __future__ import annotations

from device.supervision.faults import (
    CANNOT_JUDGE,
    NO_FRAME,
    NOT_IN_FOCUS,
    NOT_JUDGED,
    PRESS_WAITS,
    QUEUE_FULL,
    TOO_SLOW,
    Fault,
    coded,
)

_OWN: tuple[tuple[str, Fault], ...] = (
    ("the last press is still waiting", PRESS_WAITS),
    ("no frame in focus within", NO_FRAME),
    ("no frame from the camera within", NO_FRAME),
    ("no frame judged", NOT_JUDGED),
    ("frames are judged too slowly", TOO_SLOW),
    ("captures wait to be saved", QUEUE_FULL),
    ("cannot judge", CANNOT_JUDGE),
)


def refusal_line(reason: str) -> str:
    """The reason of a refusal with its code. A fault's reason has one; what is not known otherwise is "not in focus",
    the only other reason that the gate has."""
    for beginning, fault in _OWN:
        if reason.startswith(beginning):
            return coded(fault, reason)
    return coded(NOT_IN_FOCUS, reason)
