"""A thousand frames in which there is nothing to see: none passes (hazard H11)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.classifier import Judging
from models.focusmap import Luma
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.verdict import VerdictKind, verdict_of

SIZE, EACH = 256, 125
Make = Callable[[np.random.Generator], Luma]


def filled(level: float, noise: float, rng: np.random.Generator) -> Luma:
    picture = level + noise * rng.standard_normal((SIZE, SIZE))
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def fluid(rng: np.random.Generator) -> Luma:
    """A slow wave of brightness, as a drop on the lens makes it."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    wave = 90 * np.sin(2 * np.pi * (rng.uniform(0.3, 1.2) * x + rng.uniform(0.3, 1.2) * y + rng.uniform()))
    return np.asarray(np.clip(128 + wave, 0, 255), np.uint8)


KINDS: dict[str, Make] = {
    "black": lambda rng: filled(0, rng.uniform(0, 2), rng),
    "white": lambda rng: filled(255, rng.uniform(0, 2), rng),
    "uniform": lambda rng: filled(rng.uniform(0, 255), 0, rng),
    "saturated but for a noise": lambda rng: filled(rng.uniform(250, 300), rng.uniform(0, 10), rng),
    "faint noise": lambda rng: filled(rng.uniform(20, 235), rng.uniform(0.3, 3), rng),
    "strong noise": lambda rng: filled(rng.uniform(20, 235), rng.uniform(3, 60), rng),
    "fog": lambda rng: filled(rng.uniform(150, 240), rng.uniform(0.5, 4), rng) // 8 * 8,
    "fluid": fluid,
}


@pytest.fixture(scope="module")
def shipped() -> OnnxClassifier:
    return load_classifier()


@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_without_anything_to_see_passes(shipped: OnnxClassifier, kind: str) -> None:
    rng = np.random.default_rng(7)
    verdicts = [verdict_of(shipped.judge(KINDS[kind](rng), Judging())) for _ in range(EACH)]
    assert [each.reason for each in verdicts if each.kind is VerdictKind.PASS] == []
    assert all(each.reason for each in verdicts)


def test_they_are_a_thousand() -> None:
    assert len(KINDS) * EACH == 1000
