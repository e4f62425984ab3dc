"""The shipped model on another processor: its golden vectors, and the same outputs as the host's.

try_model.py save FILE.npz      on the host: outputs for the pictures of `pictures()`
try_model.py compare FILE.npz   on the other processor: one JSON object, {"worst", "golden"}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.manifest import OUTPUT_NAMES
from models.onnx_classifier import load_classifier

WIDTH, HEIGHT = 640, 512
TOLERANCE = 1e-3  # probabilities and shares; luma is in grey levels and gets a hundred times as much


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Textures through a lens out of focus by 0 to 6 px, dark, glaring and flat ones among them."""
    rng = np.random.default_rng(11)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.float32)
    for radius_px in (0, 1, 2, 4, 6):
        size = 2 * radius_px + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
        yield cv2.filter2D(noise, -1, disc / disc.sum()).astype(np.uint8)
    yield np.zeros((HEIGHT, WIDTH), np.uint8)
    yield np.full((HEIGHT, WIDTH), 255, np.uint8)
    yield (noise / 32).astype(np.uint8)


def outputs(shown: Iterable[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
    """All outputs for all pictures, stacked."""
    classifier = load_classifier()
    found = [classifier.bare(picture) for picture in shown]
    return {name: np.stack([np.asarray(each[i]) for each in found]) for i, name in enumerate(OUTPUT_NAMES)}


def worst(mine: dict[str, NDArray[np.float32]], theirs: dict[str, NDArray[np.float32]]) -> float:
    """The largest difference, in units of what is allowed."""
    allowed = {"mean_luma": 100 * TOLERANCE}
    differences = [np.abs(mine[name] - theirs[name]).max() / allowed.get(name, TOLERANCE) for name in OUTPUT_NAMES]
    return float(max(differences))


def main(action: str, path: Path) -> None:
    if action == "save":
        shown = np.stack(list(pictures()))
        np.savez(path, pictures=shown, **outputs(shown))
        return
    with np.load(path) as saved:
        theirs = dict(saved)
    difference = worst(outputs(theirs.pop("pictures")), theirs)
    golden = load_classifier(self_test=False).self_test()
    report = {"worst": round(difference, 4), "golden": round(golden, 4), "onnxruntime": onnxruntime.__version__}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
