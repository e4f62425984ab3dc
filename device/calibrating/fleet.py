"""What calibrating is worth: many simulated devices of unknown parameters, each calibrated, then tried on fresh scenes.

    python -m device.calibrating.fleet --part light --out light.jsonl        noise and iris, one line of JSON a device
    python -m device.calibrating.fleet --part judging --out judging.jsonl    threshold, tried on fresh scenes
    python -m device.calibrating.fleet --table light.jsonl                   the figures; the same for judging.jsonl

A run that was broken off goes on where it stopped: devices that are in the file are not done again.

Fresh scenes are other textures than those of the calibration, at distances drawn anew from the same range, and their
truth is the simulation's own. Pictures are small to be quick; scale, blur and noise are those of the full sensor. The
chart needs larger pictures: that scale, MTF and through-focus curve are recovered is shown by
`python -m device.simulation.trials`. Here the fit that labels the textures is the true one, off by as much as it is
there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.aperture import ApertureResult, f_number_at
from calibration.criterion import criterion_px
from device.calibrating.light_steps import aperture_step, noise_step
from device.calibrating.optics_steps import field_step
from device.calibrating.rig import Scene
from device.calibrating.threshold_step import ALPHA, WIDEST_TIMES, Optics, field_of, threshold_step
from device.calibrating.unit_rig import UnitRig
from device.calibrating.work import Work
from device.simulation.unit import (
    SimulatedStage,
    Unit,
    best_focus_mm,
    disc_radius_px,
    equivalent_disc_px,
    true_blur_px,
)
from models.classifier import Classifier, Judging
from models.errors import FocusgateError
from models.focusmap import FieldOfView, FocusMap
from models.onnx_classifier import load_classifier
from models.verdict import DEFAULT_PERCENT

WIDTH, HEIGHT = 704, 528
SMALL_WIDTH, SMALL_HEIGHT = 448, 336
SHEETS = 6
FRESH = 60
PICTURES = 140
FAR_MM = 3.0
SCALE_ERROR, BLUR_ERROR, BEST_ERROR_MM = 0.001, 0.01, 0.03
"""Standard deviations of what the scale step is off by: about twice what the trials show (docs/calibration.md)."""

WAYS = ("uncalibrated", "field", "criterion", "threshold")
"""The model alone; with the field's mask; with the criterion and temperature too; with the guaranteed threshold too."""


def light_line(seed: int) -> dict[str, Any]:
    """One device: field, noise and iris compared with the truth, on pictures as small as they may be."""
    rig = UnitRig(seed, width=SMALL_WIDTH, height=SMALL_HEIGHT)
    line: dict[str, Any] = {"seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder))
        try:
            field_step(rig, work, _silent)
            noise_step(rig, work, _silent)
            aperture_step(rig, work, _silent)
        except FocusgateError as error:
            line["refused"] = str(error)
        return line | _measured(rig.unit, work)


def judging_line(seed: int, classifier: Classifier, fresh: int = FRESH, pictures: int = PICTURES) -> dict[str, Any]:
    """One device: field, scale and threshold, tried on fresh scenes."""
    rig = UnitRig(seed, width=WIDTH, height=HEIGHT)
    line: dict[str, Any] = {"seed": seed, "model_sha256": classifier.sha256}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder))
        try:
            field_step(rig, work, _silent)
            work.put("scale", scale_part(rig.unit))
            threshold_step(rig, work, classifier, _silent, pictures=pictures)
            line |= _tried(rig.unit, work, classifier, fresh)
        except FocusgateError as error:
            line["refused"] = str(error)
        return line | _measured(rig.unit, work)


def scale_part(unit: Unit) -> dict[str, Any]:
    """What the scale step would have found of this unit, with errors of the size that it makes."""
    rng = np.random.default_rng([unit.seed, 98])
    off = rng.normal(0.0, 1.0, 4)
    um_per_px = unit.um_per_px * (1 + SCALE_ERROR * off[0])
    middle = np.array([unit.centre_x_px]), np.array([unit.centre_y_px])
    best = float(best_focus_mm(unit, *middle)[0])
    least, far = (
        float(equivalent_disc_px(disc_radius_px(unit, *middle, z, 0.0), unit.base_blur_px)[0])
        for z in (best, best + FAR_MM)
    )
    spread = float(np.sqrt(far**2 - least**2)) * (unit.working_distance_mm + best + FAR_MM) / FAR_MM
    sweep = {
        "best_mm": best + BEST_ERROR_MM * off[1],
        "sag_mm": unit.sag_mm + BEST_ERROR_MM * off[2],
        "tilt_mm": unit.focal_tilt_mm,
        "tilt_deg": unit.focal_tilt_deg,
        "least_blur_px": least * (1 + BLUR_ERROR * off[3]),
        "spread_px": spread,
        "distance_mm": unit.working_distance_mm,
    }
    return {"um_per_px": um_per_px, "criterion_px": criterion_px(um_per_px), "sweep": sweep}


def _silent(_done: int, _of: int) -> None:
    """No progress."""


def _measured(unit: Unit, work: Work) -> dict[str, Any]:
    """Relative errors against the truth, as far as measured."""
    found: dict[str, Any] = {}
    if "field" in work.parts:
        part = work.part("field")
        away = (part["centre_x_px"] - unit.centre_x_px, part["centre_y_px"] - unit.centre_y_px)
        found["centre_px"] = float(np.hypot(*away))
    if "scale" in work.parts:
        found["scale"] = work.part("scale")["um_per_px"] / unit.um_per_px - 1
    if "noise" in work.parts:
        gains = work.part("noise")["gains"]
        found["e_per_dn"] = max(abs(e * 10 ** (db / 20) / unit.gain_e_per_dn - 1) for db, e, _, _ in gains)
        found["read_noise"] = max(abs(read / unit.read_noise_e - 1) for _, _, read, _ in gains)
    if "aperture" in work.parts:
        part = work.part("aperture")
        table = ApertureResult(**{name: part[name] for name in ApertureResult.__slots__})
        stage = SimulatedStage(unit, seed=5)
        errors = []
        for place in np.linspace(0.1, 0.95, 15):
            stage.move_to(0.0)
            stage.move_to(float(place))
            errors.append(abs(f_number_at(table, float(place)) / stage.f_number - 1))
        found |= {"f_number": max(errors), "backlash": table.backlash - unit.backlash}
    return found


def _tried(unit: Unit, work: Work, classifier: Classifier, fresh: int) -> dict[str, Any]:
    """False calls and errors of the fraction on fresh scenes, by the four ways of judging them."""
    part, scale = work.part("threshold"), work.part("scale")
    own_px, true_px = part["criterion_px"], criterion_px(unit.um_per_px)
    field = field_of(work)
    temperature = part["temperature"]["value"]
    ways = {
        "uncalibrated": Judging(),
        "field": Judging(field=field),
        "criterion": Judging(criterion_px=own_px, field=field, temperature=temperature),
        "threshold": Judging(criterion_px=own_px, field=field, temperature=temperature, threshold=part["threshold"]),
    }
    optics = Optics.of(scale["sweep"])
    reach = optics.reach_mm(WIDEST_TIMES * own_px)
    rng = np.random.default_rng([unit.seed, 99])
    rigs = [UnitRig(unit.seed, width=unit.width, height=unit.height, sheet=1000 * (each + 1)) for each in range(SHEETS)]
    inside = FieldOfView(unit.centre_x_px, unit.centre_y_px, unit.radius_px)
    middle = float(best_focus_mm(unit, np.array(unit.centre_x_px), np.array(unit.centre_y_px)))
    false, blurred, missed, sharp = 0, 0, 0, 0
    errors: dict[str, list[float]] = {way: [] for way in WAYS}
    opens = {way: [0, 0] for way in WAYS}  # passes that should fail, fails that should pass
    for number in range(fresh):
        z = middle + float(rng.uniform(-reach, reach))
        luma = rigs[number % SHEETS].take(Scene("texture", distance_mm=z, place=1000 + number)).luma
        blur = true_blur_px(unit, z, 0.0, tile_px=classifier.tile_px)
        maps = {way: classifier.judge(luma, judging) for way, judging in ways.items()}
        found, truth = maps["threshold"], blur <= own_px
        false += int((found.sharp & ~truth).sum())
        blurred += int((found.judged & ~truth).sum())
        missed += int((found.judged & ~found.sharp & truth).sum())
        sharp += int((found.judged & truth).sum())
        share = float((blur <= true_px)[inside.mask(found.grid)].mean())
        for way, each in maps.items():
            errors[way].append(_off(each, share))
            due = share >= DEFAULT_PERCENT / 100
            opens[way][0] += each.passes(DEFAULT_PERCENT) and not due
            opens[way][1] += not each.passes(DEFAULT_PERCENT) and due
    return {
        "criterion_px": own_px,
        "true_criterion_px": true_px,
        "threshold": part["threshold"],
        "bound": part["bound"],
        "temperature": temperature,
        "false_rate": false / max(blurred, 1),
        "missed_rate": missed / max(sharp, 1),
        "fraction_error": {way: float(np.mean(errors[way])) for way in WAYS},
        "wrong_passes": {way: opens[way] for way in WAYS},
        "fresh": fresh,
    }


def _off(found: FocusMap, share: float) -> float:
    return abs((found.fraction if found.fraction is not None else 0.0) - share)


def table(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The figures, as text."""
    yield f"{len(lines)} devices"
    limits = {"scale": 0.01, "centre_px": 3.0, "e_per_dn": 0.1, "read_noise": 0.1, "f_number": 0.05}
    for name, limit in limits.items():
        values = np.abs([line[name] for line in lines if name in line])
        if values.size:
            yield (
                f"{name:12} within {limit:g}: {int((values <= limit).sum())} of {values.size}; "
                f"median {np.median(values):.4f}, worst {values.max():.4f}"
            )
    tried = [line for line in lines if "false_rate" in line]
    if any("model_sha256" in line for line in lines):
        yield f"threshold chosen for {len(tried)} devices; refused: {len(lines) - len(tried)}"
    for line in lines:
        if "refused" in line:
            yield f"  device {line['seed']}: {line['refused']}"
    if not tried:
        return
    rates = np.array([line["false_rate"] for line in tried])
    missed = float(np.mean([line["missed_rate"] for line in tried]))
    kept = int((rates <= ALPHA).sum())
    yield (
        f"false-in-focus rate on fresh scenes at most {ALPHA:g}: {kept} of {len(tried)} devices; "
        f"mean {rates.mean():.4f}, worst {rates.max():.4f}; missed {missed:.3f}"
    )
    columns = (
        f"{'fraction off by':>16}{'less by (95 %)':>26}{'better in':>11}{'passes wrongly':>16}{'fails wrongly':>15}"
    )
    yield f"{'way':14}{columns}"
    plain = np.array([line["fraction_error"]["uncalibrated"] for line in tried])
    for way in WAYS:
        off = np.array([line["fraction_error"][way] for line in tried])
        wrong = [sum(line["wrong_passes"][way][index] for line in tried) for index in (0, 1)]
        better = f"{int((off < plain).sum())}/{len(tried)}"
        low, high = interval(plain - off)
        less = f"{(plain - off).mean():.4f} ({low:.4f} to {high:.4f})"
        yield f"{way:14}{off.mean():16.4f}{less:>26}{better:>11}{wrong[0]:16d}{wrong[1]:15d}"


def interval(values: NDArray[np.float64], seed: int = 1) -> tuple[float, float]:
    """Of the mean over devices: 95 %, by the percentiles of 10,000 samples with replacement (Efron 1979)."""
    drawn = np.random.default_rng(seed).choice(values, (10_000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def main(argv: list[str] | None = None) -> int:
    """Calibrate devices, or print the tables of those that were."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--devices", type=int, default=50, metavar="N", help="how many (default: 50)")
    options.add_argument("--first", type=int, default=0, metavar="SEED", help="seed of the first")
    options.add_argument("--part", choices=("light", "judging"), default="judging", help="which half")
    options.add_argument("--fresh", type=int, default=FRESH, metavar="N", help="fresh scenes a device")
    options.add_argument("--pictures", type=int, default=PICTURES, metavar="N", help="pictures of the threshold step")
    options.add_argument("--out", type=Path, metavar="FILE", help="where the lines go; those that are there are kept")
    options.add_argument("--table", type=Path, nargs="+", metavar="FILE", help="print the tables of these lines")
    chosen = options.parse_args(argv)
    if chosen.table:
        lines = [json.loads(line) for path in chosen.table for line in path.read_text(encoding="utf-8").splitlines()]
        sys.stdout.write("\n".join(table(sorted(lines, key=lambda line: line["seed"]))) + "\n")
        return 0
    path = chosen.out or Path(f"{chosen.part}.jsonl")
    done = {json.loads(line)["seed"] for line in path.read_text(encoding="utf-8").splitlines()} if path.exists() else ()
    classifier = load_classifier()
    for seed in range(chosen.first, chosen.first + chosen.devices):
        if seed in done:
            continue
        light = chosen.part == "light"
        found = light_line(seed) if light else judging_line(seed, classifier, chosen.fresh, chosen.pictures)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
