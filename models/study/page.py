"""The study's tables, plots and pictures, from the results that lie there; and the tables put into a page."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.evaluation.svg import Dots, Line, plot
from models.study.experiments import EXPERIMENTS, Scale, settings_of
from models.study.pictures import apertures_of, write_apertures, write_contact_sheet
from models.study.stacks import PlateSize
from models.study.sweep import read_results
from models.study.tables import Row, mean, pooled, rows_of, table

LOGARITHMIC = frozenset({"parameters", "batches", "sizes"})
CURVES = frozenset({"cnn", "three", "four", "sides"})
DEGREES = {
    "binary": ("plane 16", "plane 10"),
    "three": ("plane 16", "plane 10", "plane 05"),
    "sides": ("plane 16", "plane 05", "plane 25"),
}


def write_page(results: Path, out: Path, scale: Scale, fill: Path | None = None) -> None:
    """Plots (SVG) and pictures (PNG) into `out`; the tables into the page `fill`, or else into `tables.md` there.

    Raises InputError if there are no results, or the page lacks the marks of a table.
    """
    tables = {}
    out.mkdir(parents=True, exist_ok=True)
    for name in EXPERIMENTS:
        rows = rows_of(settings_of(name, scale), read_results(results, name))
        if not any(found for _, found in rows):
            continue
        tables[name] = table(name, rows)
        for stem, drawing in _plots(name, rows).items():
            (out / f"{stem}.svg").write_text(drawing + "\n", encoding="utf-8")
        _apertures(results, out, rows)
    if not tables:
        raise InputError(f"{results}: holds no results; run the study first")
    write_contact_sheet(out / "plate.png", PlateSize(scale.wells, scale.side_px).seed)
    if fill is None:
        text = "\n".join(f"## {EXPERIMENTS[name].title}\n\n{body}" for name, body in tables.items())
        (out / "tables.md").write_text(text, encoding="utf-8")
    else:
        fill.write_text(filled(fill.read_text(encoding="utf-8"), tables), encoding="utf-8")


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with each table between its marks, `<!-- table: NAME -->` and `<!-- end -->`, made anew."""
    for name, body in tables.items():
        mark = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = mark.sub(lambda found, body=body: f"{found[1]}{body}{found[2]}", page)  # type: ignore[misc]
    return page


def _plots(name: str, rows: Sequence[Row]) -> dict[str, str]:
    experiment = EXPERIMENTS[name]
    if name == "features":
        return _scatters(rows)
    if name in CURVES:
        return {name: _curves(experiment.title, rows)}
    if not experiment.x_label:
        return {}
    points = [(setting, pooled(found)) for setting, found in rows if found]
    places = [float(setting.x or 0.0) for setting, _ in points]
    at = _scaled(places, logarithmic=name in LOGARITHMIC)
    lines: dict[str, list[tuple[float, float]]] = {}
    for (setting, (right, tested)), place in zip(points, at, strict=True):
        lines.setdefault(setting.line, []).append((place, right / tested))
    ticks = {place: _short(value) for place, value in zip(at, places, strict=True)}
    drawn = [Line(line, sorted(of), marks=True) for line, of in lines.items()]
    labels = (experiment.x_label, "right, of wells never seen")
    return {name: plot(experiment.title, *labels, drawn, x_ticks=tuple(ticks.items()))}


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value:g}" if value < 10_000 else f"{value / 1000:g}k"


def _scaled(values: Sequence[float], *, logarithmic: bool) -> list[float]:
    """Places in 0 to 1."""
    raw = [math.log(value) if logarithmic else value for value in values]
    low, high = min(raw), max(raw)
    return [0.05 + 0.9 * (value - low) / ((high - low) or 1.0) for value in raw]


def _curves(title: str, rows: Sequence[Row]) -> str:
    """Accuracy on the test wells along training, the mean of the seeds."""
    lines, last = [], 1
    for setting, found in rows:
        if found:
            curve = np.mean([result["curve"] for result in found], axis=0)
            last = int(curve[-1][0])
            lines.append(Line(setting.variant, [(float(step) / last, float(right)) for step, _, right in curve]))
    ticks = tuple((place, f"{round(last * place)}") for place in (0.0, 0.5, 1.0))
    return plot(title, "updates", "right, of wells never seen", lines, x_ticks=ticks)


def _scatters(rows: Sequence[Row]) -> dict[str, str]:
    """Mean against maximum of the pixels, both logarithmic, of the first seed, both stains together."""
    drawn = {}
    for setting, found in rows:
        if not found or len(setting.stains) != 2:
            continue
        points = {int(target): np.log(np.array(of)[:, :2]) for target, of in found[0]["points"].items()}
        every = np.concatenate(list(points.values()))
        low, high = every.min(axis=0), every.max(axis=0)
        dots = [
            Dots(DEGREES[setting.task][target], [tuple(pair) for pair in ((of - low) / (high - low)).tolist()])
            for target, of in sorted(points.items())
        ]
        right = 100 * (mean(found, "accuracy") or 0.0)
        title = f"Features, {setting.task}: {right:.0f} % right"
        drawn[f"features-{setting.task}"] = plot(title, "mean (log)", "maximum (log)", dots, x_ticks=())
    return drawn


def _apertures(results: Path, out: Path, rows: Sequence[Row]) -> None:
    for setting, found in rows:
        learned = setting.phase or setting.aperture in {"free", "iris"}
        if found and learned and "aperture_file" in found[0]:
            before, after = apertures_of(results, found[0])
            kind = "phase" if setting.phase else setting.aperture
            write_apertures(out / f"aperture-{kind}-{'averaged' if setting.shrink > 1 else 'whole'}.png", before, after)
