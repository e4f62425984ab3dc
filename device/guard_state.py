"""What the guard of the shutter-enable line decides, and the message that asks it. Pure.

A message is twelve bytes in network order: "FG", version, kind, deadline in ns on the monotonic clock (which all
processes of one boot share). The deadline travels with the message, so that one that waited in a queue opens nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from device import lease
from device.lease import MS, Lease

VERSION = 1
LONGEST_LEASE_NS = 150 * MS
"""However far ahead a deadline lies, the line falls this long after its message was received."""

_MAGIC = b"FG"
_MESSAGE = struct.Struct("!2sBBq")
MESSAGE_BYTES = _MESSAGE.size
_LATEST_NS = 2**63 - 1  # what the deadline's eight bytes hold


class Kind(IntEnum):
    """What a message asks for."""

    CLOSE = 0
    RENEW = 1


def renew_message(until_ns: int) -> bytes:
    """Hold the line high until `until_ns`. Raises ValueError for a time that is none."""
    if not 0 <= until_ns <= _LATEST_NS:
        raise ValueError(f"a deadline of {until_ns} ns is not possible; allowed: 0 to 2^63 - 1")
    return _MESSAGE.pack(_MAGIC, VERSION, Kind.RENEW, until_ns)


def close_message() -> bytes:
    """Drop the line now."""
    return _MESSAGE.pack(_MAGIC, VERSION, Kind.CLOSE, 0)


@dataclass(frozen=True, slots=True)
class GuardState:
    """The lease, the latest time seen, and how many messages were not understood."""

    lease: Lease = field(default_factory=lease.closed)
    now_ns: int = 0
    refused: int = 0


def step(state: GuardState, datagram: bytes | None, now_ns: int) -> tuple[GuardState, bool]:
    """The state after `datagram` (None: time alone has passed), and the level of the line now.

    Bytes that are no message of this version renew nothing and close nothing: the lease simply runs out. A `now_ns`
    that runs backwards is taken as standing still.
    """
    now_ns = max(now_ns, state.now_ns)
    held, refused = state.lease, state.refused
    if datagram is not None:
        until_ns = _deadline_ns(datagram)
        if until_ns is None:
            refused += 1
        elif until_ns == 0:
            held = lease.closed()
        else:
            held = lease.renewed(held, until_ns, now_ns, LONGEST_LEASE_NS)
    return GuardState(held, now_ns, refused), held.is_high(now_ns)


def remaining_ns(state: GuardState, now_ns: int) -> int:
    """How long the line stays high if nothing more comes; 0 when it is low."""
    return max(0, state.lease.until_ns - max(now_ns, state.now_ns))


def _deadline_ns(datagram: bytes) -> int | None:
    """The deadline of a message, 0 for one that closes, None for what is no message of this version."""
    if len(datagram) != MESSAGE_BYTES:
        return None
    magic, version, kind, until_ns = _MESSAGE.unpack(datagram)
    if magic != _MAGIC or version != VERSION:
        return None
    if kind == Kind.CLOSE:
        return 0
    if kind == Kind.RENEW and until_ns >= 0:
        return int(until_ns)
    return None
