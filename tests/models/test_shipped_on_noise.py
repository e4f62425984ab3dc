"""The shipped model never lets a frame pass in which there is nothing to see (hazard H11)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.classifier import Judging
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.verdict import VerdictKind, verdict_of

HEIGHT, WIDTH, FRAMES = 512, 640, 25


@pytest.fixture(scope="module")
def shipped() -> OnnxClassifier:
    return load_classifier()


def _frame(kind: str, rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    level, deviation = rng.uniform(0, 255), np.exp(rng.uniform(np.log(0.3), np.log(50)))
    noise = deviation * rng.standard_normal((HEIGHT, WIDTH))
    if kind == "uniform":
        noise[:] = 0
    elif kind == "smoothed":
        noise = 2 * cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.2))
    elif kind == "gradient":
        noise = np.linspace(-60, 60, WIDTH)[None] + rng.uniform(0, 3) * noise / deviation
    picture = np.clip(level + noise, 0, 255).astype(np.uint8)
    if kind != "compressed":
        return picture
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


@pytest.mark.parametrize("kind", ["uniform", "white", "smoothed", "compressed", "gradient"])
def test_frames_of_nothing_but_noise_never_pass(shipped: OnnxClassifier, kind: str) -> None:
    rng = np.random.default_rng(20)
    found = [shipped.judge(_frame(kind, rng), Judging()) for _ in range(FRAMES)]
    assert all(verdict_of(each).kind is not VerdictKind.PASS for each in found)
    assert sum(each.in_focus for each in found) <= FRAMES * 20 // 100  # at most a tile in a hundred


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_are_not_judged(shipped: OnnxClassifier, level: int) -> None:
    found = shipped.judge(np.full((HEIGHT, WIDTH), level, np.uint8), Judging())
    assert found.judged_tiles == 0
    assert verdict_of(found).kind is VerdictKind.CANNOT_JUDGE
