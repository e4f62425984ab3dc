"""The live terminal display: one pure function from a status to what is drawn."""

from __future__ import annotations

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from device.clock import MS
from device.gate import Mode
from device.pins.protocol import Lamp
from device.status import Status
from models.focusmap import Cause, FocusMap, Luma

# Okabe-Ito colours: told apart by the colour-blind, and every state has a shape of its own besides.
GREEN, AMBER, RED, BLUE, ORANGE, GREY = "#009e73", "#e69f00", "#d55e00", "#56b4e9", "#e69f00", "grey50"

_BANNERS = {
    Mode.STARTING: ("…", "STARTING", "white on grey23"),
    Mode.CLOSED: ("■", "CLOSED", f"bold white on {RED}"),
    Mode.OPEN: ("●", "OPEN", f"bold white on {GREEN}"),
    Mode.OVERRIDE_ARMED: ("▲", "OVERRIDE ARMED", f"bold black on {AMBER}"),
    Mode.FAULT: ("✖", "FAULT", "bold white on red3"),
}
_LAMPS = {
    Lamp.OFF: "○ off",
    Lamp.STARTING: "◌ white, slow blink",
    Lamp.CLOSED: "■ red, steady",
    Lamp.OPEN: "● green, steady",
    Lamp.ARMED: "▲ amber, fast blink",
    Lamp.FAULT: "✖ red, double flash",
    Lamp.CLOSED_LOW: "■ red, with a blue blink: room is low",
    Lamp.OPEN_LOW: "● green, with a blue wink: room is low",
}
BAR_CELLS = 40
KEYS = "space capture   o override (hold)   [ ] aperture   p pause assistant   q quit"


def banner(status: Status) -> Padding:
    """State and reason, large."""
    sign, word, style = _BANNERS[status.gate.mode]
    reason = status.gate.reason or "press to capture"
    text = Text(f"\n{sign}  {word}   {reason}\n", justify="center")
    return Padding(text, (0, 0), style=style)


def fraction_bar(focus_map: FocusMap | None, percent: int) -> Text:
    """The in-focus share of what can be judged, with a mark where the gate opens."""
    fraction = focus_map.fraction if focus_map is not None else None
    cells = round(BAR_CELLS * (fraction or 0.0))
    mark = BAR_CELLS * percent // 100
    text = Text("in focus ")
    for cell in range(BAR_CELLS):
        glyph = "│" if cell == mark and cell >= cells else "█" if cell < cells else "░"
        text.append(glyph, style=GREEN if cell < cells and cells >= mark else BLUE if cell < cells else GREY)
    text.append(f" {100 * fraction:3.0f} %" if fraction is not None else "   – %", style="bold")
    return text.append(f" of what can be judged ({percent} % opens)", style=GREY)


def tile_map(focus_map: FocusMap) -> Text:
    """One cell of two characters a tile: █ in focus, ▒ out of focus, · cannot be judged, blank outside the field."""
    text = Text()
    for row in range(focus_map.grid.rows):
        for column in range(focus_map.grid.columns):
            cause = focus_map.cause[row, column]
            if cause == Cause.OUTSIDE:
                text.append("  ")
            elif cause != Cause.JUDGED:
                text.append("· ", style=GREY)
            elif focus_map.sharp[row, column]:
                text.append("██", style=BLUE)
            else:
                text.append("▒▒", style=ORANGE)
        text.append("\n")
    return text.append("██ in focus  ", style=BLUE).append("▒▒ out of focus  ", style=ORANGE).append("· cannot judge")


def preview(luma: Luma, columns: int = 40, rows: int = 15) -> Text:
    """The picture in half blocks: `columns` × 2·`rows` points, each the mean of a few samples."""
    height, width = luma.shape
    step_y, step_x = max(height // (rows * 8), 1), max(width // (columns * 4), 1)
    samples = luma[::step_y, ::step_x][: rows * 8, : columns * 4].astype(np.uint16)
    samples = samples[: samples.shape[0] // 4 * 4, : samples.shape[1] // 4 * 4]
    points = samples.reshape(samples.shape[0] // 4, 4, samples.shape[1] // 4, 4).mean(axis=(1, 3)).astype(int)
    text = Text()
    for upper, lower in zip(points[0::2], points[1::2], strict=False):
        for top, bottom in zip(upper, lower, strict=True):
            text.append("▀", style=f"rgb({top},{top},{top}) on rgb({bottom},{bottom},{bottom})")
        text.append("\n")
    return text


def figures(status: Status, truth: float | None) -> Table:
    """Lamp, shutter, rates and latencies, captures."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=GREY, justify="right")
    table.add_column()
    table.add_row("lamp", _LAMPS[status.lamp])
    table.add_row("shutter", "enabled" if status.shutter_high else "disabled")
    table.add_row("camera", f"{status.camera_fps:.1f} frames/s")
    table.add_row("judged", f"{status.judged_fps:.1f} frames/s, {status.dropped} dropped")
    table.add_row("classifier", f"{status.judge_ns / MS:.1f} ms")
    table.add_row("exposure to decision", f"{status.age_ns / MS:.0f} ms")
    table.add_row("aperture", f"f/{status.f_number:.1f}" if status.f_number is not None else "–")
    if truth is not None:
        table.add_row("truly in focus", f"{100 * truth:.0f} % (the simulation knows)")
    table.add_row("captures", f"{status.saved} saved, {status.refused} refused")
    if status.notices:
        table.add_row("notices", Text("\n".join(status.notices), overflow="fold"))
    table.add_row("last capture", status.last_capture or "none")
    table.add_row("last message", Text(status.last_message or "none", overflow="fold"))
    return table


def screen(status: Status, percent: int, luma: Luma | None, truth: float | None, source: str) -> RenderableType:
    """The whole display."""
    pictures = Table.grid(padding=(0, 3))
    pictures.add_row(
        preview(luma) if luma is not None else Text("no frame yet"),
        tile_map(status.focus_map) if status.focus_map is not None else Text("nothing judged yet"),
    )
    body = Group(
        banner(status),
        Text(),
        fraction_bar(status.focus_map, percent),
        Text(),
        pictures,
        Text(),
        figures(status, truth),
    )
    return Panel(body, title="focusgate", subtitle=f"{source}   {KEYS}", border_style=GREY)
