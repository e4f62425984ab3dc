"""The head learnt anew: tiles keep what is theirs, only the head moves, and it learns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from rich.progress import Progress

from models.training.head import Tiles, fit_head, tiles_of
from models.training.losses import loss_of
from models.training.network import FocusNet
from models.training.plan import Plan
from models.training.samples import Samples

PLAN = Plan(head_epochs=60, hidden=8, averaging=0.05)


@pytest.mark.parametrize(("axes", "transpose"), list(product(([], [-2], [-1], [-2, -1]), (False, True))))
def test_a_tile_keeps_its_truth_wherever_it_goes(axes: list[int], transpose: bool) -> None:
    number = torch.arange(9.0).reshape(1, 1, 3, 3)
    tiles = Tiles(number.half(), 2 * number.half(), 3 * number[:, 0].half(), 4 * number[:, 0].half())
    turned = tiles.turned(torch.tensor([0]), axes, transpose=transpose)
    assert torch.equal(turned.features, turned.within / 2)
    assert torch.equal(turned.features[:, 0], turned.weight / 3)
    assert torch.equal(turned.weight / 3, turned.detectable / 4)
    assert torch.equal(torch.sort(turned.features.flatten())[0], number.flatten())
    assert torch.equal(turned.features, number) == (not axes and not transpose)


def test_only_the_head_learns_and_it_does(samples_of: Callable[..., Samples]) -> None:
    torch.manual_seed(1)
    network = FocusNet(hidden=8)
    samples = samples_of([0.5, 6.0] * 24)
    samples.luma[1::2] //= 8
    tiles = tiles_of(network, samples)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def loss() -> float:
        with torch.no_grad():
            wanted = (tiles.within.float(), tiles.weight.float(), tiles.detectable.float())
            return float(loss_of(*network.head(tiles.features.float()), wanted))

    with Progress(disable=True) as progress:
        fit_head(network, tiles, Plan(head_epochs=1, hidden=8, learning_rate=1e-9), progress)
        unlearnt = loss()
        fit_head(network, tiles, PLAN, progress)
    assert loss() < 0.5 * unlearnt
    for name in ("stem", "low", "detect", "dim"):
        assert torch.equal(network.state_dict()[name], before[name])
    normal = (tiles.features.float() - network.mean[:, None, None]) / network.deviation[:, None, None]
    assert float(normal.mean().abs()) < 0.01
    assert float(normal.std()) <= 1.01


def test_the_same_seed_gives_the_same_head(samples_of: Callable[..., Samples]) -> None:
    torch.manual_seed(1)
    network = FocusNet(hidden=8)
    tiles = tiles_of(network, samples_of([0.5, 6.0] * 8))
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        with Progress(disable=True) as progress:
            fit_head(network, tiles, Plan(head_epochs=2, hidden=8), progress)
        found.append(network.last.weight.clone())
    assert torch.equal(*found)
