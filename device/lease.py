"""A lease on the shutter line: high only until a moment in time, unless renewed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Lease:
    """`until_ns` on the monotonic clock; the default is a lease that never was."""

    until_ns: int = 0

    def is_high(self, now_ns: int) -> bool:
        return now_ns < self.until_ns


def renewed(lease: Lease, until_ns: int, now_ns: int, longest_ns: int = 150 * MS) -> Lease:
    """The lease up to `until_ns`, but never beyond `longest_ns` from now: whoever asks for more gets that."""
    return Lease(max(lease.until_ns, min(until_ns, now_ns + longest_ns)))


def closed() -> Lease:
    """No lease: the line is low."""
    return Lease()
