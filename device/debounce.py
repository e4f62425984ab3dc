"""Debouncing by timestamps: a pure function, polled with raw levels."""

from __future__ import annotations

from dataclasses import dataclass, replace

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class DebounceSettings:
    """settle_ns: how long a raw level must last; refractory_ns: shortest time between two presses."""

    settle_ns: int = 20 * MS
    refractory_ns: int = 250 * MS


@dataclass(frozen=True, slots=True)
class Debounced:
    """A button: `pressed` is the level to act on, the rest is what it takes to know it."""

    pressed: bool = False
    raw: bool = False
    raw_since_ns: int = 0
    last_press_ns: int | None = None


DEFAULTS = DebounceSettings()


def debounce(state: Debounced, raw: bool, now_ns: int, settings: DebounceSettings = DEFAULTS) -> Debounced:
    """The button after one poll. A level counts once it lasted `settle_ns`; presses come at most one in
    `refractory_ns`, so that an edge storm can neither fire nor hold the shutter."""
    if raw != state.raw:
        return replace(state, raw=raw, raw_since_ns=now_ns)
    if raw == state.pressed or now_ns - state.raw_since_ns < settings.settle_ns:
        return state
    if not raw:
        return replace(state, pressed=False)
    if state.last_press_ns is not None and now_ns - state.last_press_ns < settings.refractory_ns:
        return state
    return replace(state, pressed=True, last_press_ns=now_ns)
