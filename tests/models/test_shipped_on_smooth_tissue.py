"""Smooth tissue, sharply seen, shows nothing to judge by: it must not be called blurred."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.classifier import Judging
from models.onnx_classifier import OnnxClassifier, load_classifier

SIDE_PX = 768
MOST_CALLED_BLURRED = 0.05


@pytest.fixture(scope="module")
def classifier() -> OnnxClassifier:
    return load_classifier()


def smooth(rng: np.random.Generator, full_well_e: float) -> NDArray[np.uint8]:
    """Shading without any detail below a third of a tile, with the noise of photons and of reading out."""
    coarse = rng.uniform(-1.0, 1.0, (4, 4)).astype(np.float32)
    shading = cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    light = np.clip(rng.uniform(0.15, 0.6) * (1 + 0.25 * shading), 0.01, 1.0)
    noise = np.sqrt(light / full_well_e + (2.0 / full_well_e) ** 2) * rng.standard_normal(light.shape)
    return np.rint(255 * np.clip(light + noise, 0.0, 1.0) ** (1 / 2.2)).astype(np.uint8)


def finished(luma: NDArray[np.uint8], how: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What cameras do to a picture afterwards."""
    match how:
        case "plain":
            return luma
        case "sharpened":
            soft = cv2.GaussianBlur(luma, (0, 0), 1.2)
            return cv2.addWeighted(luma, 2.0, soft, -1.0, 0.0)
        case "denoised":
            return cv2.GaussianBlur(luma, (0, 0), 0.8)
        case _:
            _, packed = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))])
            return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


@pytest.mark.parametrize("how", ["plain", "sharpened", "denoised", "compressed"])
@pytest.mark.parametrize("full_well_e", [1000.0, 4000.0, 16000.0])
def test_smooth_sharp_tissue_is_not_called_blurred(classifier: OnnxClassifier, how: str, full_well_e: float) -> None:
    rng = np.random.default_rng(23)
    blurred = tiles = 0
    for _ in range(4):
        found = classifier.judge(finished(smooth(rng, full_well_e), how, rng), Judging())
        blurred += np.count_nonzero(found.judged & (found.p_in_focus < found.threshold))
        tiles += found.judged.size
    assert blurred <= MOST_CALLED_BLURRED * tiles
