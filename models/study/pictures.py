"""Pictures for the page: the simulated plate through focus, and apertures before and after training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.study.simulated import render_fields

SHOWN_PLANES = (0, 5, 10, 13, 15, 16, 17, 19, 22, 25, 33)
SHOWN_WELLS = ("b01", "c01")
SIDE_PX = 128
CAPTION_PX = 16
APERTURE_SIDE_PX = 160

Grey = NDArray[np.uint8]


def write_contact_sheet(path: Path, seed: int) -> None:
    """Two fields, nuclei above actin, through the planes whose numbers stand above them."""
    rows = [np.hstack([_captioned(f"{plane:02d}") for plane in SHOWN_PLANES])]
    for well in SHOWN_WELLS:
        fields = render_fields(seed, well, 1, (SIDE_PX, SIDE_PX))
        rows += [
            np.hstack([stretched(field.planes[plane].astype(float)) for plane in SHOWN_PLANES]) for field in fields
        ]
    _write(path, np.vstack(rows))


def write_apertures(path: Path, before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
    """Amplitude (white: 1) and phase (grey: 0, black and white: -π/2 and π/2), before and after, side by side."""
    parts = []
    for state in (before, after):
        amplitude = np.clip(state[0], 0.0, 1.0) * 255
        phase = np.clip(state[1] / np.pi + 0.5, 0.0, 1.0) * 255
        parts += [_enlarged(part.astype(np.uint8)) for part in (amplitude, phase)]
    captions = np.hstack([_captioned(text, APERTURE_SIDE_PX) for text in CAPTIONS])
    _write(path, np.vstack([captions, np.hstack(parts)]))


CAPTIONS = ("amplitude before", "phase before", "amplitude after", "phase after")


def apertures_of(results: Path, result: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Before and after, (2, side, side) each. Raises InputError if the run's file is gone."""
    path = results / str(result["aperture_file"])
    if not path.exists():
        raise InputError(f"{path}: is missing; run the experiment again")
    with np.load(path) as arrays:
        return arrays["before"], arrays["after"]


def stretched(picture: NDArray[np.float64]) -> Grey:
    """From the darkest to the 99.7th percentile, each picture by itself: as one would look at it."""
    low, high = np.percentile(picture, (0.5, 99.7))
    return np.clip((picture - low) / max(high - low, 1.0) * 255, 0, 255).astype(np.uint8)


def _captioned(text: str, width: int = SIDE_PX) -> Grey:
    strip = np.full((CAPTION_PX, width), 255, np.uint8)
    return np.asarray(cv2.putText(strip, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA), np.uint8)


def _enlarged(part: Grey) -> Grey:
    size = (APERTURE_SIDE_PX - 2, APERTURE_SIDE_PX - 2)
    large = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.pad(large, 1, constant_values=255)


def _write(path: Path, picture: Grey) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise InputError(f"{path}: cannot be written; give another folder")
