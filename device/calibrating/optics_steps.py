"""The steps that measure light and lens: field of view, then scale, resolution and through-focus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calibration.criterion import DETAIL_PERIOD_UM, LEAST_CONTRAST
from calibration.faults import SweepError
from calibration.field import FoundField
from calibration.flat import DarkLevel
from calibration.optics import OpticsResult, Surroundings, measured_optics, surroundings_of
from calibration.resolution import mtf50_near
from device.calibrating.rig import Rig, Scene
from device.calibrating.work import Work
from models.focusmap import Luma

DARKS, WHITES = 4, 4
SWEEP_MM = tuple(float(z) for z in range(-6, 7))
MORE_MM = (8.0, 10.0, 13.0)
"""Where a sweep goes on, to both sides, if best focus lies near its end."""

RIM_SHARE = 0.85
RING_PLACES = 12

Progress = Callable[[int, int], None]  # done, of how many

CRITERION_SOURCE = (
    f"capillary loops {DETAIL_PERIOD_UM:g} µm apart (densest: 38.2 per mm², incident dark field imaging of healthy "
    f"ectocervices) keep a contrast of {LEAST_CONTRAST:g}"
)


def field_step(rig: Rig, work: Work, progress: Progress) -> list[str]:
    """Dark level, hot pixels, field of view and flat field; returns what was found, in sentences."""
    work.claim(rig.info)
    pictures: list[Luma] = []
    total = DARKS + WHITES
    for number in range(total):
        pictures.append(rig.take(Scene("dark" if number < DARKS else "white")).luma)
        progress(number + 1, total)
    around = surroundings_of(pictures[:DARKS], pictures[DARKS:], rig.info.tone)
    field, dark = around.field, around.dark
    part = {
        "centre_x_px": field.centre_x_px,
        "centre_y_px": field.centre_y_px,
        "radius_px": field.radius_px,
        "rim_share": field.rim_share,
        "residual_px": field.residual_px,
        "whole": field.whole,
        "black_level_dn": dark.level_dn,
        "dark_noise_dn": dark.noise_dn,
        "hot": [list(each) for each in dark.hot],
    }
    white = np.mean(np.stack(pictures[DARKS:]), axis=0).astype(np.uint8)
    work.put("field", part, {"flat": around.flat.astype(np.float16), "white": white})
    share = "the whole picture" if field.whole else f"{100 * field.rim_share:.0f} % of its rim was seen"
    return [
        f"The field's middle is at {field.centre_x_px:.1f}, {field.centre_y_px:.1f} px, its radius is "
        f"{field.radius_px:.1f} px ({share}).",
        f"Without light the picture reads {dark.level_dn:.1f} of 255; {len(dark.hot)} pixels are hot.",
    ]


def surroundings_from(work: Work) -> Surroundings:
    """What the field step found. Raises InputError if it was not done."""
    part, arrays = work.part("field"), work.arrays("field")
    hot = tuple((int(x), int(y), float(excess)) for x, y, excess in part["hot"])
    names = ("centre_x_px", "centre_y_px", "radius_px", "rim_share", "residual_px", "whole")
    return Surroundings(
        DarkLevel(part["black_level_dn"], part["dark_noise_dn"], hot),
        FoundField(**{name: part[name] for name in names}),
        arrays["flat"].astype(np.float32),
    )


def scale_step(rig: Rig, work: Work, progress: Progress, sweep_mm: Sequence[float] = SWEEP_MM) -> list[str]:
    """Scale, MTF over the field, through-focus curve, criterion; returns what was found, in sentences."""
    around = surroundings_from(work)
    work.claim(rig.info)
    at_work = rig.take(Scene("chart")).luma
    charts: list[tuple[float, Luma]] = []
    total = 1 + len(sweep_mm)
    for number, z in enumerate(sweep_mm, start=1):
        progress(number, total)
        charts.append((z, rig.take(Scene("chart", distance_mm=z)).luma))
    progress(total, total)
    found = _with_more(rig, around, at_work, charts)
    view, sweep, field = found.chart.view, found.sweep, around.field
    angles = np.linspace(0.0, 2 * np.pi, RING_PLACES, endpoint=False)
    reach = RIM_SHARE * field.radius_px
    ring = [
        mtf50_near(
            found.chart.edges,
            field.centre_x_px + reach * float(np.cos(angle)),
            field.centre_y_px + reach * float(np.sin(angle)),
            0.2 * field.radius_px,
        )
        for angle in angles
    ]
    depth = sweep.depth_mm(found.criterion_px)
    part: dict[str, Any] = {
        "um_per_px": view.um_per_px,
        "distortion": view.distortion,
        "tilt_deg": view.tilt_deg,
        "mtf50": found.chart.mtf50,  # of one picture, as `verify` measures it again
        "mtf50_middle": found.mtf50,
        "mtf50_rim": float(np.median(ring)),
        "mtf50_worst": float(min(ring)),
        "criterion_px": found.criterion_px,
        "criterion_source": CRITERION_SOURCE,
        "sweep": {name: getattr(sweep, name) for name in _SWEEP},
        "zones": [[list(point) for point in zone] for zone in sweep.zones],
        "depth_mm": None if depth is None else [depth[0], min(depth[1], 1e3)],
        "edges": [[round(edge.x_px, 1), round(edge.y_px, 1), round(edge.mtf50, 4)] for edge in found.chart.edges],
    }
    work.put("scale", part, {"chart": at_work})
    told = (
        f"At best focus, {sweep.best_mm:+.2f} mm from the working distance, the middle is blurred by "
        f"{sweep.least_blur_px:.2f} px; in focus (radius at most {found.criterion_px:.2f} px) it "
    )
    told += (
        "never is: this lens cannot show what matters."
        if depth is None
        else (f"stays from {depth[0]:+.1f} to {depth[1]:+.1f} mm.")
    )
    return [
        f"One pixel shows {view.um_per_px:.2f} µm; the chart was tilted by {view.tilt_deg:.1f}°.",
        f"MTF50 is {found.mtf50:.3f} cycles per px in the middle, {part['mtf50_rim']:.3f} at the rim; best focus "
        f"lies {sweep.sag_mm:.2f} mm nearer there.",
        told,
    ]


_SWEEP = ("best_mm", "sag_mm", "tilt_mm", "tilt_deg", "least_blur_px", "spread_px", "distance_mm", "residual")


def _with_more(rig: Rig, around: Surroundings, at_work: Luma, charts: list[tuple[float, Luma]]) -> OpticsResult:
    """The fit; a sweep that does not reach past best focus is made longer, twice at most."""
    for more in (*MORE_MM, None):
        try:
            return measured_optics(around, at_work, charts, rig.info.tone)
        except SweepError:
            if more is None:
                raise
            charts += [(z, rig.take(Scene("chart", distance_mm=z)).luma) for z in (-more, more)]
    raise AssertionError
