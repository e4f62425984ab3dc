"""The display says state, reason and figures in words and shapes, not in colour alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console, RenderableType

from device.clock import MS
from device.display import fraction_bar, preview, screen, tile_map
from device.gate import GateState, Mode
from device.pins.protocol import Lamp
from device.status import Status
from models.focusmap import Cause, FocusMap, TileGrid


def shown(renderable: RenderableType) -> str:
    """What a terminal without colour shows."""
    console = Console(file=io.StringIO(), width=120, no_color=True, record=True)
    console.print(renderable)
    return console.export_text()


def focus_map(sharp: int, causes: dict[tuple[int, int], Cause] | None = None) -> FocusMap:
    """Two rows of five tiles, the first `sharp` of them in focus."""
    score = (np.arange(10) < sharp).astype(np.float32).reshape(2, 5)
    cause = np.zeros((2, 5), np.uint8)
    for place, why in (causes or {}).items():
        cause[place] = why
    return FocusMap(
        grid=TileGrid(64, 64, 2, 5),
        blur_px=1.0 - score,
        p_in_focus=score,
        cause=cause,
        criterion_px=2.0,
        threshold=0.5,
        model_name="m",
        model_sha256="0" * 64,
    )


@pytest.mark.parametrize("mode", list(Mode))
def test_every_state_is_told_in_words(mode: Mode) -> None:
    text = shown(screen(Status(gate=GateState(mode=mode, reason="why")), 90, None, None, "simulated"))
    assert mode.value.upper() in text
    assert "why" in text


def test_the_fraction_is_told_in_figures_with_the_mark_where_the_gate_opens() -> None:
    text = fraction_bar(focus_map(5), 90).plain
    assert " 50 %" in text
    bar = text[len("in focus ") :]
    assert bar.index("│") == 36
    assert bar.count("█") == 20
    assert "│" not in fraction_bar(focus_map(10), 90).plain
    assert "– %" in fraction_bar(None, 90).plain


def test_tiles_are_told_apart_by_shape() -> None:
    causes = {(0, 4): Cause.GLARE, (1, 4): Cause.OUTSIDE}
    rows = tile_map(focus_map(2, causes)).plain.splitlines()
    assert rows[0] == "████▒▒▒▒· "
    assert rows[1] == "▒▒▒▒▒▒▒▒  "


def test_the_preview_is_two_points_a_line_and_shows_the_picture() -> None:
    luma = np.zeros((1944, 2592), np.uint8)
    luma[:, 1280:] = 200
    text = preview(luma)
    lines = text.plain.splitlines()
    assert len(lines) == 15
    styles = {str(span.style) for span in text.spans}
    assert styles == {"rgb(0,0,0) on rgb(0,0,0)", "rgb(200,200,200) on rgb(200,200,200)"}


def test_small_pictures_have_a_preview_too() -> None:
    assert preview(np.full((64, 64), 9, np.uint8)).plain.strip()


def test_figures_and_truth_are_shown() -> None:
    status = Status(
        gate=GateState(mode=Mode.OPEN, reason=""),
        focus_map=focus_map(10),
        lamp=Lamp.OPEN,
        shutter_high=True,
        judged_fps=9.5,
        judge_ns=4 * MS,
        f_number=2.8,
        saved=3,
        last_capture="abcd",
    )
    text = shown(screen(status, 90, np.zeros((64, 64), np.uint8), 0.97, "simulated"))
    for part in ("press to capture", "enabled", "9.5 frames/s", "4.0 ms", "f/2.8", "97 %", "3 saved", "abcd", "q quit"):
        assert part in text


def test_notices_are_shown_with_their_codes_and_only_where_there_are_any() -> None:
    assert "notices" not in shown(screen(Status(), 90, None, None, "simulated"))
    notices = ("FG-305 fewer than 100 captures fit", "FG-405 the capture button is stuck")
    status = Status(lamp=Lamp.OPEN_LOW, notices=notices)
    text = shown(screen(status, 90, None, None, "simulated"))
    assert all(notice in text for notice in notices)
    assert "green, with a blue wink: room is low" in text
