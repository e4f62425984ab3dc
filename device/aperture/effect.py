"""Does the picture respond to the aperture? The light on the sensor goes with 1/N², whatever the actuator says. Pure.

Only this check sees a servo that is jammed, a lever that slipped, or a linkage that is mounted the wrong way round. It
takes several moves in a row to call a fault, for the hand moves the light too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median

from device.clock import MS
from device.frame import Frame

DISPLAY_GAMMA = 2.2
"""Luma back to light, near enough for half stops (IEC 61966-2-1 has 2.2 as its approximation)."""

LUMA_STRIDE_PX = 16
DARKEST_LUMA, BRIGHTEST_LUMA = 8.0, 240.0
"""Mean luma outside tells the limits of the sensor, not the light."""


def light_of(frame: Frame) -> float | None:
    """Light on the sensor in stops (log2, no absolute zero); None if the camera does not tell its exposure."""
    exposure_us, gain = frame.info.exposure_us, frame.info.analogue_gain
    if not exposure_us or not gain:
        return None
    mean = float(frame.luma[::LUMA_STRIDE_PX, ::LUMA_STRIDE_PX].mean())
    if not DARKEST_LUMA <= mean <= BRIGHTEST_LUMA:
        return None
    return DISPLAY_GAMMA * math.log2(mean / 255) - math.log2(exposure_us * gain)


@dataclass(frozen=True, slots=True)
class EffectSettings:
    """frames         the median of so many is compared, before and after
    smallest_stops    moves that change the light by less prove nothing
    smallest_share    of the expected change that must be seen
    largest_share     of it that may be seen; more is the hand's doing, and proves nothing
    exposure_lag_ns   frames exposed so soon after a move may still show the old aperture
    failures          moves in a row without effect that are a fault
    """

    frames: int = 3
    smallest_stops: float = 0.4
    smallest_share: float = 0.3
    largest_share: float = 3.0
    exposure_lag_ns: int = 150 * MS
    failures: int = 3


@dataclass(frozen=True, slots=True)
class EffectState:
    """Light of the last frames (stops), what a move should have done to it, and how often it did not."""

    recent: tuple[float, ...] = ()
    before: float | None = None
    expected_stops: float = 0.0
    from_ns: int = 0
    exposed_ns: int | None = None
    failures: int = 0


DEFAULTS = EffectSettings()


def moved(
    state: EffectState, before_f: float, after_f: float, now_ns: int, settings: EffectSettings = DEFAULTS
) -> EffectState:
    """The aperture says that it went from one f-number to another, just now."""
    expected_stops = 2 * math.log2(before_f / after_f)
    known = len(state.recent) >= settings.frames and abs(expected_stops) >= settings.smallest_stops
    return replace(
        state,
        recent=(),
        before=median(state.recent) if known else None,
        expected_stops=expected_stops,
        from_ns=now_ns + settings.exposure_lag_ns,
    )


def seen(
    state: EffectState, light_stops: float | None, exposed_ns: int, settings: EffectSettings = DEFAULTS
) -> EffectState:
    """One more frame; one that was seen before does not count again.

    `failures` counts moves whose effect did not come; the first that does come sets it to 0.
    """
    known = state.exposed_ns is not None and exposed_ns <= state.exposed_ns
    if known or light_stops is None or exposed_ns < state.from_ns:
        return state
    state = replace(state, exposed_ns=exposed_ns, recent=(*state.recent, light_stops)[-settings.frames :])
    if state.before is None or len(state.recent) < settings.frames:
        return state
    share = (median(state.recent) - state.before) / state.expected_stops
    state = replace(state, before=None)
    if share > settings.largest_share:
        return state
    return replace(state, failures=0 if share >= settings.smallest_share else state.failures + 1)


def failed(state: EffectState, settings: EffectSettings = DEFAULTS) -> bool:
    """True if the aperture must be taken for broken."""
    return state.failures >= settings.failures
