"""One self-contained HTML page of an evaluation: tables, plots, and the worst mistakes as pictures to learn from."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.evaluation.criteria_page import criteria_plot, criteria_table, reliability_plot
from models.evaluation.datasets import Square
from models.evaluation.metrics import number, roc
from models.evaluation.report import FIGURES, Method, methods_of
from models.evaluation.scoring import Scored
from models.evaluation.svg import Bars, Line, plot
from models.images import read_image

WORST = 12
HISTOGRAM_BINS = 20
PICTURE_PX = 240
PICTURE_QUALITY = 90
MAX_ROC_POINTS = 400

HEADINGS = {
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "best_balanced_accuracy": "at the best threshold",
    "false_sharp": "false sharp",
    "missed": "missed",
    "calibration_error": "calibration error",
}

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .7rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
td { white-space: nowrap; }
small { color: #666; white-space: nowrap; }
figure { display: inline-block; margin: 0 .8rem .8rem 0; vertical-align: top; width: 240px; }
figure img { width: 240px; image-rendering: pixelated; border: 1px solid #888; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
svg { margin-right: .6rem; vertical-align: top; }
"""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A square on which the model is wrong."""

    square: Square
    p_in_focus: float
    blur_px: float


def worst_mistakes(scored: Scored, count: int = WORST) -> tuple[list[Mistake], list[Mistake]]:
    """The squares most wrongly called in focus, and those most wrongly called out of focus, worst first."""
    sharp, clear = scored.sharp, scored.judged & ~scored.mixed
    called = scored.p_judged >= scored.threshold

    def pick(wrong: np.ndarray[Any, np.dtype[np.bool_]], sign: float) -> list[Mistake]:
        positions = np.flatnonzero(wrong)
        ordered = positions[np.argsort(sign * scored.p_judged[positions], kind="stable")][:count]
        return [Mistake(scored.squares[i], float(scored.p_judged[i]), float(scored.blur_px[i])) for i in ordered]

    return pick(clear & ~sharp & called, -1.0), pick(clear & sharp & ~called, 1.0)


def page_of(report: dict[str, Any], scored: Scored) -> str:
    """The page as text. Raises InputError if a picture cannot be read again."""
    false_sharp, missed = worst_mistakes(scored)
    methods = methods_of(scored)
    body = [
        f"<h1>{escape(report['model']['name'])}: is it in focus?</h1>",
        _summary(report),
        "<h2>All squares together</h2>",
        "<p>Below each figure: 95 % interval by bootstrap over scenes. The model decides at its shipped threshold, a "
        "classical measure at the threshold that is best on all other scenes.</p>",
        _pooled_table(report["methods"]),
        _plots(report, methods, scored),
        "<h2>At other criteria</h2>",
        "<p>The labels stay as they are; what changes is the blur radius up to which the model may call a square in "
        f"focus, always with a probability of at least {report['threshold']:g}.</p>",
        criteria_table(report),
        criteria_plot(report),
        "<h2>Scene by scene</h2>",
        _scene_table(report),
        "<h2>Called in focus, but out of focus</h2>",
        _pictures(false_sharp),
        "<h2>Called out of focus, but in focus</h2>",
        _pictures(missed),
    ]
    return document("focusgate eval", body)


def document(title: str, body: Sequence[str]) -> str:
    """A whole page in the style of all evaluations; `body` is HTML."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body>\n" + "\n".join(body) + "\n</body></html>\n"


def _summary(report: dict[str, Any]) -> str:
    labels, unknown, error = report["labels"], report["cannot_judge"], report["fraction_error"]
    how = "each cut out and judged alone" if report["crops"] else "scored from the tiles that they overlap"
    lines = [
        f"In focus means: blur radius at most {report['criterion_px']:g} px with a probability of at least "
        f"{report['threshold']:g}.",
        f"{report['squares']} squares of {report['images']} images, {how}: {labels['in']} labelled in focus, "
        f"{labels['out']} out of focus, {labels['mixed']} mixed (these count nowhere).",
        f"Cannot judge: {unknown['in']} of those in focus, {unknown['out']} of those out of focus.",
    ]
    if error["mean"] is not None:
        lines.append(f"Error of a frame's in-focus fraction: {error['mean']:.3f} (mean of {error['frames']} frames).")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _pooled_table(methods: Sequence[dict[str, Any]]) -> str:
    heads = "".join(f"<th>{escape(HEADINGS[name])}</th>" for name in FIGURES)
    rows = []
    for method in methods:
        figures = method["pooled"]
        cells = []
        for name in FIGURES:
            between = figures["intervals"].get(name)
            small = "" if between is None else f"<br><small>{between[0]:.3f} – {between[1]:.3f}</small>"
            cells.append(f"<td>{number(figures[name])}{small}</td>")
        counts = f"<td>{figures['in']} / {figures['out']}</td>"
        rows.append(f"<tr><td>{escape(method['name'])}</td>{counts}{''.join(cells)}</tr>")
    return f"<table><tr><th>method</th><th>in / out</th>{heads}</tr>{''.join(rows)}</table>"


def _scene_table(report: dict[str, Any]) -> str:
    """The model in full, of the other methods the balanced accuracy."""
    model, *others = report["methods"]
    heads = "".join(f"<th>{escape(HEADINGS[name])}</th>" for name in FIGURES)
    heads += "".join(f"<th>{escape(method['name'])}: balanced</th>" for method in others)
    rows = []
    for scene, figures in model["scenes"].items():
        cells = "".join(f"<td>{number(figures[name])}</td>" for name in FIGURES)
        cells += "".join(f"<td>{number(method['scenes'][scene]['balanced_accuracy'])}</td>" for method in others)
        counts = f"<td>{figures['in']} / {figures['out']}</td><td>{report['cannot_judge_by_scene'][scene]}</td>"
        rows.append(f"<tr><td>{escape(scene)}</td>{counts}{cells}</tr>")
    return f"<table><tr><th>scene</th><th>in / out</th><th>cannot judge</th>{heads}</tr>{''.join(rows)}</table>"


def _plots(report: dict[str, Any], methods: Sequence[Method], scored: Scored) -> str:
    sharp = scored.sharp
    curves = []
    for method in methods:
        false, hits = roc(method.scores[method.counted], sharp[method.counted])
        keep = np.unique(np.linspace(0, false.size - 1, MAX_ROC_POINTS).astype(int))
        curves.append(Line(method.name, list(zip(false[keep].tolist(), hits[keep].tolist(), strict=True))))
    model = methods[0]
    p, truth = model.scores[model.counted], sharp[model.counted]
    histograms = []
    for name, chosen in (("in focus", p[truth]), ("out of focus", p[~truth])):
        counts = np.histogram(chosen, HISTOGRAM_BINS, (0.0, 1.0))[0]
        histograms.append(Bars(f"{name} ({chosen.size})", (counts / max(counts.max(), 1)).tolist()))
    return "".join(
        (
            plot("ROC", "false sharp", "in focus and called so", curves, diagonal=True),
            reliability_plot(report),
            plot("Scores", "p_in_focus", "squares (tallest bar = 1)", histograms, upright=scored.threshold),
        )
    )


def _pictures(mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return "<p>None.</p>"
    return "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{_encoded(mistake.square)}"><figcaption>'
        f"{escape(mistake.square.name)} ({mistake.square.x}, {mistake.square.y})<br>p_in_focus "
        f"{mistake.p_in_focus:.2f}, blur {mistake.blur_px:.1f} px</figcaption></figure>"
        for mistake in mistakes
    )


def _encoded(square: Square) -> str:
    """The square's pixels in colour as base64 of a JPEG; a whole image is shrunk to PICTURE_PX, a square is not."""
    picture = Image.fromarray(read_image(square.path).rgb())
    if square.size is None:
        picture.thumbnail((PICTURE_PX, PICTURE_PX))
    else:
        picture = picture.crop((square.x, square.y, square.x + square.size, square.y + square.size))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=PICTURE_QUALITY, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def write_page(path: Path, text: str) -> None:
    """Write the page whole or not at all; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
