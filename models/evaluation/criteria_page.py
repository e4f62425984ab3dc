"""The parts of the page that show the figures at several criteria, and how far probabilities can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from models.evaluation.datasets import Label
from models.evaluation.metrics import number
from models.evaluation.svg import Bars, Line, plot
from models.verdict import VerdictKind

FIGURES_AT = {
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "false_sharp": "false sharp",
    "missed": "missed",
}
"""Figures of `criteria.figures_by_criterion` with their names, in the order of the columns."""

VERDICT_HEADING = "/".join(kind.value for kind in VerdictKind)
VERDICT_LABELS = (Label.IN, Label.OUT)


def criteria_rows(report: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells, one row a criterion; the one in force is marked. Whole images add the product's verdicts."""
    headings = ["criterion, px", "in/out", *FIGURES_AT.values()]
    images = any(each["verdicts"] for each in report["criteria"])
    if images:
        headings += [f"images {label.value}: {VERDICT_HEADING}" for label in VERDICT_LABELS]
    rows = []
    for each in report["criteria"]:
        mark = " (in force)" if each["criterion_px"] == report["criterion_px"] else ""
        row = [f"{each['criterion_px']:g}{mark}", f"{each['in']}/{each['out']}"]
        row += [number(each[name]) for name in FIGURES_AT]
        if images:
            row += ["/".join(str(count) for count in each["verdicts"][label].values()) for label in VERDICT_LABELS]
        rows.append(row)
    return headings, rows


def criteria_table(report: dict[str, Any]) -> str:
    """The rows as an HTML table."""
    headings, rows = criteria_rows(report)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    said = "<p>Of whole images, the last columns count what <code>focusgate check</code> says of each.</p>"
    note = said if len(headings) > 2 + len(FIGURES_AT) else ""
    return f"<table><tr>{head}</tr>{body}</table>{note}"


def criteria_plot(report: dict[str, Any]) -> str:
    """Every figure against the criterion (px); those of whole images are the product's own verdicts."""
    entries: Sequence[dict[str, Any]] = report["criteria"]
    if not entries:
        return ""
    widest = max(each["criterion_px"] for each in entries)
    lines = [
        _line(name, [(each["criterion_px"], each[key]) for each in entries], widest) for key, name in FIGURES_AT.items()
    ]
    for key in ("false_sharp", "missed"):
        points = [(each["criterion_px"], each["verdicts"][key]) for each in entries if each["verdicts"]]
        if points:
            lines.append(_line(f"images: {FIGURES_AT[key]}", points, widest))
    return plot(
        "By criterion",
        "criterion: largest blur radius in focus, px",
        "figure",
        lines,
        upright=report["criterion_px"] / widest,
        x_ticks=[(each["criterion_px"] / widest, f"{each['criterion_px']:g}") for each in entries],
    )


def _line(name: str, points: Sequence[tuple[float, float | None]], widest: float) -> Line:
    return Line(name, [(x / widest, y) for x, y in points if y is not None], marks=True)


def reliability_plot(report: dict[str, Any]) -> str:
    """What the model said against what is so, and the number of squares in each bin (tallest bar = half the height)."""
    bins: Sequence[dict[str, Any]] = report["reliability"]
    tallest = max((each["count"] for each in bins), default=0) or 1
    error = report["methods"][0]["pooled"]["calibration_error"]
    points = [(each["mean_probability"], each["share_in_focus"]) for each in bins if each["count"]]
    counts = Bars(
        "squares in the bin",
        [each["count"] / (2 * tallest) for each in bins],
        [str(each["count"]) if each["count"] else "" for each in bins],
    )
    line = Line(f"model, expected calibration error {number(error)}", points, marks=True)
    return plot("Reliability", "p_in_focus, mean of the bin", "share in focus", [line, counts], diagonal=True)
