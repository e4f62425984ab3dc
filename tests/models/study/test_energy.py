from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.study.energy import best_threshold


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1))
def test_no_other_threshold_does_better(pairs: list[tuple[int, bool]]) -> None:
    values = np.array([float(value) for value, _ in pairs])
    values += np.arange(len(values)) * 1e-4  # apart, so that a threshold lies between any two
    positive = np.array([is_positive for _, is_positive in pairs])
    threshold = best_threshold(values, positive)
    chosen = ((values > threshold) == positive).sum()
    others = [((values > other) == positive).sum() for other in [*(np.unique(values) - 5e-5), values.max() + 1]]
    assert chosen == max(others)
