"""The operating point of one device: the lowest threshold whose false-in-focus rate is at most alpha, with a guarantee.

What is bounded. Of all tiles that are truly out of focus, the share that the device calls in focus.

What is counted. The tiles of one picture share texture, light, distance and motion: a thousand tiles of ten pictures
are ten observations, not a thousand. So the picture is the unit (one place on the target, one distance), and no
assumption is made of how its tiles depend on each other. With k of n blurred tiles called in focus, and m tiles at
most in a picture, each picture gives y = (rate · n − k) / m, which has a mean of at most 0 wherever the true rate is
`rate` or more. For any fixed stake s in 0 to 1 the product of (1 + s · y / (1 − rate)) over pictures then has a mean of
at most 1, and so exceeds 1/delta with a probability of at most delta (Markov). That is the test by betting of
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024) 1–27, with stakes
that are fixed beforehand and averaged, so that the order of the pictures does not matter.

Why not Clopper and Pearson's interval for this: it is exact for independent yes-or-no observations only. Counting tiles
it promises what it does not keep (a test shows by how much), and one tile a picture throws the rest away; an effective
sample size by the design effect (Kish 1965) is an approximation, worst where there are few errors, which is here. It is
exact, and used, for what is yes or no a picture: whether a picture passes the gate that should not (`false_passes`).

How the threshold is chosen. "Learn then Test" (Angelopoulos, Bates, Candès, Jordan, Lei 2021), fixed sequence: a grid
fixed beforehand is tested from the strictest threshold down, each at the full delta, until the first that cannot be
shown to keep alpha; the one before it is chosen. The chance that the chosen one does not keep alpha is at most delta.

What it promises it promises of pictures like those it saw: same device, same kinds of target, same mix of distances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calibration.extra import scipy_module
from models.errors import InputError

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]

GRID = tuple(round(0.995 - 0.005 * step, 3) for step in range(180))
"""Thresholds from strict to loose, 0.995 to 0.1; fixed before any picture is seen, as the guarantee demands."""

STAKES = ((1.0, 0.5), (0.5, 0.25), (0.25, 0.25))
"""Stake, as a share of the largest that cannot lose everything, and its weight: the largest is best where errors are
rare, which is what a device is calibrated to; the others keep the proof where errors come in heaps."""

METHOD = "learn-then-test, fixed sequence; betting on whole pictures (Waudby-Smith and Ramdas 2024)"
MOST_PICTURES = 10_000_000
"""Where the search for "how many more" ends: nobody takes so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Judged tiles whose true blur is known; three arrays of shape (tiles,).

    p_in_focus  what the model gave, 0 to 1
    in_focus    True where the true blur radius is at most the criterion
    picture     which picture the tile is of; any whole numbers
    """

    p_in_focus: Float
    in_focus: Bool
    picture: Int

    def __post_init__(self) -> None:
        """Raises InputError for arrays of different shapes, or scores that are none."""
        if not (self.p_in_focus.shape == self.in_focus.shape == self.picture.shape) or self.p_in_focus.ndim != 1:
            raise InputError("labelled tiles: scores, labels and pictures must be three lists of the same length")
        if self.p_in_focus.size and not (self.p_in_focus.min() >= 0.0 and self.p_in_focus.max() <= 1.0):
            raise InputError("labelled tiles: scores must be numbers from 0 to 1; judge the pictures anew")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One threshold: rate of false calls among blurred tiles, its upper bound, and share of sharp tiles missed."""

    threshold: float
    rate: float
    bound: float
    missed: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The chosen threshold and what is promised of it.

    alpha, delta   the rate is at most alpha, with a confidence of 1 - delta; this holds with the choice made
    rate           observed in the pictures
    bound          upper bound of the rate at this one threshold, confidence 1 - delta, at most alpha
    missed         share of the tiles in focus that are called out of focus; what the guarantee costs
    pictures       those with at least one blurred tile: the sample size
    """

    threshold: float
    alpha: float
    delta: float
    rate: float
    bound: float
    missed: float
    pictures: int
    blurred_tiles: int
    sharp_tiles: int
    method: str
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class TooFew:
    """No threshold can be shown to keep alpha. `more` pictures would do if they are like these; None: none would."""

    more: int | None
    pictures: int
    rate: float


def evidence(errors: Float, blurred: Float, most_tiles: int, rate: float, copies: float = 1.0) -> float:
    """The log of how strongly the pictures speak against a true rate of `rate` or more; reject above log(1/delta).

    `errors` and `blurred` (shape (pictures,)) count tiles of each picture; `most_tiles` bounds `blurred` and is known
    beforehand. `copies` of the pictures are taken for what more of the same would give.
    """
    stakes = np.array([stake for stake, _ in STAKES])
    y = (rate * blurred - errors) / most_tiles
    with np.errstate(divide="ignore"):  # a whole picture of errors at the full stake leaves nothing
        grown = np.log1p(np.maximum(stakes[:, None] * y[None, :] / (1.0 - rate), -1.0)).sum(axis=1) * copies
    weighted = grown + np.log([weight for _, weight in STAKES])
    top = float(weighted.max())
    return top + float(np.log(np.exp(weighted - top).sum())) if math.isfinite(top) else -math.inf


def rate_bound(errors: Float, blurred: Float, most_tiles: int, delta: float) -> float:
    """The upper bound, confidence 1 - delta, of the rate: the smallest that the pictures speak against. 1 if none."""
    need = math.log(1.0 / delta)
    low, high = 0.0, 1.0
    for _ in range(40):  # evidence grows with the rate; 40 halvings are below 1e-12
        middle = (low + high) / 2
        if evidence(errors, blurred, most_tiles, middle) >= need:
            high = middle
        else:
            low = middle
    return high


def operating_point(
    tiles: Labelled,
    *,
    alpha: float,
    delta: float,
    most_tiles: int,
    grid: tuple[float, ...] = GRID,
) -> OperatingPoint | TooFew:
    """The lowest threshold of `grid` (falling) whose false-in-focus rate is at most `alpha`, confidence 1 - `delta`.

    `most_tiles`: the tiles of the field, the most that one picture can have. Raises InputError for an alpha or delta
    outside 0 to 1, a grid that does not fall, or a picture with more tiles than that.
    """
    if not (0.0 < alpha < 1.0 and 0.0 < delta < 1.0):
        raise InputError(f"alpha {alpha:g} and delta {delta:g}: allowed are values above 0 and below 1")
    if any(after >= before for before, after in pairwise(grid)):
        raise InputError("the grid of thresholds must fall from one to the next")
    names, picture = np.unique(tiles.picture, return_inverse=True)
    blurred = _per_picture(picture, ~tiles.in_focus, len(names))
    if blurred.size and float(blurred.max()) > most_tiles:
        raise InputError(f"a picture has {int(blurred.max())} blurred tiles, the field {most_tiles}; judge them anew")
    need = math.log(1.0 / delta)
    chosen = None
    for threshold in grid:
        if evidence(_errors(tiles, picture, len(names), threshold), blurred, most_tiles, alpha) < need:
            break
        chosen = threshold
    if chosen is None:
        return _too_few(_errors(tiles, picture, len(names), grid[0]), blurred, most_tiles, alpha, delta)

    def point(threshold: float) -> CurvePoint:
        errors = _errors(tiles, picture, len(names), threshold)
        return _point(tiles, errors, blurred, threshold, rate_bound(errors, blurred, most_tiles, delta))

    curve = tuple(point(threshold) for threshold in _curve_of(grid))
    at = point(chosen)
    return OperatingPoint(
        threshold=chosen,
        alpha=alpha,
        delta=delta,
        rate=at.rate,
        bound=at.bound,
        missed=at.missed,
        pictures=int((blurred > 0).sum()),
        blurred_tiles=int(blurred.sum()),
        sharp_tiles=int(tiles.in_focus.sum()),
        method=METHOD,
        curve=curve,
    )


def clopper_pearson_upper(errors: int, count: int, delta: float) -> float:
    """The exact upper bound, confidence 1 - delta, of a probability seen `errors` times in `count` independent trials.

    Clopper and Pearson, Biometrika 26 (1934) 404–413. Raises InputError if SciPy is missing.
    """
    if not 0 <= errors <= count:
        raise InputError(f"{errors} errors of {count}: allowed are 0 to all of them")
    if errors == count:
        return 1.0
    return float(scipy_module("stats").beta.ppf(1.0 - delta, errors + 1, count - errors))


@dataclass(frozen=True, slots=True)
class FalsePasses:
    """Pictures that pass the gate at this threshold though too little of them is in focus, and the exact bound."""

    errors: int
    pictures: int
    bound: float


def false_passes(tiles: Labelled, threshold: float, percent: int, delta: float) -> FalsePasses:
    """How often a picture of which less than `percent` is truly in focus passes all the same; in integers.

    Each picture is yes or no, so Clopper and Pearson's bound is exact. Raises InputError if SciPy is missing.
    """
    names, picture = np.unique(tiles.picture, return_inverse=True)
    total = np.bincount(picture, minlength=len(names))
    sharp = np.bincount(picture[tiles.in_focus], minlength=len(names))
    called = np.bincount(picture[tiles.p_in_focus >= threshold], minlength=len(names))
    should_fail = 100 * sharp < percent * total
    errors = int((should_fail & (100 * called >= percent * total)).sum())
    count = int(should_fail.sum())
    return FalsePasses(errors, count, clopper_pearson_upper(errors, count, delta))


def _per_picture(picture: Int, mask: Bool, pictures: int) -> Float:
    return np.bincount(picture[mask], minlength=pictures).astype(np.float64)


def _errors(tiles: Labelled, picture: Int, pictures: int, threshold: float) -> Float:
    return _per_picture(picture, ~tiles.in_focus & (tiles.p_in_focus >= threshold), pictures)


def _point(tiles: Labelled, errors: Float, blurred: Float, threshold: float, bound: float) -> CurvePoint:
    sharp = int(tiles.in_focus.sum())
    kept = int((tiles.in_focus & (tiles.p_in_focus >= threshold)).sum())
    return CurvePoint(
        threshold=threshold,
        rate=float(errors.sum() / blurred.sum()) if blurred.any() else 0.0,
        bound=bound,
        missed=1.0 - kept / sharp if sharp else 0.0,
    )


def _curve_of(grid: tuple[float, ...], points: int = 45) -> tuple[float, ...]:
    return grid[:: max(len(grid) // points, 1)]


def _too_few(errors: Float, blurred: Float, most_tiles: int, alpha: float, delta: float) -> TooFew:
    pictures = int((blurred > 0).sum())
    if not pictures:
        return TooFew(math.ceil(fewest_pictures(alpha, delta)), 0, 0.0)
    rate = float(errors.sum() / blurred.sum())
    need = math.log(1.0 / delta)
    low, high = 1.0, MOST_PICTURES / pictures
    if evidence(errors, blurred, most_tiles, alpha, high) < need:
        return TooFew(None, pictures, rate)
    while high - low > 0.5 / pictures:
        middle = (low + high) / 2
        enough = evidence(errors, blurred, most_tiles, alpha, middle) >= need
        low, high = (low, middle) if enough else (middle, high)
    return TooFew(max(math.ceil(high * pictures) - pictures, 1), pictures, rate)


def fewest_pictures(alpha: float, delta: float) -> int:
    """Wholly blurred pictures without a single error that prove alpha with a confidence of 1 - delta."""
    need, blurred = math.log(1.0 / delta), np.ones(1)
    count = 1
    while evidence(np.zeros(1), blurred, 1, alpha, count) < need:
        count += 1
    return count
