"""The printed page: every chart at true scale as shapes (no picture that a printer could rescale), and two rulers."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from calibration.charts.board import EDGE_ANGLE_DEG, FINE_BOARD, RULER_MM, board_layout
from calibration.charts.edges import edges_layout
from calibration.charts.layout import Layout, Shape
from calibration.charts.texture import printed_cells
from calibration.charts.usaf import usaf_layout
from models.errors import InputError, StorageError

KINDS = ("board", "edges", "texture", "usaf")
PAPERS_MM = {"A4": (210.0, 297.0), "A5": (148.0, 210.0), "Letter": (215.9, 279.4)}

MARGIN_MM = 10.0
"""Most printers leave so much blank."""

CELL_MM = 84.0
"""Side of the place that one chart has on the page; the turned board needs 76 mm."""

TEXT_MM = 30.0
TEXTURE_MM = 70.0
DOT_MM = 25.4 / 600
"""One dot at 600 dpi."""

TEXTURE_CELL_MM = 2 * DOT_MM
USAF_PAIRS = 2
TEXT_PT, NOTE_PT = 9.0, 7.0


def write_chart(path: Path, paper: str = "A4", kinds: Sequence[str] = KINDS) -> int:
    """Write the charts as PDF and return the number of pages.

    paper   one of PAPERS_MM
    kinds   any of KINDS, in the order in which they are laid out, two to a row
    Raises InputError for an unknown paper or kind or without fpdf2, StorageError if the file cannot be written.
    """
    if paper not in PAPERS_MM:
        raise InputError(f"paper {paper!r} is unknown; allowed are {', '.join(PAPERS_MM)}")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise InputError(f"chart kind {', '.join(unknown) or '(none)'} is unknown; allowed are {', '.join(KINDS)}")
    width, height = PAPERS_MM[paper]
    pdf: Any = _fpdf().FPDF(unit="mm", format=(width, height))
    pdf.set_auto_page_break(False)
    pdf.set_title("focusgate calibration chart")
    columns = int((width - 2 * MARGIN_MM) // CELL_MM)
    rows = int((height - 2 * MARGIN_MM - TEXT_MM) // CELL_MM)
    for number, kind in enumerate(kinds):
        place = number % (columns * rows)
        if place == 0:
            _new_page(pdf, width, height)
        x = width / 2 + (place % columns - (columns - 1) / 2) * CELL_MM
        y = MARGIN_MM + TEXT_MM + (place // columns + 0.5) * CELL_MM
        _draw(pdf, kind, x, y)
    _save(path, bytes(pdf.output()))
    return int(pdf.page)


def _fpdf() -> ModuleType:
    try:
        return importlib.import_module("fpdf")
    except ModuleNotFoundError:
        raise InputError(
            "printing charts needs fpdf2, which is not installed; run: pip install 'focusgate[calibrate]'"
        ) from None


def _save(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot write the chart ({error.strerror}); name a folder that exists") from None


def _new_page(pdf: Any, width: float, height: float) -> None:
    pdf.add_page()
    pdf.set_font("helvetica", size=TEXT_PT)
    lines = (
        "focusgate calibration chart. Print at 100 % (never 'fit to page'), laser, 600 dpi or more, black only, on",
        "matt white paper; glue it to something flat. Both rulers must measure 100.0 mm to half a millimetre, else",
        f"say what they measure. Board: {FINE_BOARD.square_mm:g} mm squares, turned by {EDGE_ANGLE_DEG:g}°.",
    )
    for number, line in enumerate(lines):
        pdf.text(MARGIN_MM, MARGIN_MM + 4.0 * (number + 1), line)
    _ruler(pdf, MARGIN_MM + 8.0, MARGIN_MM + 24.0, level=True)
    _ruler(pdf, width - MARGIN_MM / 2, (height - RULER_MM) / 2, level=False)


def _ruler(pdf: Any, x: float, y: float, *, level: bool) -> None:
    """100 mm with a line every millimetre, longer ones every 5 and 10."""
    pdf.set_line_width(0.1)
    pdf.set_draw_color(0)
    pdf.set_font("helvetica", size=NOTE_PT)
    for millimetre in range(int(RULER_MM) + 1):
        tick = 4.0 if millimetre % 10 == 0 else 3.0 if millimetre % 5 == 0 else 2.0
        if level:
            pdf.line(x + millimetre, y, x + millimetre, y - tick)
        else:
            pdf.line(x, y + millimetre, x - tick, y + millimetre)
        if level and millimetre % 10 == 0:
            pdf.text(x + millimetre - 1.0, y + 3.0, str(millimetre))
    end = (x + RULER_MM, y) if level else (x, y + RULER_MM)
    pdf.line(x, y, *end)


def _draw(pdf: Any, kind: str, x: float, y: float) -> None:
    """One chart with its middle at (x, y) mm and its name below."""
    notes = {
        "board": "board: scale, distortion, sharpness over the field",
        "edges": "edges: sharpness, simpler",
        "texture": f"texture: focus; cells of {TEXTURE_CELL_MM:.3f} mm, two dots at 600 dpi",
        "usaf": "USAF-1951, groups 0 to 3; a printer resolves about group 2: use a glass target for more",
    }
    if kind == "texture":
        cells = printed_cells(round(TEXTURE_MM / TEXTURE_CELL_MM))
        side = len(cells) * TEXTURE_CELL_MM
        picture = Image.fromarray(np.where(cells, 255, 0).astype(np.uint8)).convert("1")
        pdf.image(picture, x - side / 2, y - side / 2, side, side)
    else:
        layouts = {"board": board_layout, "edges": edges_layout}
        layout = usaf_layout(pairs=USAF_PAIRS) if kind == "usaf" else layouts[kind]()
        _fill(pdf, layout, x, y)
    pdf.set_font("helvetica", size=NOTE_PT)
    pdf.text(x - CELL_MM / 2 + 3.0, y + CELL_MM / 2 - 0.6, notes[kind])


def _fill(pdf: Any, layout: Layout, x: float, y: float) -> None:
    """Shapes of one shade that follow each other become one path: no hairlines between neighbours on screens."""
    drawing = importlib.import_module("fpdf.drawing")
    for shade, shapes in groupby(layout.shapes, key=lambda shape: shape.shade):
        path = drawing.PaintedPath()
        for shape in shapes:
            _outline(path, shape, x, y)
        path.style.fill_color = "#" + 3 * f"{round(255 * shade):02x}"
        path.style.stroke_color = None
        path.style.paint_rule = "fill_nonzero"
        with pdf.drawing_context() as context:
            context.add_item(path)


def _outline(path: Any, shape: Shape, x: float, y: float) -> None:
    corners = shape.corners_mm + np.array([x, y])
    path.move_to(*map(float, corners[0]))
    for corner in corners[1:]:
        path.line_to(*map(float, corner))
    path.close()
