"""The round field of view: found on a picture of plain white paper, even if it is vignetted, cut off or partly dark.

The rim is where light has fallen half way from just inside to outside, along rays from the middle. A circle is fitted
to these points twice: by random triples, which wrong points cannot pull, then by weighted least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.faults import NoFieldError, PictureTooBrightError, PictureTooDarkError
from models.focusmap import Bool, FieldOfView, TileGrid

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

INSIDE_SHARE = 0.03
"""Light above black, relative to the brightest part, from which a pixel surely lies in the field: well above stray
light (under 1 %), well below a side where some of the LEDs are out."""

LEAST_LIGHT_DN = 25.0
SATURATED_DN = 250.0
MOST_SATURATED_SHARE = 0.02
RAYS = 720
RAY_STEP_PX = 0.5
SEARCH_SHARE = 0.12
"""The rim is looked for within this share of the radius from the first guess."""

PLATEAU_SHARE = 0.03
LEAST_RIM_STEP_DN = 1.5
TRIPLES, AGREEING_PX = 400, 4.0
LEAST_RIM_SHARE = 0.4
"""At least so much of the circle must show its rim within the picture: with less, light that falls towards the rim can
move it by several percent of the radius."""

WHOLE_SHARE = 0.98
MOST_RESIDUAL_SHARE = 0.0125
FIT_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class FoundField:
    """The fitted circle, px of the picture (0 = left or top border).

    rim_share     share of the circle whose rim was seen; the rest lies outside the picture or in the dark
    residual_px   median distance of the rim's points from the circle
    whole         True if the field is larger than the picture: then the circle is the one about its corners
    """

    centre_x_px: float
    centre_y_px: float
    radius_px: float
    rim_share: float
    residual_px: float
    whole: bool

    @property
    def as_field_of_view(self) -> FieldOfView:
        return FieldOfView(self.centre_x_px, self.centre_y_px, self.radius_px)


def find_field(white: Float32, black_dn: float | None = None) -> FoundField:
    """The field on a picture of white paper in linear light (`linear_dn`), float32 (height, width).

    black_dn   level without light, from a dark picture; None: the picture's darkest part is taken for it

    Raises PictureTooDarkError, PictureTooBrightError or NoFieldError.
    """
    smooth = np.asarray(cv2.GaussianBlur(white, (0, 0), 2.0), np.float32)
    black = float(np.percentile(smooth, 0.5)) if black_dn is None else black_dn
    peak = float(np.percentile(smooth, 99.5)) - black
    height, width = white.shape
    if black_dn is None and float(smooth.max() - smooth.min()) < 0.2 * float(smooth.max()) and smooth.mean() > 60:
        return _whole(width, height)  # evenly lit up to the corners
    if peak < LEAST_LIGHT_DN:
        raise PictureTooDarkError(
            f"the field's brightest part is {peak:.0f} levels above black, at least {LEAST_LIGHT_DN:.0f} are needed; "
            "uncover the lens, switch the light on and aim at white paper"
        )
    if (white >= SATURATED_DN).mean() > MOST_SATURATED_SHARE:
        raise PictureTooBrightError(
            f"{100 * (white >= SATURATED_DN).mean():.0f} % of the picture is saturated, at most "
            f"{100 * MOST_SATURATED_SHARE:.0f} % is allowed; shorten the exposure"
        )
    lit = _largest(smooth - black > INSIDE_SHARE * peak)
    if lit.mean() > WHOLE_SHARE:
        return _whole(width, height)
    rim = _outline(lit)
    x, y, radius = _by_triples(rim)
    for _ in range(2):
        rim = _rim_points(smooth, x, y, radius)
        if len(rim) < LEAST_RIM_SHARE * RAYS:
            raise _too_little(len(rim) / RAYS)
        first = _by_triples(rim)
        x, y, radius = _least_squares(rim, *first)
    away = np.abs(np.hypot(rim[:, 0] - x, rim[:, 1] - y) - radius)
    residual = float(np.median(away))
    if residual > MOST_RESIDUAL_SHARE * radius or not 0.1 * min(width, height) < radius < 2 * width:
        raise _no_field(f"the lit region is not round (its rim is {residual:.0f} px off a circle)")
    agreeing = float((away < max(AGREEING_PX, 3 * residual)).sum()) / RAYS
    if agreeing < LEAST_RIM_SHARE:
        raise _too_little(agreeing)
    return FoundField(x, y, radius, agreeing, residual, False)


def counted_tiles(field: FieldOfView, grid: TileGrid, light: Float32 | None = None, least_light: float = 0.05) -> Bool:
    """True for tiles whose centre lies in the field and gets at least `least_light` of the best light.

    light   relative light of every tile (see `flat.tile_light`), float32 (rows, columns); None: all are lit
    """
    inside = field.mask(grid)
    return inside if light is None else np.asarray(inside & (light >= least_light), np.bool_)


def _no_field(what: str) -> NoFieldError:
    return NoFieldError(
        f"no round field of view found: {what}; aim at plain white paper that fills the view, without hand or shadow"
    )


def _too_little(share: float) -> NoFieldError:
    least = f"at least {100 * LEAST_RIM_SHARE:.0f} % must be"
    return _no_field(f"only {100 * share:.0f} % of a round rim is visible, {least}")


def _whole(width: int, height: int) -> FoundField:
    return FoundField(width / 2, height / 2, float(np.hypot(width, height)) / 2, 0.0, 0.0, True)


def _largest(mask: Bool) -> Bool:
    """The largest connected region, with its holes filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if len(stats) < 2:
        raise _no_field("nothing is lit")
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == best, np.bool_)


def _outline(lit: Bool) -> Float64:
    """Outermost points of the region that do not touch the picture's border, float64 (N, 2): x and y."""
    height, width = lit.shape
    contours, _ = cv2.findContours(lit.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([contour[:, 0, :] for contour in contours]).astype(np.float64) + 0.5
    margin = 3.0
    free = (points > margin).all(axis=1) & (points[:, 0] < width - margin) & (points[:, 1] < height - margin)
    if np.count_nonzero(free) < 50:
        raise _no_field("the lit region has no rim of its own")
    return np.asarray(points[free], np.float64)


def _by_triples(points: Float64) -> tuple[float, float, float]:
    """The circle through three random points that most points agree with (RANSAC, Fischler and Bolles 1981)."""
    rng = np.random.default_rng(len(points))
    some = points if len(points) <= 1500 else points[rng.choice(len(points), 1500, replace=False)]
    chosen = some[rng.integers(0, len(some), (TRIPLES, 3))]
    a, b, c = chosen[:, 0], chosen[:, 1], chosen[:, 2]
    d = 2 * ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
    usable = np.abs(d) > 1e-3 * np.ptp(some, axis=0).max() ** 2
    if not usable.any():
        raise _no_field("its rim is straight")
    a, b, c, d = a[usable], b[usable], c[usable], d[usable]
    ab, ac = ((b - a) ** 2).sum(axis=1) + 0.0, ((c - a) ** 2).sum(axis=1)
    x = a[:, 0] + ((c[:, 1] - a[:, 1]) * ab - (b[:, 1] - a[:, 1]) * ac) / d
    y = a[:, 1] + ((b[:, 0] - a[:, 0]) * ac - (c[:, 0] - a[:, 0]) * ab) / d
    radius = np.hypot(a[:, 0] - x, a[:, 1] - y)
    away = np.abs(np.hypot(some[None, :, 0] - x[:, None], some[None, :, 1] - y[:, None]) - radius[:, None])
    cost = np.minimum(away, AGREEING_PX).sum(axis=1)
    best = int(np.argmin(cost))
    return float(x[best]), float(y[best]), float(radius[best])


def _rim_points(smooth: Float32, x: float, y: float, radius: float) -> Float64:
    """Where light has fallen half way, along rays from the middle; float64 (N, 2). Rays that leave the picture before
    they reach the dark, or whose fall is too small to be placed, are left out."""
    angle = np.arange(RAYS) * (2 * np.pi / RAYS)
    along = np.arange(radius * (1 - SEARCH_SHARE), radius * (1 + SEARCH_SHARE), RAY_STEP_PX)
    ray_x = (x + np.outer(np.cos(angle), along)).astype(np.float32)
    ray_y = (y + np.outer(np.sin(angle), along)).astype(np.float32)
    nowhere = -1e6
    seen = cv2.remap(
        smooth, ray_x - 0.5, ray_y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=nowhere
    )
    light = np.asarray(seen, np.float64)
    step = max(int(PLATEAU_SHARE * radius / RAY_STEP_PX), 4)
    fall = light[:, : -2 * step] - light[:, 2 * step :]  # over two plateaux
    fall[(light[:, : -2 * step] < 0) | (light[:, 2 * step :] < 0)] = -1.0
    steepest = fall.argmax(axis=1)
    points = []
    for ray, start in enumerate(steepest):
        piece = light[ray, start : start + 2 * step + 1]
        inside, outside = float(piece[: step // 3 + 1].mean()), float(piece[-(step // 3) - 1 :].mean())
        if fall[ray, start] <= 0 or inside - outside < LEAST_RIM_STEP_DN or (piece < 0).any():
            continue
        below = int(np.argmax(piece < (inside + outside) / 2))
        if below == 0:
            continue
        share = (piece[below - 1] - (inside + outside) / 2) / max(piece[below - 1] - piece[below], 1e-9)
        at = along[start + below - 1] + share * RAY_STEP_PX
        points.append((x + at * np.cos(angle[ray]), y + at * np.sin(angle[ray])))
    return np.array(points, np.float64).reshape(-1, 2)


def _least_squares(points: Float64, x: float, y: float, radius: float) -> tuple[float, float, float]:
    """Gauss and Newton's steps on the distances from the circle, each weighted by 1/(1 + (distance/scale)²)."""
    fitted = np.array([x, y, radius])
    for _ in range(FIT_ROUNDS):
        dx, dy = points[:, 0] - fitted[0], points[:, 1] - fitted[1]
        reach = np.hypot(dx, dy)
        away = reach - fitted[2]
        scale = max(2 * float(np.median(np.abs(away))), 0.2)
        weight = 1 / (1 + (away / scale) ** 2)
        slope = np.stack([-dx / reach, -dy / reach, -np.ones_like(dx)], axis=1)
        root = np.sqrt(weight)
        change = np.linalg.lstsq(slope * root[:, None], -away * root, rcond=None)[0]
        fitted = fitted + change
        if np.abs(change).max() < 1e-4:
            break
    return float(fitted[0]), float(fitted[1]), float(fitted[2])
