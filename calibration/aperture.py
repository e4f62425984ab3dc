"""The iris from a sweep both ways: which position gives which f-number, how much play there is, and what limits it.

Light on the sensor goes with 1/N² (Hecht, Optics, 5th ed., section 5.2), so relative light gives every f-number once
one is known: that of the widest opening, as the lens maker writes it on the lens. The device reaches every position
from below (device.aperture.plan), so the table is that of the way up; play shows as the shift between both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

Float = NDArray[np.float64]

MIN_POINTS = 6
STOP_SHARE = 0.02
"""Change of light, per point and in stops, below which the iris no longer follows: it stands at its stop."""

MIN_RANGE_STOPS = 0.5
MAX_SHIFT = 0.25
"""Largest play that is looked for, as a share of the travel."""

SHIFTS = 501
SAME_F_NUMBER = 1e-6


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of the flat target: where the actuator was sent to, and the light (DN above black a µs)."""

    position: float
    light: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep up, one down, visits to the same few positions again (each from below), and times of whole moves (s)."""

    up: tuple[Sample, ...]
    down: tuple[Sample, ...]
    again: tuple[tuple[Sample, ...], ...]
    move_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ApertureResult:
    """The table, rising in f-number, and how the mechanism moves; units of the positions given.

    lowest, highest  where the iris begins and ceases to follow, reached from below
    """

    f_numbers: tuple[float, ...]
    positions: tuple[float, ...]
    relative_light: tuple[float, ...]
    backlash: float
    repeatability: float
    lowest: float
    highest: float
    move_s: float


def aperture_table(sweep: Sweep, widest_f_number: float) -> ApertureResult:
    """The table of one actuator. `widest_f_number` is that of the widest opening in the sweep.

    Raises InputError, one line, if the light does not change enough or does not go one way: a jam, a lamp that
    flickers, a target that was moved.
    """
    if not widest_f_number > 0.0:
        raise InputError(f"aperture: widest f-number {widest_f_number:g}: allowed are numbers above 0, as on the lens")
    up, down = _arrays(sweep.up), _arrays(sweep.down)
    for position, stops in (up, down):
        _check(position, stops)
    position, stops = up
    lowest, highest = _limit(position, stops), -_limit(-position[::-1], stops[::-1])
    inside = (position > lowest) & (position < highest)
    table = np.concatenate([[lowest], position[inside], [highest]])
    light = np.concatenate([[stops[0]], stops[inside], [stops[-1]]])
    one_way = np.minimum.accumulate if stops[-1] < stops[0] else np.maximum.accumulate
    relative = np.exp2(one_way(light) - float(max(stops.max(), down[1].max())))
    f_numbers = widest_f_number / np.sqrt(relative)
    order = np.argsort(f_numbers, kind="stable")
    keep = order[np.concatenate([[True], np.diff(f_numbers[order]) > SAME_F_NUMBER])]
    return ApertureResult(
        f_numbers=tuple(map(float, f_numbers[keep])),
        positions=tuple(map(float, table[keep])),
        relative_light=tuple(map(float, relative[keep])),
        backlash=_shift(up, down),
        repeatability=_repeatability(sweep.again, position, stops),
        lowest=lowest,
        highest=highest,
        move_s=float(np.median(sweep.move_s)) if sweep.move_s else 0.0,
    )


def f_number_at(result: ApertureResult, position: float) -> float:
    """The f-number at a position reached from below; between points its logarithm is straight; held at the ends."""
    order = np.argsort(result.positions)
    places, values = np.array(result.positions)[order], np.log(result.f_numbers)[order]
    return float(np.exp(np.interp(position, places, values)))


def takes_over(f_numbers: Sequence[float], values: Sequence[float], limit: float, *, above: bool) -> float | None:
    """The smallest f-number from which on `values` lie above (or below) `limit`, between points by a straight line.

    With the diffraction's blur radius: where it takes over (above). With the signal-to-noise ratio that the exposure
    control is left with: where noise does (below). None if nowhere in the table.
    """
    beyond = [value > limit if above else value < limit for value in values]
    if not beyond[-1]:
        return None
    first = len(beyond) - beyond[::-1].index(False) if False in beyond else 0
    if first == 0:
        return float(f_numbers[0])
    share = (limit - values[first - 1]) / (values[first] - values[first - 1])
    return float(f_numbers[first - 1] + share * (f_numbers[first] - f_numbers[first - 1]))


def _arrays(samples: Sequence[Sample]) -> tuple[Float, Float]:
    """Positions, rising, and the light there in stops."""
    if len(samples) < MIN_POINTS:
        raise InputError(f"aperture: {len(samples)} points in a sweep; due are at least {MIN_POINTS} each way")
    ordered = sorted(samples, key=lambda sample: sample.position)
    light = np.array([sample.light for sample in ordered])
    if not (np.isfinite(light).all() and (light > 0.0).all()):
        raise InputError("aperture: a picture of the sweep has no light in it; light the white paper evenly")
    return np.array([sample.position for sample in ordered]), np.log2(light)


def _check(position: Float, stops: Float) -> None:
    span = float(stops.max() - stops.min())
    if len(np.unique(position)) != len(position):
        raise InputError("aperture: a position occurs twice in one sweep; sweep anew")
    if span < MIN_RANGE_STOPS:
        raise InputError(
            f"aperture: the light changes by {span:.2f} stops only; due are {MIN_RANGE_STOPS:g}: is the iris connected?"
        )
    against = np.diff(stops) * (1 if stops[-1] > stops[0] else -1)
    if float(against.min()) < -max(STOP_SHARE * span, STOP_SHARE):
        place = float(position[int(against.argmin())])
        raise InputError(
            f"aperture: at position {place:g} the light goes the wrong way; keep lamp and paper still, and see whether "
            "the mechanism slips"
        )


def _limit(position: Float, stops: Float) -> float:
    """Where the iris begins to follow: the first two points that do, carried on to the light of the first point."""
    first = int((np.abs(np.diff(stops)) > STOP_SHARE).argmax())
    if first + 2 >= len(stops):
        return float(position[first])
    slope = (stops[first + 2] - stops[first + 1]) / (position[first + 2] - position[first + 1])
    begins = position[first + 1] - (stops[first + 1] - stops[0]) / slope if slope != 0.0 else position[first]
    return float(np.clip(begins, position[first], position[first + 1]))


def _shift(up: tuple[Float, Float], down: tuple[Float, Float]) -> float:
    """How much further up the way up must go for the same light: least squares over a fine grid, then a parabola."""
    span = float(up[0][-1] - up[0][0])
    shifts = np.linspace(-0.02 * span, MAX_SHIFT * span, SHIFTS)
    costs = np.array([_cost(up, down, float(shift)) for shift in shifts])
    best = int(costs.argmin())
    found = float(shifts[best])
    if 0 < best < SHIFTS - 1:
        left, middle, right = costs[best - 1 : best + 2]
        bend = left - 2 * middle + right
        found += float(0.5 * (left - right) / bend * (shifts[1] - shifts[0])) if bend > 0 else 0.0
    return max(found, 0.0)


def _cost(up: tuple[Float, Float], down: tuple[Float, Float], shift: float) -> float:
    """Mean square difference (stops²) between the way up and the way down moved up by `shift`, where both move."""
    low, high = _moving(*up)
    first, last = _moving(*down)
    place = down[0] + shift
    inside = (place >= low) & (place <= high) & (down[0] >= first) & (down[0] <= last)
    if inside.sum() < MIN_POINTS // 2:
        return float("inf")
    return float(((np.interp(place[inside], up[0], up[1]) - down[1][inside]) ** 2).mean())


def _moving(position: Float, stops: Float) -> tuple[float, float]:
    """First and last position between which every point's light differs from the next's; kinks at the ends left out."""
    moves = np.abs(np.diff(stops)) > STOP_SHARE
    first, last = int(moves.argmax()), len(moves) - 1 - int(moves[::-1].argmax())
    return float(position[min(first + 1, last)]), float(position[last])


def _repeatability(again: Sequence[Sequence[Sample]], position: Float, stops: Float) -> float:
    """Standard deviation of the position that the iris takes when it is sent to the same place from below."""
    slope = np.gradient(stops, position)
    squares, count = 0.0, 0
    for visits in again:
        if len(visits) < 2:
            continue
        light = np.log2([visit.light for visit in visits])
        here = abs(float(np.interp(visits[0].position, position, slope)))
        if here > 0.0:
            squares += float(((light - light.mean()) ** 2).sum()) / here**2
            count += len(visits) - 1
    return float(np.sqrt(squares / count)) if count else 0.0
