"""Draws the tile map on the picture so that it reads without colour vision: by pattern first, by colour second.

    in focus        the picture as it is, framed in sky blue
    out of focus    diagonal hatching, orange
    cannot judge    dots, grey, on a greyed picture
    outside         darkened (outside the field of view)

Colours: Okabe & Ito, "Color Universal Design" (2008), chosen by them to be told apart with every common kind of
colour vision.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from device.frame import Rgb
from models.focusmap import Cause, FocusMap

Colour = tuple[int, int, int]
Coverage = NDArray[np.float32]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

SKY_BLUE: Colour = (86, 180, 233)
ORANGE: Colour = (230, 159, 0)
GREY: Colour = (214, 214, 214)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
STRIP: Colour = (24, 24, 24)
SAMPLE: Colour = (120, 120, 120)  # what the legend's samples are drawn on

REFERENCE_PX = 900
"""Lines are drawn one unit wide on a picture of this length, and in proportion on larger ones."""

PITCH_UNITS = 14.0
HATCH_UNITS = 2.0
DOT_RADIUS_UNITS = 1.8
CASING_UNITS = 0.8  # dark edge on both sides: marks stay visible on pictures of their own colour
FRAME_UNITS = 2.2
LEGEND_SCALE = 0.8  # samples are smaller than tiles: finer patterns show what they are
HATCH_ALPHA = 0.9
CASING_ALPHA = 0.5
GREYED = 0.6  # share of the colour that is taken away where nothing can be judged
DARKENED = 0.35  # brightness left outside the field of view
SMALLEST_FONT_PX = 11.0
STRIP_SHARE = 1 / 58  # font size of the legend, as a share of the picture's width


def draw_overlay(rgb: Rgb, focus_map: FocusMap, verdict_text: str) -> Rgb:
    """The picture with its tile map drawn on it and a legend below; uint8 RGB (H + strip, W, 3), a new array.

    `rgb` is uint8 (H, W, 3) of the very frame that was judged, else ValueError.
    """
    height, width = rgb.shape[:2]
    grid = focus_map.grid
    if grid.rows * grid.height > height or grid.columns * grid.width > width:
        raise ValueError(f"a map of {grid.columns}×{grid.rows} tiles does not fit a picture of {width}×{height} px")
    unit = max(1.0, max(height, width) / REFERENCE_PX)
    marks = _Marks.of(grid.width, grid.height, unit)
    picture = rgb.copy()
    for row in range(grid.rows):
        for column in range(grid.columns):
            y, x = row * grid.height, column * grid.width
            tile = picture[y : y + grid.height, x : x + grid.width]
            if not focus_map.sharp[row, column]:
                tile[:] = marks.drawn(tile, Cause(int(focus_map.cause[row, column])))
    _frame_sharp_regions(picture, focus_map, unit)
    return np.concatenate([picture, _legend(width, focus_map, verdict_text, unit)])


@dataclass(frozen=True, slots=True, eq=False)
class _Marks:
    """One tile's worth of each pattern. The pitch divides the tile, so that patterns run on seamlessly."""

    hatch: Coverage
    hatch_casing: Coverage
    dots: Coverage
    dots_casing: Coverage

    @classmethod
    def of(cls, width: int, height: int, unit: float) -> _Marks:
        pitch_x = width / max(1, round(width / (PITCH_UNITS * unit)))
        pitch_y = height / max(1, round(height / (PITCH_UNITS * unit)))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
        phase = (x / pitch_x + y / pitch_y) % 1.0
        line = np.abs(phase - 0.5) * pitch_x / np.sqrt(2.0)  # distance from the middle of the line, px
        # staggered rows look like dots; aligned ones like a mesh
        shifted = x + pitch_x / 2 * (np.floor(y / pitch_y) % 2)
        dot = np.hypot((shifted / pitch_x % 1.0 - 0.5) * pitch_x, (y / pitch_y % 1.0 - 0.5) * pitch_y)
        casing = CASING_UNITS * unit
        half_line, radius = HATCH_UNITS * unit / 2, DOT_RADIUS_UNITS * unit
        return cls(
            hatch=_within(line, half_line),
            hatch_casing=_within(line, half_line + casing),
            dots=_within(dot, radius),
            dots_casing=_within(dot, radius + casing),
        )

    def drawn(self, tile: Rgb, cause: Cause) -> Rgb:
        """The tile with the mark of its state: hatched if judged (and so out of focus), dotted if not judged."""
        if cause is Cause.OUTSIDE:
            return (tile * np.float32(DARKENED)).astype(np.uint8)
        if cause is Cause.JUDGED:
            cased = _blend(tile.astype(np.float32), BLACK, CASING_ALPHA * self.hatch_casing)
            return _blend(cased, ORANGE, HATCH_ALPHA * self.hatch).astype(np.uint8)
        grey = tile.mean(axis=2, keepdims=True, dtype=np.float32)
        greyed = tile * np.float32(1 - GREYED) + grey * np.float32(GREYED)
        cased = _blend(greyed, BLACK, CASING_ALPHA * self.dots_casing)
        return _blend(cased, GREY, self.dots).astype(np.uint8)


def _within(distance: NDArray[np.floating], limit: float) -> Coverage:
    """Share of each pixel that is nearer than `limit`: 0 to 1, with edges one pixel soft."""
    return np.asarray(np.clip(limit - distance + 0.5, 0.0, 1.0), dtype=np.float32)


def _blend(picture: NDArray[np.float32], colour: Colour, coverage: Coverage) -> NDArray[np.float32]:
    share = coverage[:, :, None]
    return np.asarray(picture * (1 - share) + np.asarray(colour, dtype=np.float32) * share, dtype=np.float32)


def _frame_sharp_regions(picture: Rgb, focus_map: FocusMap, unit: float) -> None:
    """Outlines every region of sharp tiles, in place."""
    grid = focus_map.grid
    mask = np.zeros(picture.shape[:2], dtype=np.uint8)
    sharp = np.repeat(np.repeat(focus_map.sharp, grid.height, axis=0), grid.width, axis=1)
    mask[: sharp.shape[0], : sharp.shape[1]] = sharp
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, BLACK, round((FRAME_UNITS + 2 * CASING_UNITS) * unit), cv2.LINE_AA)
    cv2.drawContours(picture, contours, -1, SKY_BLUE, round(FRAME_UNITS * unit), cv2.LINE_AA)


def _legend(width: int, focus_map: FocusMap, verdict_text: str, unit: float) -> Rgb:
    """The strip below the picture: the verdict, then what each mark means and how often it occurs, then the model."""
    size = max(SMALLEST_FONT_PX, width * STRIP_SHARE)
    headline, small = ImageFont.load_default(size * 1.3), ImageFont.load_default(size)
    margin, swatch = round(size * 0.8), (round(size * 2.2), round(size * 1.3))
    room = width - 2 * margin
    top = float(margin)
    words: list[tuple[float, float, str, Font]] = []
    for line in _wrapped(verdict_text, headline, room):
        words.append((margin, top, line, headline))
        top += size * 1.8
    top += size * 0.2
    swatches: list[tuple[float, float, Rgb]] = []
    left = float(margin)
    for mark, text in _entries(focus_map, swatch, unit):
        indent = 0.0 if mark is None else swatch[0] + size * 0.6
        wide = indent + small.getlength(text)
        if left > margin and left + wide > width - margin:
            left, top = float(margin), top + size * 1.9
        if mark is not None:
            swatches.append((left, top, mark))
        words.append((left + indent, top + size * 0.05, text, small))
        left += wide + size * 1.5
    canvas = Image.new("RGB", (width, round(top + size * 1.9 + margin * 0.3)), STRIP)
    pen = ImageDraw.Draw(canvas)
    for x, y, text, font in words:
        pen.text((x, y), text, fill=WHITE, font=font, stroke_width=size / 40 if font is headline else 0)
    for x, y, sample in swatches:
        canvas.paste(Image.fromarray(sample), (round(x), round(y)))
    return np.asarray(canvas, dtype=np.uint8)


def _entries(focus_map: FocusMap, size: tuple[int, int], unit: float) -> list[tuple[Rgb | None, str]]:
    """What the legend explains: a sample of the mark, or none, and its words."""
    marks = _Marks.of(*size, LEGEND_SCALE * unit)
    plain = np.full((size[1], size[0], 3), SAMPLE, dtype=np.uint8)
    framed = plain.copy()
    inset = max(1, round(FRAME_UNITS * unit / 2))
    cv2.rectangle(framed, (inset, inset), (size[0] - 1 - inset, size[1] - 1 - inset), SKY_BLUE, 2 * inset)
    out_of_focus = focus_map.judged_tiles - focus_map.in_focus
    entries: list[tuple[Rgb | None, str]] = [
        (framed, f"in focus {focus_map.in_focus}"),
        (marks.drawn(plain, Cause.JUDGED), f"out of focus {out_of_focus}"),
        (marks.drawn(plain, Cause.NO_DETAIL), f"cannot judge {focus_map.total - focus_map.judged_tiles}"),
    ]
    if focus_map.total < focus_map.cause.size:
        entries.append((marks.drawn(plain, Cause.OUTSIDE), "outside the field"))
    limit = f"limit: blur radius {focus_map.criterion_px:g} px"
    return [*entries, (None, limit), (None, f"model: {focus_map.model_name}")]


def _wrapped(text: str, font: Font, room: float) -> list[str]:
    """`text` in lines that fit into `room` px; a single word that does not fit stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
