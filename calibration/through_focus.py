"""The through-focus curve: from pictures of the chart at several distances to best distance, curvature and depth.

Thin lens (Hecht, Optics, 5th ed., section 5.2): an object at distance D + z is blurred by a disc of radius
K·|z - z0|/(D + z), which adds in quadrature to what the lens never loses. Best focus z0 is a bowl over the field:
z0 = best + tilt·(u, v) - sag·(u² + v²), with u and v in radii of the field. D follows from the scale, which is
proportional to D + z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calibration.extra import scipy_module
from calibration.faults import SweepError
from calibration.field import FoundField
from calibration.resolution import EdgePoint
from models.focusmap import FieldOfView

Float64 = NDArray[np.float64]

FOCUS_POSITIONS = 1e6
"""Given as the lens's distance where the sweep moves the focus and not the chart: then blur is straight in position."""

LEAST_STEPS = 5
LEAST_RISE = 1.25
"""Blur at the ends of the sweep must exceed the least by this factor, or its middle cannot be placed."""

ZONES = (0.0, 0.45, 0.75, 1.0)
"""Rings of the field, in radii, for the curves of the report."""

LEAST_IN_ZONE = 3


@dataclass(frozen=True, slots=True, eq=False)
class SweepStep:
    """One picture of the sweep: its distance (mm, farther is larger) or focus position, its scale and its edges."""

    distance_mm: float
    um_per_px: float
    edges: tuple[EdgePoint, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ThroughFocus:
    """best_mm            distance of best focus in the field's middle, on the sweep's own scale
    sag_mm                how much nearer best focus lies at the rim (field curvature)
    tilt_mm, tilt_deg     how much farther it lies at the rim towards that direction (0 = right, 90 = down)
    least_blur_px         blur radius at best focus
    spread_px             K: blur per relative departure from best focus, px
    distance_mm           D: from the lens to where the sweep reads 0
    residual              relative root mean square difference between measured and fitted blur
    zones                 for each ring of ZONES: (distance, median blur) pairs
    """

    best_mm: float
    sag_mm: float
    tilt_mm: float
    tilt_deg: float
    least_blur_px: float
    spread_px: float
    distance_mm: float
    residual: float
    zones: tuple[tuple[tuple[float, float], ...], ...]

    def blur_px(self, distance_mm: float, radius_share: float = 0.0) -> float:
        """Fitted blur at a distance, in the middle of the field or at a share of its radius (tilt left out)."""
        best = self.best_mm - self.sag_mm * radius_share**2
        defocus = self.spread_px * (distance_mm - best) / (self.distance_mm + distance_mm)
        return math.hypot(self.least_blur_px, defocus)

    def blur_at(self, u: Float64, v: Float64, distance_mm: float = 0.0) -> Float64:
        """Fitted blur, px, at places of the field: shares of its radius to the right of and below its middle."""
        towards = math.radians(self.tilt_deg)
        best = self.best_mm + self.tilt_mm * (u * math.cos(towards) + v * math.sin(towards))
        best = best - self.sag_mm * (u**2 + v**2)
        defocus = self.spread_px * (distance_mm - best) / (self.distance_mm + distance_mm)
        return np.asarray(np.hypot(self.least_blur_px, defocus), np.float64)

    def depth_mm(self, criterion_px: float) -> tuple[float, float] | None:
        """Nearest and farthest distance at which the field's middle is in focus; None if it never is."""
        if self.least_blur_px >= criterion_px:
            return None
        share = math.sqrt(criterion_px**2 - self.least_blur_px**2) / self.spread_px
        far = (self.best_mm + share * self.distance_mm) / (1 - share) if share < 1 else math.inf
        return (self.best_mm - share * self.distance_mm) / (1 + share), far


def through_focus(
    steps: Sequence[SweepStep], field: FieldOfView | FoundField, lens_mm: float | None = None
) -> ThroughFocus:
    """The fit over all edges of all steps. Raises SweepError if the sweep is too short or does not pass best focus.

    lens_mm   D, where it is known; FOCUS_POSITIONS for a sweep of focus positions; None: from the chart's scale
    """
    if len({step.distance_mm for step in steps}) < LEAST_STEPS:
        raise SweepError(f"{len(steps)} distances in the sweep, at least {LEAST_STEPS} are needed; take more pictures")
    steps = sorted(steps, key=lambda step: step.distance_mm)
    middle = [float(np.median([edge.blur_px for edge in step.edges])) for step in steps]
    least = int(np.argmin(middle))
    for end, where in ((0, "nearer"), (-1, "farther")):
        if middle[end] < LEAST_RISE * middle[least]:
            raise SweepError(
                f"the sweep does not reach past best focus: blur is {middle[least]:.1f} px at best and "
                f"{middle[end]:.1f} px at {steps[end].distance_mm:g} mm; go on {where}, or open the aperture"
            )
    distance_mm = lens_distance_mm(steps) if lens_mm is None else lens_mm
    u, v, z, blur, weight = _arrays(steps, field)
    optimize = scipy_module("optimize")

    def fitted(numbers: Float64) -> Float64:
        least_blur, spread, best, right, down, sag = numbers
        focus = best + right * u + down * v - sag * (u**2 + v**2)
        return np.asarray(np.hypot(least_blur, spread * (z - focus) / (distance_mm + z)), np.float64)

    start_spread = max(middle) * distance_mm / max(steps[-1].distance_mm - steps[0].distance_mm, 1e-3) * 2
    start = np.array([middle[least], start_spread, steps[least].distance_mm, 0.0, 0.0, 0.0])
    result = optimize.least_squares(
        lambda numbers: (np.log(fitted(numbers)) - np.log(blur)) * weight,
        start,
        loss="soft_l1",
        f_scale=0.05,
        x_scale=np.maximum(np.abs(start), 1.0),
    )
    least_blur, spread, best, right, down, sag = (float(number) for number in result.x)
    if not steps[0].distance_mm < best < steps[-1].distance_mm:
        raise SweepError(
            f"best focus lies at {best:.1f} mm, outside the sweep ({steps[0].distance_mm:g} to "
            f"{steps[-1].distance_mm:g} mm); move the sweep there"
        )
    residual = float(np.sqrt(np.mean((fitted(result.x) / blur - 1) ** 2)))
    return ThroughFocus(
        best, sag, math.hypot(right, down), math.degrees(math.atan2(down, right)) % 360.0, abs(least_blur), abs(spread),
        distance_mm, residual, _zones(steps, field),
    )  # fmt: skip


def lens_distance_mm(steps: Sequence[SweepStep]) -> float:
    """Distance from the lens to where the sweep reads 0: where the straight line scale(z) meets nought, negated.

    Raises SweepError if the scale does not grow with distance.
    """
    z = np.array([step.distance_mm for step in steps])
    slope, start = np.polyfit(z, [step.um_per_px for step in steps], 1)
    if slope <= 0:
        raise SweepError("the chart's scale does not grow with the distances given; give them in mm, farther is larger")
    return float(start / slope)


def _arrays(steps: Sequence[SweepStep], field: FieldOfView | FoundField) -> tuple[Float64, ...]:
    """u, v, distance, blur and weight of every edge; every step weighs the same, whatever its number of edges."""
    rows = [
        (
            (edge.x_px - field.centre_x_px) / field.radius_px,
            (edge.y_px - field.centre_y_px) / field.radius_px,
            step.distance_mm,
            edge.blur_px,
            1 / math.sqrt(len(step.edges)),
        )
        for step in steps
        for edge in step.edges
    ]
    u, v, z, blur, weight = np.array(rows, np.float64).T
    return u, v, z, blur, weight / weight.max()


def _zones(steps: Sequence[SweepStep], field: FieldOfView | FoundField) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Median blur by distance, ring by ring."""
    curves = []
    for inner, outer in pairwise(ZONES):
        curve = []
        for step in steps:
            blurs = [
                edge.blur_px
                for edge in step.edges
                if inner
                <= math.hypot(edge.x_px - field.centre_x_px, edge.y_px - field.centre_y_px) / field.radius_px
                < outer
            ]
            if len(blurs) >= LEAST_IN_ZONE:
                curve.append((step.distance_mm, float(np.median(blurs))))
        curves.append(tuple(curve))
    return tuple(curves)
