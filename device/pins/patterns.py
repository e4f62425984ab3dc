"""What lamp and buzzer play: light and pitch as pure functions of time.

Every lamp differs from the others in rhythm as well as in colour, for eyes that do not tell red from green. None
flashes more than three times in a second (WCAG 2.2, criterion 2.3.1: below the rate that can trigger seizures).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from device.pins.protocol import Lamp, Tone

MS = 1_000_000

Rgb = tuple[bool, bool, bool]
"""Red, green, blue: lit or not."""

DARK: Rgb = (False, False, False)
WHITE: Rgb = (True, True, True)
RED: Rgb = (True, False, False)
GREEN: Rgb = (False, True, False)
AMBER: Rgb = (True, True, False)
BLUE: Rgb = (False, False, True)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`colour` lit and dark in turn for `spans_ms`, beginning lit, over and over; no spans: steady.

    later   colour of the second, third … light, where it is another
    """

    colour: Rgb
    spans_ms: tuple[int, ...] = ()
    later: Rgb | None = None


LONGEST_WINK_MS = 100
"""Open is never dark for longer, and everything else is at times: so it is told by its rhythm alone."""

RHYTHMS = {
    Lamp.OFF: Rhythm(DARK),
    Lamp.STARTING: Rhythm(WHITE, (1000, 1000)),  # slow blink
    Lamp.CLOSED: Rhythm(RED, (1200, 300)),  # long light, short gap
    Lamp.OPEN: Rhythm(GREEN),  # the only steady light
    Lamp.ARMED: Rhythm(AMBER, (200, 200)),  # fast blink
    Lamp.FAULT: Rhythm(RED, (150, 150, 150, 1050)),  # double flash
    Lamp.CLOSED_LOW: Rhythm(RED, (1200, 300, 200, 300), BLUE),  # long light, gap, blue blink, gap
    Lamp.OPEN_LOW: Rhythm(GREEN, (2700, LONGEST_WINK_MS, 100, LONGEST_WINK_MS), BLUE),  # steady but for a blue wink
}

TONES: dict[Tone, tuple[tuple[int, int], ...]] = {
    Tone.SAVED: ((1047, 120), (1568, 180)),  # rising fifth, C6 to G6
    Tone.SAVED_LOW: ((1047, 120), (1568, 180), (0, 120), (523, 300)),  # then C5
    Tone.ENDED: ((1568, 120), (1047, 180)),  # the fifth falling
    Tone.REFUSED: ((440, 500),),  # low, long
    Tone.ARMED: ((1047, 80), (0, 60), (1047, 80)),  # two short
    Tone.FAULT: ((440, 150), (0, 100), (440, 150), (0, 100), (440, 150)),  # three low
}
"""Notes of (pitch in Hz or 0 for a rest, length in ms). No pitch below 440 Hz: small piezos hardly sound there."""


def pattern_level(lamp: Lamp, elapsed_ns: int) -> Rgb:
    """What the lamp shows `elapsed_ns` after it was set; a negative time is taken for 0."""
    rhythm = RHYTHMS[lamp]
    if not rhythm.spans_ms:
        return rhythm.colour
    within_ms = (max(0, elapsed_ns) // MS) % sum(rhythm.spans_ms)
    span = bisect_right(tuple(accumulate(rhythm.spans_ms)), within_ms)
    if span % 2:
        return DARK
    return rhythm.colour if span == 0 or rhythm.later is None else rhythm.later


def tone_level(tone: Tone, elapsed_ns: int) -> int | None:
    """Pitch in Hz `elapsed_ns` after the tone began, 0 in a rest, None once it is over."""
    for pitch_hz, length_ms in TONES[tone]:
        if elapsed_ns < length_ms * MS:
            return pitch_hz
        elapsed_ns -= length_ms * MS
    return None
