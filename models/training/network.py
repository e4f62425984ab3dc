"""The network: band energies of 8×8 blocks, pooled per tile, and a small head that looks at the neighbouring tiles.

A block is filtered by `filters` learned 8×8 kernels without a constant part (a bank of local frequencies), and by the
mean. Only every other row of blocks is looked at: focus needs the finest frequencies, not every block, and this halves
the cost. Per tile and filter the energy, the mean magnitude and the largest magnitude go on as logarithms: differences
of logarithms are ratios of bands, which tell blur from contrast. Detectors compare the bands within one block before
anything is pooled: a rectified sum of magnitudes, without a bias, answers to an edge by its shape and not its contrast,
so that one sharp edge is seen beside much that is not. A clipped highlight has sharp edges at any blur, so magnitudes
and detectors see only what counts: a learned weight takes out the blocks that are bright, stand beside bright ones, or
hold so much contrast that something in them is clipped. Energies see everything; where the two disagree, highlights are
the reason. The block means form a small picture, of which three more filters take the low frequencies. Fifteen filters
and the mean are sixteen channels, a whole vector register. The head looks at the eight tiles around, and at theirs, and
at last shares answers with them: blur changes slowly over a picture, what there is to see in a tile does not.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.optics import EDGES_PX
from models.training.plan import DETECTORS

BLOCK_PX = 8
ROW_STEP_PX = 16  # from one row of blocks to the next
CLIPPED = 0.96  # a block with a mean above this share of full scale is saturated
DIM_START = (0.0, -2.0, 1.6)  # of a block's mean, of the brightest of three, and 1: half at 0.8 of full scale
DIM_STEEPNESS = 10.0
DIM_FLOOR = 0.01
ENERGY_FLOOR = 1e-6
MAGNITUDE_FLOOR = 1e-3
LOW_FILTERS = 3

# Start of the filters: pairs of DCT-II frequencies (vertical, horizontal), from the highest down.
START = (
    (7, 0), (0, 7), (5, 0), (0, 5), (3, 0), (0, 3), (2, 0), (0, 2),
    (1, 0), (0, 1), (5, 5), (3, 3), (7, 7), (2, 2), (6, 6),
)  # fmt: skip


def dct_filters(count: int) -> Tensor:
    """The first `count` of START as DCT-II bases, float32 (count, 1, 8, 8)."""
    index = np.arange(BLOCK_PX)
    basis = np.cos(np.pi * (2 * index[None] + 1) * index[:, None] / (2 * BLOCK_PX)) * np.sqrt(2 / BLOCK_PX)
    basis[0] /= np.sqrt(2)
    filters = [np.outer(basis[v], basis[h]) for v, h in START[:count]]
    return torch.tensor(np.array(filters, np.float32))[:, None]


class FocusNet(nn.Module):
    """uint8 luma (n, 1, H, W) to logits: cumulative (n, K, rows, columns), rising in K, and detectable, without K."""

    def __init__(self, filters: int = 15, hidden: int = 32, tile_px: int = 128, detectors: int = DETECTORS) -> None:
        super().__init__()
        self.tile_px = tile_px
        self.pool = (tile_px // ROW_STEP_PX, tile_px // BLOCK_PX)  # blocks of a tile, down and across
        self.stem = nn.Parameter(dct_filters(filters))
        self.low = nn.Parameter(0.2 * torch.randn(LOW_FILTERS, 1, 3, 3))
        self.detect = nn.Parameter(0.3 * torch.randn(detectors, filters, 1, 1))
        self.dim = nn.Parameter(torch.tensor([0.0] * filters + list(DIM_START)))
        features = 3 * filters + 2 * detectors + LOW_FILTERS + 4
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.register_buffer("temperature", torch.ones(2))
        self.own = nn.Conv2d(features, hidden, 1)
        self.around = nn.Conv2d(hidden, hidden, 3)
        self.further = nn.Conv2d(hidden, hidden, 3)
        self.last = nn.Conv2d(hidden, len(EDGES_PX) + 1, 1)

    def kernels(self) -> Tensor:
        """The stem as it is applied: filters without a constant part, and the mean; (filters + 1, 1, 8, 8)."""
        mean = torch.full((1, 1, BLOCK_PX, BLOCK_PX), 1.0 / BLOCK_PX**2, device=self.stem.device)
        return torch.cat([self.stem - self.stem.mean((2, 3), keepdim=True), mean])

    def low_kernels(self) -> Tensor:
        return self.low - self.low.mean((2, 3), keepdim=True)

    def rows(self, luma: Tensor) -> Tensor:
        """The rows of pixels that are looked at: the upper half of each ROW_STEP_PX, of whole tiles."""
        count, _, height, width = luma.shape
        whole = luma[:, :, : height // self.tile_px * self.tile_px]
        steps = whole.reshape(count, 1, -1, ROW_STEP_PX, width)[:, :, :, :BLOCK_PX]
        return steps.reshape(count, 1, -1, width)

    def dimness(self, magnitude: Tensor, means: Tensor) -> Tensor:
        """How much a block counts, 0 to 1, by its contrasts, its mean and the brightest of it and its neighbours along
        the row."""
        brightest = functional.max_pool2d(means, (1, 3), 1, (0, 1))
        seen = torch.cat([magnitude, means, brightest], 1)
        bright = functional.conv2d(seen, self.dim[None, :-1, None, None], self.dim[-1:])
        return torch.sigmoid(DIM_STEEPNESS * bright)

    def features(self, luma: Tensor) -> Tensor:
        """Per tile: log energies, magnitudes and maxima of bands and detectors, low energies, how much counts; mean,
        clipped share and maximum of the blocks."""
        bands = functional.conv2d(self.rows(luma).float() / 255.0, self.kernels(), stride=BLOCK_PX)
        bands, means = bands[:, :-1], bands[:, -1:]
        dimness = self.dimness(bands.abs(), means)
        pool, size = functional.avg_pool2d, self.pool
        magnitude = bands.abs() * dimness
        detected = functional.relu(functional.conv2d(magnitude, self.detect))
        low = functional.conv2d(functional.pad(means, (1, 1, 1, 1), mode="replicate"), self.low_kernels())
        parts = (
            torch.log(pool(bands * bands, size) + ENERGY_FLOOR),
            2 * torch.log(pool(magnitude, size) + MAGNITUDE_FLOOR),
            2 * torch.log(functional.max_pool2d(magnitude, size) + MAGNITUDE_FLOOR),
            2 * torch.log(pool(detected, size) + MAGNITUDE_FLOOR),
            2 * torch.log(functional.max_pool2d(detected, size) + MAGNITUDE_FLOOR),
            torch.log(pool(low * low, size) + ENERGY_FLOOR),
            torch.log(pool(dimness, size) + DIM_FLOOR),
            pool(means, size),
            pool((means > CLIPPED).float(), size),
            functional.max_pool2d(means, size),
        )
        return torch.cat(parts, 1)

    def head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        normal = (features - self.mean[:, None, None]) / self.deviation[:, None, None]
        hidden = functional.relu(self.own(normal))
        hidden = functional.relu(self.around(functional.pad(hidden, (1, 1, 1, 1), mode="replicate")))
        hidden = hidden + functional.relu(self.further(functional.pad(hidden, (1, 1, 1, 1), mode="replicate")))
        out = self.last(hidden)
        rises = functional.softplus(out[:, 1:-1])
        cumulative = torch.cat([out[:, :1], out[:, :1] + torch.cumsum(rises, 1)], 1)
        return cumulative * self.temperature[0], out[:, -1] * self.temperature[1]

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.features(luma))

    def normalise(self, luma: Tensor) -> None:
        """Set the normalisation of the features from a batch."""
        with torch.no_grad():
            found = self.features(luma)
            self.mean.copy_(found.mean((0, 2, 3)))
            self.deviation.copy_(found.std((0, 2, 3)) + MAGNITUDE_FLOOR)
