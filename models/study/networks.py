"""The networks of the report and of the work it cites, sized by their settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}

# Channels of the report's seven convolutions as multiples of the first, and after which a 2×2 maximum follows.
VGG_CHANNELS = (1, 1, 2, 2, 4, 4, 4)
VGG_POOLS = (1, 3, 4, 6)
REMOVED_CONVOLUTIONS = 3
REMOVED_POOLS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """What a network is built to: channels of its first convolution, units of its dense layer, side of its input."""

    side_px: int
    outputs: int
    width: int = 8
    dense: int = 64
    kernel_px: int = 5
    activation: str = "relu"


def convolutions(
    channels: Sequence[int], pools: Sequence[int], kernel_px: int, activation: str, entering: int = 1
) -> list[nn.Module]:
    """Convolutions that keep the size, each with its activation; a 2×2 maximum after those numbered in `pools`."""
    layers: list[nn.Module] = []
    for index, leaving in enumerate(channels):
        layers += [nn.Conv2d(entering, leaving, kernel_px, padding=kernel_px // 2), ACTIVATIONS[activation]()]
        entering = leaving
        if index in pools:
            layers.append(nn.MaxPool2d(2))
    return layers


def _dense(channels: int, left_px: int, size: Size, dropout: float = 0.0) -> list[nn.Module]:
    return [
        nn.Flatten(),
        nn.Linear(channels * left_px * left_px, size.dense),
        ACTIVATIONS[size.activation](),
        nn.Dropout(dropout),
        nn.Linear(size.dense, size.outputs),
    ]


def vgg(size: Size) -> nn.Sequential:
    """The report's CNN: seven convolutions, four poolings, two dense layers."""
    channels = [size.width * factor for factor in VGG_CHANNELS]
    body = convolutions(channels, VGG_POOLS, size.kernel_px, size.activation)
    return nn.Sequential(*body, *_dense(channels[-1], size.side_px // 2 ** len(VGG_POOLS), size))


def reduced(size: Size) -> nn.Sequential:
    """The report's CNN without its first three convolutions and two poolings."""
    channels = [size.width * factor for factor in VGG_CHANNELS][REMOVED_CONVOLUTIONS:]
    pools = [pool - REMOVED_CONVOLUTIONS for pool in VGG_POOLS[REMOVED_POOLS:]]
    body = convolutions(channels, pools, size.kernel_px, size.activation)
    return nn.Sequential(*body, *_dense(channels[-1], size.side_px // 2 ** len(pools), size))


def yang(size: Size) -> nn.Sequential:
    """Yang et al. 2018: two 5×5 convolutions with maxima, two dense layers; 32, 64 and 1,024 wide there."""
    body = convolutions((size.width, 2 * size.width), (0, 1), 5, "relu")
    return nn.Sequential(*body, *_dense(2 * size.width, size.side_px // 4, size, dropout=0.5))


def deepfocus(size: Size) -> nn.Sequential:
    """After Senaras et al. 2018: five convolutions, maxima after the third to fifth, two dense layers."""
    width = size.width
    body = convolutions((width, width, 2 * width, 2 * width, 4 * width), (2, 3, 4), 3, "relu")
    return nn.Sequential(*body, *_dense(4 * width, size.side_px // 8, size))


def bosse(size: Size) -> nn.Sequential:
    """After Bosse et al. 2016: ten 3×3 convolutions, a maximum after every second, two dense layers."""
    channels = [size.width * 2 ** (index // 2) for index in range(8)] + [8 * size.width] * 2
    body = convolutions(channels, (1, 3, 5, 7, 9), 3, "relu")
    return nn.Sequential(*body, *_dense(8 * size.width, size.side_px // 32, size))


class FocusLite(nn.Module):
    """After Wang et al. 2020 (FocusLiteNN): a 7×7 convolution of stride 5, a maximum over the picture, a sum."""

    def __init__(self, kernels: int, outputs: int) -> None:
        super().__init__()
        self.kernels = nn.Conv2d(1, kernels, 7, stride=5)
        self.sum = nn.Linear(kernels, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, side, side) to (n, outputs)."""
        out: torch.Tensor = self.sum(self.kernels(images).amax(dim=(2, 3)))
        return out


def sized_for(parameters: int, size: Size) -> Size:
    """The report's CNN with about so many parameters, `size.width` channels at most, the rest in the dense layer."""
    per_square = size.kernel_px**2 * sum(
        entering * leaving for entering, leaving in zip((0, *VGG_CHANNELS), VGG_CHANNELS, strict=False)
    )
    first = max(2, min(size.width, math.isqrt(max(1, parameters // (2 * per_square)))))
    least = count_parameters(vgg(replace(size, width=first, dense=1)))
    each = VGG_CHANNELS[-1] * first * (size.side_px // 2 ** len(VGG_POOLS)) ** 2 + 1 + size.outputs
    return replace(size, width=first, dense=max(2, 1 + (parameters - least) // each))


def begin(network: nn.Module) -> None:
    """Weights drawn so that the spread of what passes through is kept: He et al. 2015, as fits ReLU; biases 0.

    torch's own start loses the signal over seven layers without normalisation, and training idles at first.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def begin_tanh(network: nn.Module) -> None:
    """The same for Tanh: Glorot & Bengio 2010."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


BEGINNINGS = {"relu": begin, "tanh": begin_tanh}


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def multiplications(network: nn.Module, side: int) -> int:
    """Multiply-accumulates of the convolutions and dense layers for one picture of side × side px."""
    total = 0

    def count(layer: nn.Module, _: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += out[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    was = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, side, side, device=next(network.parameters()).device))
    network.train(was)
    for hook in hooks:
        hook.remove()
    return total


NETWORKS: dict[str, Callable[[Size], nn.Module]] = {
    "vgg": vgg,
    "reduced": reduced,
    "yang": yang,
    "deepfocus": deepfocus,
    "bosse": lambda size: bosse(replace(size, outputs=1)),
    "focuslite": lambda size: FocusLite(size.width, 1),
}
REGRESSIONS = frozenset({"bosse", "focuslite"})
"""Networks that give the number of the class itself, fitted by the absolute error."""
