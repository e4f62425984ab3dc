"""The step that chooses the operating point: textures at known distances label themselves by the measured optics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.temperature import fit_temperature, reliability, scaled
from calibration.threshold import Labelled, OperatingPoint, TooFew, false_passes, operating_point
from device.calibrating.optics_steps import Progress
from device.calibrating.rig import Rig, Scene
from device.calibrating.work import Work
from models.classifier import Classifier, Judging
from models.errors import InputError
from models.focusmap import Bool, FieldOfView, TileGrid
from models.scores import tempered
from models.verdict import DEFAULT_PERCENT

Float = NDArray[np.float64]

ALPHA, DELTA = 0.05, 0.05
PICTURES = 160
PLACES_A_DISTANCE = 8
WIDEST_TIMES = 2.5
"""Distances go so far that the field's middle is blurred by so many criteria: farther all is easy to tell."""

FARTHEST_SHARE = 0.3
"""… but never farther than this share of the working distance."""

LABEL_MARGIN = 0.02
"""The standard deviation with which a blur radius is measured, as a share of it (docs/calibrating.md). A tile that is
less than this below the criterion may in truth be blurred: in what is promised it counts as blurred. Without it
three of 22 simulated devices broke their promise; twice as much misses more and makes the fraction worse."""


@dataclass(frozen=True, slots=True)
class Optics:
    """The through-focus fit of the scale step, for labels."""

    best_mm: float
    sag_mm: float
    tilt_mm: float
    tilt_deg: float
    least_blur_px: float
    spread_px: float
    distance_mm: float

    @classmethod
    def of(cls, sweep: Mapping[str, float]) -> Optics:
        return cls(**{name: sweep[name] for name in cls.__slots__})

    def blur_px(self, field: FieldOfView, grid: TileGrid, distance_mm: float) -> Float:
        """Blur radius of every tile's middle with the target at `distance_mm`, px, float64 (rows, columns)."""
        x, y = grid.centres()
        u, v = (x - field.centre_x_px) / field.radius_px, (y - field.centre_y_px) / field.radius_px
        towards = math.radians(self.tilt_deg)
        best = self.best_mm + self.tilt_mm * (u * math.cos(towards) + v * math.sin(towards))
        best = best - self.sag_mm * (u**2 + v**2)
        defocus = self.spread_px * (distance_mm - best) / (self.distance_mm + distance_mm)
        return np.asarray(np.hypot(self.least_blur_px, defocus), np.float64)

    def reach_mm(self, blur_px: float) -> float:
        """How far from best focus the middle is blurred by `blur_px`."""
        share = math.sqrt(max(blur_px**2 - self.least_blur_px**2, 0.0)) / self.spread_px
        return min(share, FARTHEST_SHARE) * (self.distance_mm + self.best_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """All tiles of all pictures: what the model said at the device's criterion, and what is so.

    tiles    labelled by what was measured; sure: in focus only if that is beyond the error of measurement
    """

    tiles: Labelled
    sure: Labelled
    most_tiles: int
    fractions: Float  # per picture: true, as uncalibrated, shape (pictures, 2)


@dataclass(frozen=True, slots=True)
class _Labels:
    """What makes a tile's label."""

    criterion_px: float
    optics: Optics
    field: FieldOfView


def distances_mm(optics: Optics, criterion_px: float, pictures: int) -> list[float]:
    """Where the textures are put: evenly over the range in which blur reaches WIDEST_TIMES the criterion, both sides.

    Rounded to a tenth of a millimetre, so that a person with a scale can set them; each serves PLACES_A_DISTANCE
    pictures, at as many places of the texture.
    """
    count = max(math.ceil(pictures / PLACES_A_DISTANCE), 2)
    reach = optics.reach_mm(WIDEST_TIMES * criterion_px)
    stops = [round(optics.best_mm + float(offset), 1) for offset in np.linspace(-reach, reach, count)]
    return [stops[number * count // pictures] for number in range(pictures)]


def threshold_step(
    rig: Rig,
    work: Work,
    classifier: Classifier,
    progress: Progress,
    *,
    pictures: int = PICTURES,
    alpha: float = ALPHA,
    delta: float = DELTA,
    percent: int = DEFAULT_PERCENT,
) -> list[str]:
    """Chooses threshold and temperature; returns what was found, in sentences.

    Raises InputError where too few pictures prove nothing (with how many more would), and where nothing could.
    """
    work.claim(rig.info)
    scale = work.part("scale")
    criterion_px = float(scale["criterion_px"])
    optics, field = Optics.of(scale["sweep"]), field_of(work)
    sure_px = (1.0 - LABEL_MARGIN) * criterion_px
    if optics.least_blur_px >= sure_px:
        raise InputError(
            f"the lens blurs by {optics.least_blur_px:.2f} px at best, {criterion_px:.2f} px are allowed "
            f"({sure_px:.2f} px to be sure): nothing would surely be in focus; clean or replace the lens, or come "
            "closer"
        )
    distances = distances_mm(optics, criterion_px, pictures)
    judged = _judged(rig, classifier, _Labels(criterion_px, optics, field), distances, progress)
    found = operating_point(judged.sure, alpha=alpha, delta=delta, most_tiles=judged.most_tiles)
    if isinstance(found, TooFew):
        raise InputError(_too_few(found, alpha, delta, pictures))
    temperature = fit_temperature(judged.tiles)
    threshold = float(tempered(np.array([found.threshold], np.float32), temperature.value)[0])
    after = scaled(judged.tiles, temperature.value)
    passes = false_passes(judged.sure, found.threshold, percent, delta)
    part = _part(found, judged, after) | {
        "threshold": threshold,
        "threshold_before_scaling": found.threshold,
        "temperature": asdict(temperature),
        "false_passes": asdict(passes),
        "reference": _reference(after, threshold, percent),
        "model_name": classifier.name,
        "model_sha256": classifier.sha256,
        "criterion_px": criterion_px,
        "percent": percent,
    }
    work.put("threshold", part)
    mean_before, mean_after = part["fraction_error"]
    return [
        f"With a threshold of {threshold:.3f} at most {100 * alpha:g} % of the blurred tiles are called in focus, "
        f"with a confidence of {100 * (1 - delta):g} %: seen {100 * found.rate:.1f} %, bound {100 * found.bound:.1f}"
        f" %, from {found.pictures} pictures with blurred tiles.",
        f"{100 * found.missed:.0f} % of the sharp tiles are missed by it.",
        f"{passes.errors} of {passes.pictures} pictures that should not pass the gate did (bound "
        f"{100 * passes.bound:.1f} %).",
        f"Temperature {temperature.value:.2f}: what is said differs from what is so by {temperature.error_after:.3f} "
        f"instead of {temperature.error_before:.3f}.",
        f"A picture's fraction in focus is off by {mean_after:.3f} on average, uncalibrated by {mean_before:.3f}.",
    ]


def field_of(work: Work) -> FieldOfView:
    part = work.part("field")
    return FieldOfView(part["centre_x_px"], part["centre_y_px"], part["radius_px"])


def _judged(rig: Rig, classifier: Classifier, labels: _Labels, distances: list[float], progress: Progress) -> Judged:
    grid = TileGrid.of(rig.info.width, rig.info.height, classifier.tile_px)
    p, sharp, sure, number, fractions = [], [], [], [], []
    for index, z in enumerate(distances):
        progress(index, len(distances))
        luma = rig.take(Scene("texture", distance_mm=z, place=index + 1)).luma
        found = classifier.judge(luma, Judging(criterion_px=labels.criterion_px, field=labels.field))
        blur_px = labels.optics.blur_px(labels.field, grid, z)
        truth = blur_px <= labels.criterion_px
        p.append(found.p_in_focus[found.judged].astype(np.float64))
        sharp.append(truth[found.judged])
        sure.append((blur_px <= (1.0 - LABEL_MARGIN) * labels.criterion_px)[found.judged])
        number.append(np.full(found.judged_tiles, index))
        plain = classifier.judge(luma, Judging())
        fractions.append((_share(truth, found.judged), _share(plain.sharp, plain.judged)))
    progress(len(distances), len(distances))
    tiles = Labelled(np.concatenate(p), np.concatenate(sharp), np.concatenate(number))
    sure_tiles = replace(tiles, in_focus=np.concatenate(sure))
    return Judged(tiles, sure_tiles, max(int(labels.field.mask(grid).sum()), 1), np.array(fractions))


def _share(yes: Bool, of: Bool) -> float:
    return float(yes[of].mean()) if of.any() else math.nan


def _part(found: OperatingPoint, judged: Judged, after: Labelled) -> dict[str, Any]:
    """What the profile and the report need. Fractions are compared where there is one."""
    part = asdict(found)
    part["curve"] = [[point.threshold, point.rate, point.bound, point.missed] for point in found.curve]
    called = judged.tiles.p_in_focus >= found.threshold
    names, index = np.unique(judged.tiles.picture, return_inverse=True)
    share = np.bincount(index, weights=called.astype(np.float64)) / np.bincount(index)
    truth, plain = judged.fractions[names].T
    usable = np.isfinite(plain)
    errors = [float(np.abs(each - truth)[usable].mean()) for each in (plain, share)]
    bins = [reliability(tiles.p_in_focus, tiles.in_focus) for tiles in (judged.tiles, after)]
    part["fraction_error"] = errors
    part["fractions"] = [
        [float(t), float(b), float(a)] for t, b, a in zip(truth, plain, share, strict=True) if math.isfinite(b)
    ]
    part["reliability"] = [[[each.said, each.was, each.tiles] for each in group] for group in bins]
    return part


def _reference(after: Labelled, threshold: float, percent: int) -> dict[str, float] | None:
    """Mean and deviation of the scores of pictures that open the gate, for the statistic of use."""
    means = []
    for number in np.unique(after.picture):
        p = after.p_in_focus[after.picture == number]
        if 100 * int((p >= threshold).sum()) >= percent * len(p):
            means.append(float(p.mean()))
    return {"mean": float(np.mean(means)), "sd": float(np.std(means)), "pictures": len(means)} if means else None


def _too_few(found: TooFew, alpha: float, delta: float, pictures: int) -> str:
    if found.more is None:
        return (
            f"no threshold keeps false calls at {100 * alpha:g} %: even the strictest calls {100 * found.rate:.1f} % "
            "of the blurred tiles in focus; check the distances, or allow more with --alpha"
        )
    share = max(found.pictures, 1) / pictures
    return (
        f"{found.pictures} pictures with blurred tiles are too few for {100 * alpha:g} % at a confidence of "
        f"{100 * (1 - delta):g} %: about {found.more} more are needed; run it again with --pictures "
        f"{pictures + math.ceil(found.more / share)}"
    )
