"""A judged frame as one picture to learn from: the frame, what the model says, the truth, and where they differ."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.overlay import draw_overlay
from device.simulation.judged import Judged, Shown
from models.focusmap import Cause, FocusMap

Rgb = NDArray[np.uint8]

PANE_WIDTH_PX = 560
QUALITY = 85

SOFTENED_PX = 0.5
"""Added before radii are compared by their ratio: below half a pixel differences mean nothing."""


def truth_map(judged: Judged) -> FocusMap:
    """The truth in the form of a map, all tiles of the field being judged."""
    found, truth = judged.found, judged.truth
    sharp = truth.blur_px <= found.criterion_px
    return replace(
        found,
        blur_px=truth.blur_px.astype(np.float32),
        p_in_focus=sharp.astype(np.float32),
        threshold=0.5,
        cause=np.where(truth.inside, Cause.JUDGED, Cause.OUTSIDE).astype(np.uint8),
        model_name="truth",
    )


def four_panes(shown: Shown) -> Rgb:
    """Above the frame and the model's map, below the worst tile's surroundings (1:1) and the truth; uint8 (H, W, 3)."""
    height, width = shown.rgb.shape[:2]
    size = (PANE_WIDTH_PX, round(height * PANE_WIDTH_PX / width))
    focus_maps = (shown.judged.found, truth_map(shown.judged))
    maps = [draw_overlay(shown.rgb, focus_map, "")[:height] for focus_map in focus_maps]
    plain, found, true = (
        np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8) for picture in (shown.rgb, *maps)
    )
    return np.vstack([np.hstack([plain, found]), np.hstack([_closer(shown, size), true])])


def _closer(shown: Shown, size: tuple[int, int]) -> Rgb:
    """Pixel for pixel, around the judged tile whose estimated radius is farthest from the true one.

    Tiles on the wrong side of the criterion go before all others.
    """
    found, truth = shown.judged.found, shown.judged.truth
    apart = np.abs(np.log((found.blur_px + SOFTENED_PX) / (truth.blur_px + SOFTENED_PX)))
    wrong = found.sharp != (truth.blur_px <= found.criterion_px)
    row, column = np.unravel_index(int(((apart + wrong * apart.max()) * found.judged).argmax()), apart.shape)
    left = _start((int(column) + 0.5) * found.grid.width, size[0], shown.rgb.shape[1])
    top = _start((int(row) + 0.5) * found.grid.height, size[1], shown.rgb.shape[0])
    cut = shown.rgb[top : top + size[1], left : left + size[0]]
    pane = np.zeros((size[1], size[0], 3), np.uint8)
    pane[: cut.shape[0], : cut.shape[1]] = cut
    return pane


def _start(middle_px: float, length_px: int, whole_px: int) -> int:
    """Where a window around `middle_px` begins, such that it stays within."""
    return min(max(round(middle_px - length_px / 2), 0), max(whole_px - length_px, 0))


def jpeg_of(picture: Rgb) -> bytes:
    """Encoded as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
