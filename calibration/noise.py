"""Photon transfer: level without light, electrons per DN and read noise at each gain, from pairs of flat pictures.

Two pictures of the same light differ by noise alone: fixed pattern, vignetting and texture cancel. In DN,

    variance = (read_noise² + electrons) / K²,    level = black + electrons / K,    so
    variance = (read_noise / K)² + (level - black) / K,

a straight line whose slope is 1/K (Janesick, Photon Transfer, SPIE 2007, chapter 5; EMVA 1288 release 4.0, section 6).
Vignetting helps: small blocks of one picture have many levels. Rounding to whole DN adds 1/12 DN² (Sheppard), which
holds only for noise above about half a DN: below, rounding hides the noise, and what was measured at a higher gain is
used. All of this is about a linear signal: where the camera bends it, levels and variances are unbent first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

Luma = NDArray[np.uint8]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

BLOCK_PX = 16
"""Side of a block: light varies by far less than the noise over so few pixels, and 256 of them give a variance."""

ROUNDING_VARIANCE = 1 / 12
LEAST_SIGMA_DN = 0.5
"""Below, Sheppard's correction of rounding fails by more than a percent."""

LEAST_SIGNAL_TO_NOISE = 2.0
"""Of one pixel; where it is lower, detail of a tenth of the light lies five times below the noise."""

MOST_CLIPPED = 0.001
"""Share of pixels of a block at 0 or 255 from which its variance is cut short."""

FULL_SCALE = 255
MIN_BLOCKS = 200
ROUNDS = 8
HOT_SIGMAS = 6.0
MIN_RANGE_DN = 40.0
"""Levels must span this much for a slope."""


@dataclass(frozen=True, slots=True, eq=False)
class FlatPair:
    """Two pictures of the same even light (or of none), taken one after the other with the same settings."""

    first: Luma
    second: Luma


@dataclass(frozen=True, slots=True)
class GainResult:
    """One gain: electrons per DN, read noise in electrons, and whether that was measured at this very gain."""

    gain_db: float
    e_per_dn: float
    read_noise_e: float
    read_noise_measured: bool


@dataclass(frozen=True, slots=True)
class TransferPoint:
    """Level above black and variance, DN and DN²; for the report."""

    level_dn: float
    variance_dn2: float


@dataclass(frozen=True, slots=True)
class NoiseResult:
    """All gains, lowest first, and the points that the lines were drawn through."""

    black_level_dn: float
    gains: tuple[GainResult, ...]
    points: tuple[tuple[float, tuple[TransferPoint, ...]], ...]


Unbend = Callable[[Float], Float]


def straight(levels: Float) -> Float:
    """A camera that bends nothing."""
    return levels


def noise_model(
    flats: Mapping[float, Sequence[FlatPair]],
    darks: Mapping[float, FlatPair],
    *,
    inside: Bool | None = None,
    unbend: Unbend = straight,
) -> NoiseResult:
    """The noise of a device. Keys are gains in dB; `flats` at several exposures, `darks` with the lens covered.

    `inside`: pixels of the field, shape (H, W). `unbend` turns DN of the picture into DN that are linear in light.
    Raises InputError, one line, for pictures that cannot tell: too dark, clipped, all alike.
    """
    if not flats or set(flats) - set(darks):
        raise InputError("noise: every gain needs flat pictures and a dark pair; take those that are missing")
    black = _black_level(darks, unbend)
    found, points = [], []
    for gain_db in sorted(flats):
        level, variance = _blocks(flats[gain_db], inside, unbend, gain_db)
        dark = _dark_variance(darks[gain_db], unbend)
        hidden = dark is None and not _is_cut_off(darks[gain_db])
        found.append(_fitted(gain_db, level - black, variance, dark, hidden=hidden))
        points.append((gain_db, _sample(level - black, variance)))
    return NoiseResult(black, _filled_up(found), tuple(points))


def signal_to_noise(result: GainResult, level_dn: float) -> float:
    """Mean over standard deviation at `level_dn` above black; rounding is left out."""
    electrons = level_dn * result.e_per_dn
    return float(electrons / np.sqrt(electrons + result.read_noise_e**2)) if electrons > 0 else 0.0


def at_gain(gains: Sequence[GainResult], gain_db: float) -> GainResult:
    """The noise at any gain: the nearest measured one, its electrons per DN carried on by the gain itself."""
    nearest = min(gains, key=lambda each: abs(each.gain_db - gain_db))
    e_per_dn = nearest.e_per_dn * 10 ** ((nearest.gain_db - gain_db) / 20)
    return replace(nearest, gain_db=gain_db, e_per_dn=float(e_per_dn))


def darkest_dn(result: GainResult, least: float = LEAST_SIGNAL_TO_NOISE) -> float:
    """Level above black, DN, at which `signal_to_noise` reaches `least`: the positive root n of
    n² = least² (n + read_noise²), in electrons."""
    electrons = least * (least + np.sqrt(least**2 + 4 * result.read_noise_e**2)) / 2
    return float(electrons / result.e_per_dn)


def _black_level(darks: Mapping[float, FlatPair], unbend: Unbend) -> float:
    """From the dark pair whose noise is large enough to see between two levels, yet not cut off at 0."""
    best: tuple[float, float] | None = None
    for gain_db in sorted(darks):
        both = np.stack([darks[gain_db].first, darks[gain_db].second]).astype(np.float64)
        clipped = float((both <= 0).mean())
        sigma = _robust_sigma(both[0] - both[1]) / np.sqrt(2)
        if clipped > MOST_CLIPPED:
            continue
        kept = _without_hot(both)
        best = (float(unbend(kept).mean()), sigma)
        if sigma >= LEAST_SIGMA_DN:
            break
    if best is None:
        raise InputError(
            "noise: the dark pictures are cut off at 0, their level cannot be known; raise the camera's black level"
        )
    return best[0]


def _without_hot(both: Float) -> Float:
    middle = float(np.median(both))
    spread = max(_robust_sigma(both - middle), LEAST_SIGMA_DN)
    return both[np.abs(both - middle) <= HOT_SIGMAS * spread]


def _robust_sigma(values: Float) -> float:
    """From the quartiles, finer than whole steps: half a percent of hot pixels changes nothing."""
    low, high = np.percentile(values, [15.87, 84.13])
    return float(max((high - low) / 2, float(np.std(np.clip(values, low - 3, high + 3)))))


def _is_cut_off(pair: FlatPair) -> bool:
    return float((np.stack([pair.first, pair.second]) == 0).mean()) > MOST_CLIPPED


def _dark_variance(pair: FlatPair, unbend: Unbend) -> float | None:
    """Variance without light (linear DN²); None where rounding hides it or 0 cuts it off."""
    if _is_cut_off(pair):
        return None
    both = np.stack([pair.first, pair.second]).astype(np.float64)
    difference = both[0] - both[1]
    spread = max(_robust_sigma(difference), LEAST_SIGMA_DN)
    difference = difference[np.abs(difference) <= HOT_SIGMAS * spread]
    variance = float(difference.var()) / 2 - ROUNDING_VARIANCE
    if variance < LEAST_SIGMA_DN**2:
        return None
    slope = _slope(unbend, np.array([float(np.median(both))]))
    return float(variance * slope[0] ** 2)


def _slope(unbend: Unbend, level: Float) -> Float:
    """Linear DN per DN of the picture."""
    return np.asarray((unbend(level + 0.5) - unbend(level - 0.5)), np.float64)


def _blocks(pairs: Sequence[FlatPair], inside: Bool | None, unbend: Unbend, gain_db: float) -> tuple[Float, Float]:
    """Level and variance (linear) of every usable block of all pairs."""
    levels, variances = [], []
    for pair in pairs:
        first, second = (_in_blocks(each) for each in (pair.first, pair.second))
        usable = ((first > 0) & (first < FULL_SCALE) & (second > 0) & (second < FULL_SCALE)).mean(axis=-1)
        good = usable >= 1 - MOST_CLIPPED
        if inside is not None:
            good &= _in_blocks(inside).all(axis=-1)
        if not good.any():
            continue
        first, second = first[good].astype(np.float64), second[good].astype(np.float64)
        mean = (first.mean(axis=-1) + second.mean(axis=-1)) / 2
        variance = (first - second).var(axis=-1, ddof=1) / 2 - ROUNDING_VARIANCE
        levels.append(unbend(mean))
        variances.append(variance * _slope(unbend, mean) ** 2)
    if sum(map(len, levels)) < MIN_BLOCKS:
        raise InputError(
            f"noise: at {gain_db:g} dB too few places are neither dark nor clipped; light the white paper evenly, so "
            "that its picture is grey"
        )
    level, variance = np.concatenate(levels), np.concatenate(variances)
    low, high = np.percentile(level, [1, 99])
    if high - low < MIN_RANGE_DN:
        raise InputError(
            f"noise: at {gain_db:g} dB the levels span {high - low:.0f} DN; due are {MIN_RANGE_DN:g}: use exposures "
            "from dark to nearly white"
        )
    return level, variance


def _in_blocks(plane: NDArray[np.uint8] | Bool) -> NDArray[np.uint8] | Bool:
    """Shape (blocks, BLOCK_PX²); what is left over at the right and below is dropped."""
    rows, columns = plane.shape[0] // BLOCK_PX, plane.shape[1] // BLOCK_PX
    cut = plane[: rows * BLOCK_PX, : columns * BLOCK_PX]
    return cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX).swapaxes(1, 2).reshape(rows * columns, BLOCK_PX**2)


def _fitted(gain_db: float, level: Float, variance: Float, dark: float | None, *, hidden: bool) -> GainResult:
    """The line by weighted least squares; a variance of n pixels has a standard error of sqrt(2/n) of itself.

    Where the dark pair shows the read noise, the line is made to begin there. Where rounding hides it in the dark
    (`hidden`), where the line would begin is no measurement of it either.
    """
    floor = dark if dark is not None else 0.0
    slope, intercept = float(np.median(variance / np.maximum(level, 1.0))), floor
    for _ in range(ROUNDS):
        weight = 1.0 / np.maximum(slope * level + intercept, ROUNDING_VARIANCE) ** 2
        if dark is not None:
            slope = float((weight * level * (variance - dark)).sum() / (weight * level**2).sum())
            continue
        mean_x, mean_y = ((weight * each).sum() / weight.sum() for each in (level, variance))
        slope = float((weight * (level - mean_x) * (variance - mean_y)).sum() / (weight * (level - mean_x) ** 2).sum())
        intercept = max(float(mean_y - slope * mean_x), 0.0)
    if not slope > 0.0:
        raise InputError(
            f"noise: at {gain_db:g} dB the noise does not grow with the light; switch the camera's denoising off, and "
            "name its curve (--tone)"
        )
    seen = dark is not None or (not hidden and intercept >= LEAST_SIGMA_DN**2)
    return GainResult(gain_db, 1.0 / slope, float(np.sqrt(intercept)) / slope, read_noise_measured=seen)


def _filled_up(found: list[GainResult]) -> tuple[GainResult, ...]:
    """Where rounding hid the read noise, that of the next higher gain at which it was seen (it falls with the gain)."""
    filled: list[GainResult] = []
    above: GainResult | None = None
    for each in reversed(found):
        if each.read_noise_measured:
            above = each
        filled.append(each if above is None else replace(each, read_noise_e=above.read_noise_e))
    return tuple(reversed(filled))


def _sample(level: Float, variance: Float, bins: int = 24) -> tuple[TransferPoint, ...]:
    """Medians in equal ranges of level."""
    edges = np.linspace(float(level.min()), float(level.max()) + 1e-9, bins + 1)
    index = np.digitize(level, edges) - 1
    return tuple(
        TransferPoint(float(level[index == k].mean()), float(np.median(variance[index == k])))
        for k in range(bins)
        if (index == k).any()
    )
