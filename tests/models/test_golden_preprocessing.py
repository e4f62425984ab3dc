"""A picture prepared otherwise than in training is found out by the golden vectors (hazard H09)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from models.focusmap import Luma, TileGrid
from models.manifest import OUTPUT_NAMES
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.scores import check_scores

Prepare = Callable[[Luma], Luma]


@pytest.fixture
def shipped() -> OnnxClassifier:
    return load_classifier()


def limited(luma: Luma) -> Luma:
    """Studio range, 16 to 235, as many video streams have it."""
    return np.asarray(np.round(16 + luma.astype(np.float64) * 219 / 255), np.uint8)


def tone(luma: Luma) -> Luma:
    """A curve of tone applied once too often."""
    return np.asarray(np.round(255 * (luma / 255.0) ** (1 / 2.2)), np.uint8)


DEVIATIONS: dict[str, Prepare] = {
    "limited range": limited,
    "a second curve of tone": tone,
    "inverted": lambda luma: np.asarray(255 - luma, np.uint8),
    "brighter by ten levels": lambda luma: np.asarray(np.minimum(luma.astype(np.int16) + 10, 255), np.uint8),
    "less contrast": lambda luma: np.asarray(np.round(luma * 0.8), np.uint8),
    "four bits": lambda luma: np.asarray(luma & 0xF0, np.uint8),
    "shifted by a pixel": lambda luma: np.roll(luma, 1, axis=1),
    "shifted by a row": lambda luma: np.roll(luma, 1, axis=0),
    "mirrored": lambda luma: luma[:, ::-1],
    "upside down": lambda luma: luma[::-1],
    "smoothed": lambda luma: np.asarray(cv2.GaussianBlur(luma, (0, 0), 0.6), np.uint8),
    "sharpened": lambda luma: np.asarray(cv2.addWeighted(luma, 1.5, cv2.GaussianBlur(luma, (0, 0), 1), -0.5, 0)),
    "shrunk and enlarged": lambda luma: np.asarray(
        cv2.resize(cv2.resize(luma, None, fx=0.75, fy=0.75), luma.shape[::-1]), np.uint8
    ),
    "compressed": lambda luma: np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE), np.uint8
    ),
}


def found_out(model: OnnxClassifier, prepare: Prepare) -> bool:
    """Whether any golden vector, its picture prepared so, gives other scores than the tolerance allows."""
    for golden in model.manifest.golden:
        grid = TileGrid.of(golden.width, golden.height, model.tile_px)
        picture = np.ascontiguousarray(prepare(golden.image()))
        outputs: Sequence[np.ndarray] = check_scores(model.bare(picture), grid, len(model.manifest.edges_px))
        for name, output in zip(OUTPUT_NAMES, outputs, strict=True):
            expected = np.asarray(golden.expected[name], np.float32).reshape(output.shape)
            if float(np.abs(output - expected).max()) > golden.tolerance:
                return True
    return False


def test_the_golden_pictures_as_they_are_pass(shipped: OnnxClassifier) -> None:
    assert not found_out(shipped, lambda luma: luma)


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_every_single_deviation_of_preprocessing_is_found_out(shipped: OnnxClassifier, deviation: str) -> None:
    assert found_out(shipped, DEVIATIONS[deviation])
