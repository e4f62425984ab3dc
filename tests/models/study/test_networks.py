from __future__ import annotations

import math

import pytest
import torch

from models.study import networks
from models.study.fitting import certainty, corners
from models.study.physical import FourierAperture, radial_energy_share, radii_px
from models.study.segmenting import UNet, dice

SIZE = networks.Size(32, 3, width=4, dense=16)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_answers_with_one_number_a_class_or_with_one_at_all(name: str) -> None:
    out = networks.NETWORKS[name](SIZE)(torch.zeros(2, 1, 32, 32))
    assert out.shape == (2, 1 if name in networks.REGRESSIONS else 3)


def test_the_reduced_network_lacks_three_convolutions_and_two_poolings() -> None:
    def count(network: torch.nn.Module, kind: type) -> int:
        return sum(isinstance(layer, kind) for layer in network.modules())

    full, less = networks.vgg(SIZE), networks.reduced(SIZE)
    assert count(full, torch.nn.Conv2d) - count(less, torch.nn.Conv2d) == 3
    assert count(full, torch.nn.MaxPool2d) - count(less, torch.nn.MaxPool2d) == 2


def test_without_its_poolings_the_reduced_network_multiplies_more_not_less() -> None:
    full, less = networks.vgg(SIZE), networks.reduced(SIZE)
    assert networks.multiplications(less, 32) > 2 * networks.multiplications(full, 32)


@pytest.mark.parametrize("wanted", [5_000, 50_000, 300_000, 3_000_000])
def test_a_network_has_about_as_many_parameters_as_asked_for(wanted: int) -> None:
    size = networks.sized_for(wanted, networks.Size(32, 2, width=8))
    have = networks.count_parameters(networks.vgg(size))
    assert have == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize(("name", "activation"), [("vgg", "relu"), ("vgg", "tanh"), ("bosse", "relu")])
def test_a_fresh_network_lets_differences_through(name: str, activation: str) -> None:
    torch.manual_seed(0)
    network = networks.NETWORKS[name](networks.Size(32, 2, activation=activation))
    networks.BEGINNINGS[activation](network)
    with torch.no_grad():
        out = network(torch.randn(64, 1, 32, 32))
    assert float(out.std(dim=0).mean()) > 0.02


def test_an_open_aperture_changes_nothing_but_the_sign() -> None:
    images = torch.randn(2, 1, 16, 16)
    passed = FourierAperture("high-pass", 0.0, 16, 2)(images)
    assert torch.allclose(passed, images.abs(), atol=2e-4)


def test_a_high_pass_takes_away_what_varies_slowly_and_an_iris_what_varies_fast() -> None:
    x = torch.arange(32) * (2 * math.pi / 32)
    slow, fast = torch.sin(x).expand(1, 1, 32, 32), torch.sin(12 * x).expand(1, 1, 32, 32)
    cut_px = 6 * 520 / 32  # six periods in the crop
    high_pass, iris = FourierAperture("high-pass", cut_px, 32, 1), FourierAperture("iris", cut_px, 32, 1)
    for layer, stopped, passed in ((high_pass, slow, fast), (iris, fast, slow)):
        with torch.no_grad():
            assert float(layer(stopped).mean()) < 0.02
            assert float(layer(passed).mean()) > 0.3


@pytest.mark.parametrize(
    ("kind", "phase", "learned"), [("high-pass", False, 0), ("high-pass", True, 256), ("iris", False, 1)]
)
def test_only_what_may_be_learned_is(kind: str, phase: bool, learned: int) -> None:
    assert networks.count_parameters(FourierAperture(kind, 40.0, 16, 2, phase=phase)) == learned


def test_phase_and_iris_get_a_gradient() -> None:
    for layer in (FourierAperture("high-pass", 40.0, 16, 2, phase=True), FourierAperture("iris", 60.0, 16, 2)):
        layer(torch.randn(3, 1, 16, 16)).square().mean().backward()
        gradients = [parameter.grad for parameter in layer.parameters() if parameter.requires_grad]
        if layer.kind == "iris":
            assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
        assert gradients


def test_a_radius_means_the_same_frequency_whatever_is_cut_out_or_binned() -> None:
    # one cycle in 8 binned pixels of 2: 1/16 of a pixel's frequency, 520/16 frame pixels
    assert float(radii_px(32, 2)[0, 4]) == pytest.approx(520 / 16)
    assert float(radii_px(64, 1)[0, 4]) == pytest.approx(520 / 16)


def test_energy_is_all_at_radius_zero_and_none_beyond_the_corner() -> None:
    images = torch.randn(3, 1, 16, 16)
    assert torch.allclose(radial_energy_share(images, 0.0, 1), torch.ones(3))
    assert float(radial_energy_share(images, 1000.0, 1).max()) == 0.0


def test_a_sure_answer_weighs_more_than_a_doubtful_one() -> None:
    sure, doubtful = certainty(torch.tensor([[0.98, 0.01, 0.01], [0.34, 0.33, 0.33]]).numpy())
    assert sure > 0.8
    assert doubtful < 0.01


def test_patches_lie_within_the_picture_and_reach_its_corners() -> None:
    assert corners(42, 32, 1) == [(5, 5)]
    assert corners(42, 32, 4) == [(0, 0), (0, 10), (10, 0), (10, 10)]


def test_the_unet_gives_a_mask_of_the_same_size_and_a_degree() -> None:
    nuclei, focus = UNet(4, 3)(torch.zeros(2, 1, 32, 32))
    assert nuclei.shape == (2, 1, 32, 32)
    assert focus.shape == (2, 3)


def test_dice_is_one_for_the_same_mask_and_zero_for_another() -> None:
    mask = torch.eye(4).numpy()
    assert dice(mask > 0, mask) == 1.0
    assert dice(mask < 1, mask) == 0.0
