"""Single keys from a terminal, without waiting."""

from __future__ import annotations

import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def raw_keys() -> Iterator[None]:
    """Deliver each key at once; the terminal is put back whatever happens. Only with a terminal on standard input."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pending_keys() -> str:
    """The keys pressed since the last call, in order; empty if none."""
    keys = ""
    while select.select([sys.stdin], [], [], 0.0)[0]:
        key = sys.stdin.read(1)
        if not key:
            break
        keys += key
    return keys
