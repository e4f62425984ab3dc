"""Where and when a capture was made: this boot, this clock, this software. Passed in, so that tests can choose."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd at each synchronisation (its manual). Another time service leaves it out: then the
clock counts as not set, which is the harmless mistake."""


def read_boot_id() -> str:
    """The kernel's random name for this boot; where there is none, each process counts as a boot of its own."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Origin:
    """The boot, the software, the wall clock, and whether that clock was set by a time server since the boot."""

    boot_id: str = field(default_factory=read_boot_id)
    software: str = field(default_factory=lambda: f"focusgate {version('focusgate')}")
    wall_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    synchronised: Callable[[], bool] = SYNCHRONISED.exists
