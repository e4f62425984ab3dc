"""The networks as lists of layers, from which training makes torch modules and `graph` makes ONNX.

Both look at one square tile and answer for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution that keeps the size (zeros around), stride 1, with bias and ReLU."""

    channels: int
    kernel_px: int = 5


@dataclass(frozen=True, slots=True)
class Pool:
    """Maximum of every 2×2 block."""


@dataclass(frozen=True, slots=True)
class Dense:
    """Fully connected, with bias; ReLU unless it is the last layer. `dropout` is that of its input, in training."""

    units: int
    dropout: float = 0.0


Layer = Conv | Pool | Dense


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network on tiles, uint8 (n, input_px, input_px), giving p float32 (n, classes).

    name      as in file names; title as in tables
    layers    the last is Dense; one unit means one logit (sigmoid), more mean classes (softmax)
    edges_px  the largest blur radius of each class but the last, px, rising; one edge for one logit
    """

    name: str
    title: str
    input_px: int
    layers: tuple[Layer, ...]
    edges_px: tuple[float, ...]


REPORT_CNN = Architecture(
    "report-cnn",
    "the report's CNN",
    128,
    (
        *(Conv(16), Conv(16), Pool()),
        *(Conv(32), Conv(32), Pool()),
        *(Conv(64), Pool()),
        *(Conv(64), Conv(64), Pool()),
        *(Dense(256), Dense(1)),
    ),
    (2.5,),
)
"""After Chelales, Deutsch and Wang: in the manner of VGG (Simonyan & Zisserman 2015), 5×5 kernels, ReLU, in or out.

They name neither the channels nor the size of the input. These are chosen to come near the 1.5 million parameters
where they found ReLU best, on 128 px, the tile of the shipped model.
"""

YANG_2018 = Architecture(
    "yang-2018",
    "Yang et al. 2018",
    84,
    (Conv(32), Pool(), Conv(64), Pool(), Dense(1024), Dense(11, dropout=0.5)),
    (0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5, 5.5, 7.0),
)
"""Yang et al. 2018 (doi 10.1186/s12859-018-2087-4): 84 px patches, eleven levels of defocus.

Their levels are distances of focus of one microscope; here they are blur radii.
"""

ARCHITECTURES = (REPORT_CNN, YANG_2018)


def shapes(architecture: Architecture) -> list[Shape]:
    """The shape of what enters each layer, and of what leaves the last: (channels, height, width) or (units,)."""

    def after(shape: Shape, layer: Layer) -> Shape:
        match layer:
            case Conv(channels):
                return (channels, *shape[1:])
            case Pool():
                return (shape[0], shape[1] // 2, shape[2] // 2)
            case Dense(units):
                return (units,)

    start: Shape = (1, architecture.input_px, architecture.input_px)
    return list(accumulate(architecture.layers, after, initial=start))


def weight_shapes(architecture: Architecture) -> list[Shape]:
    """Weight and bias of every layer that has them, in order; convolutions as (out, in, height, width)."""
    found: list[Shape] = []
    for layer, entering in zip(architecture.layers, shapes(architecture), strict=False):
        match layer:
            case Conv(channels, kernel_px):
                found += [(channels, entering[0], kernel_px, kernel_px), (channels,)]
            case Dense(units):
                found += [(units, prod(entering)), (units,)]
            case Pool():
                pass
    return found


def parameters(architecture: Architecture) -> int:
    """Number of weights and biases."""
    return sum(prod(shape) for shape in weight_shapes(architecture))


def multiplications(architecture: Architecture) -> int:
    """Multiply-accumulates of one tile, biases apart."""
    total = 0
    for layer, entering in zip(architecture.layers, shapes(architecture), strict=False):
        match layer:
            case Conv(channels, kernel_px):
                total += channels * kernel_px**2 * prod(entering)
            case Dense(units):
                total += units * prod(entering)
            case Pool():
                pass
    return total


def in_focus_classes(architecture: Architecture, criterion_px: float) -> int:
    """How many of the classes mean a blur radius of at most `criterion_px`. Raises ValueError if it is no edge."""
    return architecture.edges_px.index(criterion_px) + 1
