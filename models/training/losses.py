"""Targets and loss: what a tile should say, and how much it counts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.training.samples import Samples
from models.training.textures import SOURCE_SHARP

LEVEL_FLOOR = 0.7  # levels: what 8 bits cannot show
NOISE_SHARE_DETAIL = 0.3  # detail counts as there when it exceeds this share of the noise; pooled over 16,384 px
NOISE_SHARE_VISIBLE = 0.5
DARKEST_LEVEL = 6.0
GLARE_SHARE = 0.9  # clipped edges look sharper than they are: that must be learned, up to where nothing is left
UNSEEN_SHARE = 0.6
DETECTABLE_WEIGHT = 0.3


def targets(samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """`within` (n, K, rows, columns): share of the tile with a radius of at most the edge; `weight` (n, rows, columns):
    0 where a sharp picture would have shown nothing, or the source is itself soft; `detectable` (n, rows, columns): 1
    where detail is there and can still be seen."""
    names = ("source", "visible", "detail", "noise", "saturated", "mean")
    source, visible, detail, noise, saturated, mean = (torch.tensor(getattr(samples, name)) for name in names)
    within = torch.tensor(samples.within).permute(0, 3, 1, 2)
    there = torch.log(detail / torch.sqrt(LEVEL_FLOOR**2 + (NOISE_SHARE_DETAIL * noise) ** 2) + 1e-6)
    usable = (source > SOURCE_SHARP) & (saturated < GLARE_SHARE) & (mean > DARKEST_LEVEL)
    weight = torch.sigmoid(3 * there) * usable
    seen = visible > torch.sqrt(LEVEL_FLOOR**2 + (NOISE_SHARE_VISIBLE * noise) ** 2)
    detectable = (seen & (there > 0) & (saturated < UNSEEN_SHARE)).float()
    return within, weight, detectable


def ordinal_loss(cumulative: Tensor, within: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy over all edges, (n, K, rows, columns), weighted by tile."""
    each = functional.binary_cross_entropy_with_logits(cumulative, within, reduction="none").mean(1)
    return (each * weight).sum() / weight.sum().clamp_min(1.0)


def loss_of(cumulative: Tensor, detectable: Tensor, wanted: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The ordinal loss, plus the binary cross-entropy of "detectable"; `wanted` is what `targets` gives."""
    within, weight, known = wanted
    unknown = functional.binary_cross_entropy_with_logits(detectable, known)
    return ordinal_loss(cumulative, within, weight) + DETECTABLE_WEIGHT * unknown
