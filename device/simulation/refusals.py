"""Bad pictures of the chart by drawn units: each must be refused, and for the right reason.

python -m device.simulation.refusals --units 10 --width 1296 --height 972
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from calibration.faults import (
    BlurredChartError,
    CalibrationError,
    HiddenChartError,
    NoChartError,
    PictureTooBrightError,
    PictureTooDarkError,
    TiltedChartError,
)
from calibration.optics import chart_result, surroundings_of
from device.simulation.trials import FILL, surroundings_pictures
from device.simulation.unit_picture import Target, fitting_exposure_us, picture
from device.simulation.unit_truth import drawn_unit

CASES: dict[str, tuple[type[CalibrationError], Target, float, dict[str, float]]] = {
    "dark": (PictureTooDarkError, "chart", 0.05, {}),
    "bright": (PictureTooBrightError, "chart", 2.5, {}),
    "blurred": (BlurredChartError, "chart", FILL, {"distance_mm": 12.0}),
    "tilted": (TiltedChartError, "chart", FILL, {"tilt_deg": 13.0, "tilt_towards_deg": 20.0}),
    "hand": (HiddenChartError, "chart", FILL, {"hand_share": 0.5}),
    "no chart": (NoChartError, "texture", FILL, {}),
}
"""Name: the right refusal, target, fill of the scale, how the picture is taken."""


def refusals(seed: int, *, width: int, height: int) -> dict[str, str]:
    """Case -> "right", "accepted", or the name of another refusal."""
    unit = drawn_unit(seed, width=width, height=height)
    around = surroundings_of(*surroundings_pictures(unit), unit.tone)
    found = {}
    for name, (due, target, fill, how) in CASES.items():
        shot = picture(unit, target, exposure_us=fitting_exposure_us(unit, fill=fill), seed=500, **how)  # type: ignore[arg-type]
        try:
            chart_result(shot, around, unit.tone)
        except CalibrationError as error:
            found[name] = "right" if isinstance(error, due) else type(error).__name__
        else:
            found[name] = "accepted"
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="whether bad pictures of the chart are refused for the right reason")
    parser.add_argument("--units", type=int, default=10)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--width", type=int, default=1296)
    parser.add_argument("--height", type=int, default=972)
    options = parser.parse_args(arguments)
    counts: dict[str, Counter[str]] = {name: Counter() for name in CASES}
    for seed in range(options.first, options.first + options.units):
        for name, outcome in refusals(seed, width=options.width, height=options.height).items():
            counts[name][outcome] += 1
    for name, outcomes in counts.items():
        sys.stdout.write(f"{name}: {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common())}\n")
    return 1 if any(outcomes["accepted"] for outcomes in counts.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
