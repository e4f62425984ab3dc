"""YUV 4:2:0 in memory, as cameras lay it out: luma as it lies there, colour by conversion."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from device.frame import Rgb
from models.focusmap import Luma

LAYOUTS = ("YUV420", "NV12")
"""Planes Y, U, V (the Raspberry Pi's own) or Y, UV interleaved (libcamera's virtual camera)."""


def bytes_of(height: int, stride: int) -> int:
    """What a picture takes; width and height are even."""
    return stride * height * 3 // 2


def luma_in(memory: NDArray[np.uint8], width: int, height: int, stride: int) -> Luma:
    """The Y plane, shape (height, width), without a copy: rows are `stride` bytes apart."""
    return memory[: stride * height].reshape(height, stride)[:, :width]


def rgb_in(memory: NDArray[np.uint8], width: int, height: int, stride: int, layout: str) -> Rgb:
    """The picture as RGB, uint8 of shape (height, width, 3).

    Full range with the weights of BT.601, as in JPEG (JFIF 1.02, page 3); libcamera calls it Sycc.
    """
    chroma = memory[stride * height : bytes_of(height, stride)]
    if layout == "NV12":
        pairs = chroma.reshape(height // 2, stride)[:, :width].reshape(height // 2, width // 2, 2)
        blue, red = pairs[..., 0], pairs[..., 1]
    else:
        blue, red = chroma.reshape(2, height // 2, stride // 2)[:, :, : width // 2]
    full = [cv2.resize(np.ascontiguousarray(plane), (width, height)) for plane in (red, blue)]  # bilinear
    planes = cv2.merge([luma_in(memory, width, height, stride), *full])
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)
