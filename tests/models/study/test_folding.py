from __future__ import annotations

import numpy as np

from models.study.folding import features, folded, shipped_stem
from models.study.tasks import Examples


def test_the_shipped_first_layer_is_found_and_a_high_pass_keeps_its_shape() -> None:
    stem = shipped_stem()
    assert stem.shape[1:] == (8, 8)
    assert folded(stem, 25.0).shape == stem.shape
    assert np.array_equal(folded(stem, 0.0), stem)


def test_a_high_pass_takes_slow_stripes_out_of_a_filter_and_leaves_fast_ones() -> None:
    x = np.arange(8)
    slow, fast = (np.tile(np.cos(np.pi * k * (x + 0.5) / 8), (8, 1)) for k in (1, 7))
    filtered = folded(np.stack([slow, fast]), 120.0)
    kept = np.square(filtered).sum(axis=(1, 2)) / np.square(np.stack([slow, fast])).sum(axis=(1, 2))
    assert kept[0] < 0.3
    assert kept[1] > 0.8


def test_a_mean_stays_a_mean() -> None:
    mean = np.full((1, 8, 8), 1 / 64)
    assert np.array_equal(folded(mean, 100.0), mean)


def test_features_are_those_of_every_block() -> None:
    image = np.zeros((1, 16, 16), np.float32)
    image[0, :8, :8] = 2.0  # one block of four
    examples = Examples(image, np.zeros(1, np.int64), np.zeros((1, 4), np.float32), np.zeros(1, np.int64))
    energy, magnitude, largest = np.exp(features(examples, np.full((1, 8, 8), 1 / 64)))[0]
    assert np.allclose([energy, magnitude, largest], [1.0, 0.5, 2.0])
