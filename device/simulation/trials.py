"""How well the optics of drawn units are recovered: one trial a unit, a table over many.

    python -m device.simulation.trials --units 50 --width 2592 --height 1944

Every unit is photographed as a technician would: lens covered, white paper, the chart at the working distance (held
by hand: shifted, turned, tilted by up to two degrees), and a sweep of distances. Only pictures reach the measurement.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import numpy as np

from calibration.optics import OpticsResult, Surroundings, measured_optics, surroundings_of
from device.simulation.unit_picture import fitting_exposure_us, picture
from device.simulation.unit_truth import (
    FULL_HEIGHT_PX,
    FULL_WIDTH_PX,
    Unit,
    best_focus_mm,
    disc_radius_px,
    drawn_unit,
    equivalent_disc_px,
    plane_mm,
    true_mtf50,
)
from models.errors import FocusgateError
from models.focusmap import Luma

SWEEP_MM = (-6.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0, 6.0)
DARKS, WHITES = 4, 2
DARK_US = 100_000.0
FILL = 0.7
MOST_TILT_DEG, MOST_TURN_DEG, MOST_SHIFT_MM = 2.0, 3.0, 0.5

SCALE_PERCENT, CENTRE_PX, MTF50_PERCENT = 1.0, 3.0, 3.0
"""Tolerances that every unit must keep."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Errors of one unit: measured minus true, or in percent of the truth.

    mtf50_percent        median over all edges, of each edge against the truth in its place (signed)
    mtf50_middle_percent of the MTF50 of the field's middle, which the profile states
    mtf50_edges_percent  90th percentile of the edges' absolute errors
    hot_missed, hot_invented   hot pixels
    """

    seed: int
    um_per_px: float
    scale_percent: float
    centre_px: float
    radius_px: float
    mtf50_percent: float
    mtf50_middle_percent: float
    mtf50_edges_percent: float
    best_mm: float
    sag_mm: float
    tilt_mm: float
    distance_percent: float
    least_blur_percent: float
    criterion_px: float
    black_dn: float
    hot_missed: int
    hot_invented: int
    edges: int

    @property
    def passes(self) -> bool:
        return (
            abs(self.scale_percent) <= SCALE_PERCENT
            and self.centre_px <= CENTRE_PX
            and max(abs(self.mtf50_percent), abs(self.mtf50_middle_percent)) <= MTF50_PERCENT
        )


def surroundings_pictures(unit: Unit) -> tuple[list[Luma], list[Luma]]:
    """Pictures with the lens covered, and of white paper."""
    darks = [picture(unit, "dark", exposure_us=DARK_US, seed=100 + number) for number in range(DARKS)]
    exposure_us = fitting_exposure_us(unit, fill=FILL)
    return darks, [picture(unit, "flat", exposure_us=exposure_us, seed=200 + number) for number in range(WHITES)]


def chart_pictures(unit: Unit) -> tuple[Luma, dict[str, float], list[tuple[float, Luma]]]:
    """The chart as a hand holds it, how it was held, and the sweep (on a stand: untilted)."""
    rng = np.random.default_rng([unit.seed, 8])
    held = {
        "tilt_deg": float(rng.uniform(0, MOST_TILT_DEG)),
        "tilt_towards_deg": float(rng.uniform(0, 360)),
        "rotation_deg": float(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG)),
    }
    shift = (float(rng.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM)), float(rng.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM)))
    exposure_us = fitting_exposure_us(unit, fill=FILL)
    chart = picture(unit, "chart", exposure_us=exposure_us, seed=300, shift_mm=shift, **held)
    sweep = [
        (z, picture(unit, "chart", exposure_us=exposure_us, seed=400 + number, distance_mm=z, shift_mm=shift))
        for number, z in enumerate(SWEEP_MM)
    ]
    return chart, held, sweep


def optics_trial(seed: int, *, width: int = FULL_WIDTH_PX, height: int = FULL_HEIGHT_PX) -> Trial:
    """Draw a unit, photograph, measure, compare. Raises CalibrationError if a measurement refuses."""
    unit = drawn_unit(seed, width=width, height=height)
    around = surroundings_of(*surroundings_pictures(unit), unit.tone)
    chart, held, sweep = chart_pictures(unit)
    return compared(unit, around, measured_optics(around, chart, sweep, unit.tone), held)


def compared(unit: Unit, around: Surroundings, found: OpticsResult, held: dict[str, float]) -> Trial:
    """Measured against true."""
    x = np.array([edge.x_px for edge in found.chart.edges])
    y = np.array([edge.y_px for edge in found.chart.edges])
    away_mm = plane_mm(unit, x, y, held["tilt_deg"], held["tilt_towards_deg"])
    discs = disc_radius_px(unit, x, y, away_mm, 0.0)
    due = np.array([true_mtf50(float(disc), unit.base_blur_px) for disc in discs])
    errors = 100 * (np.array([edge.mtf50 for edge in found.chart.edges]) / due - 1)
    middle = np.array([unit.centre_x_px]), np.array([unit.centre_y_px])
    middle_disc = float(disc_radius_px(unit, *middle, 0.0, 0.0)[0])
    best_mm = float(best_focus_mm(unit, *middle)[0])
    least = float(equivalent_disc_px(disc_radius_px(unit, *middle, best_mm, 0.0), unit.base_blur_px)[0])
    tilt = np.deg2rad([found.sweep.tilt_deg, unit.focal_tilt_deg])
    tilt_off = np.hypot(
        found.sweep.tilt_mm * np.cos(tilt[0]) - unit.focal_tilt_mm * np.cos(tilt[1]),
        found.sweep.tilt_mm * np.sin(tilt[0]) - unit.focal_tilt_mm * np.sin(tilt[1]),
    )
    hot, true_hot = {at[:2] for at in around.dark.hot}, {at[:2] for at in unit.hot_pixels}
    field = around.field
    return Trial(
        seed=unit.seed,
        um_per_px=unit.um_per_px,
        scale_percent=100 * (found.chart.view.um_per_px / unit.um_per_px - 1),
        centre_px=float(np.hypot(field.centre_x_px - unit.centre_x_px, field.centre_y_px - unit.centre_y_px)),
        radius_px=field.radius_px - unit.radius_px,
        mtf50_percent=float(np.median(errors)),
        mtf50_middle_percent=100 * (found.mtf50 / true_mtf50(middle_disc, unit.base_blur_px) - 1),
        mtf50_edges_percent=float(np.percentile(np.abs(errors), 90)),
        best_mm=found.sweep.best_mm - best_mm,
        sag_mm=found.sweep.sag_mm - unit.sag_mm,
        tilt_mm=float(tilt_off),
        distance_percent=100 * (found.sweep.distance_mm / unit.working_distance_mm - 1),
        least_blur_percent=100 * (found.sweep.least_blur_px / least - 1),
        criterion_px=found.criterion_px,
        black_dn=around.dark.level_dn - unit.black_level_dn,
        hot_missed=len(true_hot - hot),
        hot_invented=len(hot - true_hot),
        edges=len(found.chart.edges),
    )


def table(trials: list[Trial]) -> str:
    """Markdown: median, 95th percentile and worst absolute error of every figure."""
    names = [name for name in asdict(trials[0]) if name not in ("seed", "um_per_px", "criterion_px", "edges")]
    lines = ["| error | median | 95 % | worst |", "|---|---|---|---|"]
    for name in names:
        values = np.abs([float(getattr(trial, name)) for trial in trials])
        lines.append(f"| {name} | {np.median(values):.3f} | {np.percentile(values, 95):.3f} | {values.max():.3f} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="how well calibration recovers simulated devices")
    parser.add_argument("--units", type=int, default=50)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--width", type=int, default=FULL_WIDTH_PX)
    parser.add_argument("--height", type=int, default=FULL_HEIGHT_PX)
    options = parser.parse_args(arguments)
    trials: list[Trial] = []
    refused = 0
    for seed in range(options.first, options.first + options.units):
        try:
            trial = optics_trial(seed, width=options.width, height=options.height)
        except FocusgateError as error:
            refused += 1
            sys.stdout.write(f"unit {seed}: refused: {error}\n")
            continue
        trials.append(trial)
        sys.stdout.write(json.dumps({key: _short(value) for key, value in asdict(trial).items()}) + "\n")
        sys.stdout.flush()
    passed = sum(trial.passes for trial in trials)
    sys.stdout.write(f"{passed} of {options.units} units within tolerance, {refused} refused\n")
    if trials:
        sys.stdout.write(table(trials) + "\n")
    return 0 if passed == options.units else 1


def _short(value: float | int) -> float | int:
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
