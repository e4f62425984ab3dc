"""What libcamera's virtual camera shows: pictures of a texture like tissue's, in focus and out of it.

FOLDER/scene   SCENE_FRAMES pictures of 640×480, the first half in focus, the second half far out of focus, each shifted
               and with noise of its own; the virtual camera shows each four times, and all of them over and over
FOLDER/full    four of 2592×1944, alternately
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCENE_FRAMES = 20
SCENE_SIZE, FULL_SIZE = (640, 480), (2592, 1944)
SHARP_PX, BLURRED_PX = 1.0, 6.0  # blur radius: the model's criterion lies between them
MARGIN_PX = 32
SPECTRUM = 0.7  # amplitude falls with the spatial frequency to this power
CONTRAST, MEAN, NOISE = 40.0, 120.0, 2.0  # grey levels


def disc(radius_px: float, height: int, width: int) -> NDArray[np.complex128]:
    """The transfer function of a defocused lens: the spectrum of a disc of this radius."""
    y, x = np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width
    spot = np.clip(radius_px + 0.5 - np.hypot(y, x), 0.0, 1.0)
    return np.fft.rfft2(spot / spot.sum())


def texture(width: int, height: int, blur_px: float) -> NDArray[np.float64]:
    """Noise with a falling spectrum through a lens that is out of focus by `blur_px`; the same each time."""
    white = np.fft.rfft2(np.random.default_rng(3).normal(size=(height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1.0
    plain = white / frequency**SPECTRUM
    plain[0, 0] = 0.0
    spread = np.fft.irfft2(plain, s=(height, width)).std()
    return MEAN + CONTRAST * np.fft.irfft2(plain * disc(blur_px, height, width), s=(height, width)) / spread


def save(pictures: NDArray[np.float64], number: int, size: tuple[int, int], path: Path) -> None:
    """A part of the texture, shifted by `number`, with its own noise."""
    width, height = size
    top, left = number % MARGIN_PX, (3 * number) % MARGIN_PX
    part = pictures[top : top + height, left : left + width]
    noisy = part + np.random.default_rng(number).normal(0.0, NOISE, part.shape)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert("RGB").save(path, quality=95)


def main(folder: Path) -> None:
    for name, size, count in (("scene", SCENE_SIZE, SCENE_FRAMES), ("full", FULL_SIZE, 4)):
        (folder / name).mkdir(exist_ok=True)
        halves = [texture(size[0] + MARGIN_PX, size[1] + MARGIN_PX, blur) for blur in (SHARP_PX, BLURRED_PX)]
        for number in range(count):
            save(halves[2 * number // count], number, size, folder / name / f"{number:03}.jpg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
