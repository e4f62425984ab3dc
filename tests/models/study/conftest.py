"""Nothing here runs without the packages of the training extra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the study needs the extra 'train'")
pytest.importorskip("optuna", reason="the study needs the extra 'train'")
pytest.importorskip("scipy", reason="the study needs the extra 'train'")

import torch

from models.study.simulated import PLANES, render_fields, well_names
from models.study.stacks import Stacks

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="session")
def plate() -> Stacks:
    """Six wells of one site, 64 px."""
    wells = well_names(6)
    fields = [field for well in wells for field in render_fields(9, well, 1, (64, 64))]
    images: NDArray[np.uint16] = np.stack([field.planes for field in fields])
    assert images.shape[1] == PLANES
    return Stacks(
        images,
        tuple(field.well for field in fields),
        tuple(field.stain for field in fields),
        np.stack([field.labels for field in fields]),
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
