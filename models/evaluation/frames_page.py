"""One self-contained HTML page of whole frames against the truth: figures, plots, conditions, and the worst frames."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from models.evaluation.frames_report import WORDS
from models.evaluation.metrics import number
from models.evaluation.page import document
from models.evaluation.svg import Dots, Line, plot

PICTURES_WIDE = "<style>.frames figure, .frames img { width: 1120px; image-rendering: auto; }</style>"

PART_COLUMNS = ("error", "bias", "false_open", "false_refuse_judged", "false_refuse", "cannot_judge")
PART_HEADINGS = {
    "error": "error",
    "bias": "bias",
    "false_open": "false open",
    "false_refuse_judged": "false refuse, judged",
    "false_refuse": "false refuse, any",
    "cannot_judge": "cannot judge",
}


WIDEST = 2.0
"""Where the plot of tiles by their blur ends, in criteria."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as a JPEG, and what to say below it."""

    jpeg: bytes
    caption: str


def page_of(report: dict[str, Any], false_opens: Sequence[Picture], worst: Sequence[Picture]) -> str:
    """The page as text."""
    body = [
        PICTURES_WIDE,
        f"<h1>{escape(report['model']['name'])}: whole simulated frames against the truth</h1>",
        *(f"<p>{escape(line)}</p>" for line in summary(report)),
        "<h2>Goals</h2>",
        _goals(report["goals"]),
        "<h2>Figures</h2>",
        "<p>95 % intervals: of means by bootstrap over scenes, of rates after Wilson, a scene counted as one.</p>",
        _figures(report),
        _plots(report),
        "<h2>By the true fraction</h2>",
        parts_table(report["by_truth"]),
        "<h2>By condition, in thirds</h2>",
        *(parts_table(parts) for parts in report["by_condition"].values()),
        "<h2>Opened, though less than 80 % is truly in focus</h2>",
        _pictures(false_opens),
        "<h2>Largest errors of the fraction, beyond what the truth leaves open</h2>",
        _pictures(worst),
    ]
    return document("focusgate scenes", body)


def summary(report: dict[str, Any]) -> list[str]:
    """What was measured and against what, in words."""
    cannot = ", ".join(
        f"{cause.replace('_', ' ')} {count}" for cause, count in report["not_judged_frames"].items() if count
    )
    tiles = report["tiles"]
    inside = sum(tiles.values())
    shares = ", ".join(
        f"{cause.replace('_', ' ')} {100 * count / inside:.1f} %" for cause, count in tiles.items() if count
    )
    return [
        f"{report['frames']} frames of {report['scenes']} random scenes, {report['width']}×{report['height']} px, "
        f"f/{report['f_numbers'][0]:g} to f/{report['f_numbers'][-1]:g}, seed {report['seed']}. "
        f"In focus: blur radius at most {report['criterion_px']:g} px, p_in_focus at least "
        f"{report['threshold']:g}; a frame opens the gate at {report['percent']} % of the judged tiles.",
        "True fraction: tiles whose true blur radius is at most the criterion, over all tiles of the field of view, "
        "whether anything could be judged in them or not. Where so said, over the judged tiles only. The truth leaves "
        f"open ±{100 * report['tolerance']:g} % of the radius, as far as a rendered blur may be out.",
        "A tile counts if its centre lies in the field. Whole tiles lie in it with all corners: the rim of the field "
        "does not run through them.",
        f"Tiles of the field: {shares}. Frames that cannot be judged: {cannot or 'none'}.",
    ]


def with_interval(value: float | None, between: Sequence[float] | None) -> str:
    """A figure and its interval, in words for a cell."""
    return number(value) if between is None else f"{number(value)} [{between[0]:.3f}–{between[1]:.3f}]"


def said_of(met: bool | None) -> str:
    """How a goal stands."""
    return {True: "met", False: "not met", None: "unknown"}[met]


def counts_of(rate: dict[str, Any]) -> str:
    """How many of how many."""
    return f"{rate['wrong']} of {rate['of']} frames"


def _goals(goals: Sequence[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(goal['words'])}</td><td>≤ {goal['most']:g}</td>"
        f"<td>{with_interval(goal['found'], goal['interval'])}</td><td><b>{said_of(goal['met'])}</b></td></tr>"
        for goal in goals
    )
    return f"<table><tr><th>goal</th><th>limit</th><th>found</th><th></th></tr>{rows}</table>"


def figure_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every figure: its words, its value over how many frames, and its value over tiles wholly within the field."""
    whole = report["whole_tiles"]
    rows: list[tuple[str, ...]] = []
    for name, mean in report["means"].items():
        inner = whole["means"][name]
        values = (with_interval(found["mean"], found["interval"]) for found in (mean, inner))
        rows.append((WORDS[name], *values, f"{mean['of']} frames"))
    for name, rate in report["rates"].items():
        inner = whole["rates"][name]
        values = (with_interval(found["rate"], found["interval"]) for found in (rate, inner))
        rows.append((WORDS[name], *values, counts_of(rate)))
    return rows


FIGURE_HEADINGS = ("figure (95 % interval)", "found", "if only whole tiles counted", "of")


def _figures(report: dict[str, Any]) -> str:
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in FIGURE_HEADINGS)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in figure_rows(report))
    return f"<table><tr>{heads}</tr>{rows}</table>"


def part_cells(part: dict[str, Any]) -> list[str]:
    """The cells of a row of PART_COLUMNS."""
    cells = []
    for name in PART_COLUMNS:
        if name in part["means"]:
            cells.append(number(part["means"][name]["mean"]))
        else:
            rate = part["rates"][name]
            cells.append(f"{number(rate['rate'])} ({rate['wrong']}/{rate['of']})")
    return cells


def range_of(part: dict[str, Any]) -> str:
    """The values that a part spans."""
    return f"{part['low']:.3g} to {part['high']:.3g}"


def parts_table(parts: Sequence[dict[str, Any]]) -> str:
    """One row a part."""
    heads = "".join(f"<th>{escape(PART_HEADINGS[name])}</th>" for name in PART_COLUMNS)
    rows = "".join(
        f"<tr><td>{range_of(part)}</td><td>{part['frames']}</td>"
        + "".join(f"<td>{cell}</td>" for cell in part_cells(part))
        + "</tr>"
        for part in parts
    )
    return f"<table><tr><th>{escape(parts[0]['name'])}</th><th>frames</th>{heads}</tr>{rows}</table>"


def _plots(report: dict[str, Any]) -> str:
    judged = [record for record in report["records"] if record["verdict"] != "cannot-judge"]
    field = [
        (record["true_tiles"] / record["field_tiles"], record["in_focus"] / record["judged_tiles"]) for record in judged
    ]
    own = [
        (record["true_judged_tiles"] / record["judged_tiles"], record["in_focus"] / record["judged_tiles"])
        for record in judged
    ]
    called = [
        Line(name, _called(rows), marks=True)
        for name, rows in (("all tiles", report["by_blur"]), ("whole tiles", report["whole_tiles"]["by_blur"]))
    ]
    axes = ("true fraction", "estimated fraction")
    return "".join(
        (
            plot("All tiles of the field", *axes, [Dots(f"{len(field)} frames", field)], diagonal=True),
            plot("Judged tiles only", *axes, [Dots(f"{len(own)} frames", own)], diagonal=True),
            plot(
                "Judged tiles by their blur",
                "true blur radius over twice the criterion",
                "share called in focus",
                called,
                upright=1 / WIDEST,
            ),
        )
    )


def _called(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """The middles of the bins up to WIDEST, as shares of it, and the share called in focus."""
    return [
        ((row["from"] + row["below"]) / 2 / WIDEST, row["called_sharp"])
        for row in rows
        if row["below"] is not None and row["below"] <= WIDEST and row["called_sharp"] is not None
    ]


def _pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return "<p>None.</p>"
    figures = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode("ascii")}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )
    words = (
        "Top left the frame, beside it what the model says, below that the truth (blue frame: in focus, hatched: out "
        "of focus, dotted: not judged); bottom left, pixel for pixel, where they differ most."
    )
    return f"<p>{words}</p><div class='frames'>{figures}</div>"
