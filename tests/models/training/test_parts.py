"""What each part of the network is worth: every variant lacks what it says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from models.training import parts
from models.training.network import FocusNet
from models.training.plan import Plan
from models.training.samples import Samples


@pytest.mark.parametrize("name", parts.VARIANTS)
def test_every_variant_learns_and_lacks_what_it_says(name: str, samples_of: Callable[..., Samples]) -> None:
    held = samples_of([0.5, 6.0] * 12)
    found = parts.tried(name, samples_of([0.5, 6.0] * 48), held, Plan(samples=96, epochs=1, hidden=4, detectors=2))
    assert found["name"] == name
    assert found["loss"] > 0.0


def test_without_neighbours_a_tile_is_judged_by_itself() -> None:
    torch.manual_seed(1)
    network = FocusNet(hidden=8)
    luma = torch.randint(0, 255, (1, 1, 384, 384), dtype=torch.uint8)
    other = luma.clone()
    other[..., :128, :128] = 7

    def change_in_the_middle() -> float:
        with torch.no_grad():
            return float((network(luma)[0] - network(other)[0])[..., 1, 1].abs().max())

    before = change_in_the_middle()
    parts.VARIANTS["without neighbouring tiles"][1](network)
    assert change_in_the_middle() < 0.01 * before  # what is left: coarse filters reach one block over the edge


def test_highlights_count_like_all_else_where_nothing_is_left_out() -> None:
    network = FocusNet(hidden=4)
    parts.VARIANTS["highlights count like all else"][1](network)
    assert (network.dimness(torch.ones(1, 15, 2, 4), torch.ones(1, 1, 2, 4)) > 0.999).all()
