"""A learned aperture in the Fourier plane in front of a network, and what an iris could do of it.

The picture is taken for a coherent field, as the report takes it: y = |F⁻¹(A e^{iφ} F(x))|, with amplitude A in 0 to 1
and phase φ for each frequency. Radii count pixels of the Fourier plane of a whole picture of 520 px, a frequency step
of 1/(520 · 0.645 µm) each, so that r = 100 means 0.30 /µm whatever is cut out or binned.
"""

from __future__ import annotations

import math

import torch
from torch import nn

FRAME_PX = 520
SOFT_PX = 6.0
"""Width of the edge of a learned iris, frame pixels: without it there is nothing to descend along."""
IRIS_STEP_PX = 20.0
"""An iris learns its radius in these, so that it can move within a training."""


class FourierAperture(nn.Module):
    """(n, 1, side, side) to the same. `kind` is "high-pass" (blocks below the radius), "iris" (blocks above a learned
    radius) or "free" (amplitude learned from the high-pass on); `phase` learns φ as well, from small random values.

    pixel_px   frame pixels along one pixel of the picture (its binning)
    """

    amplitude_logits: torch.Tensor

    def __init__(self, kind: str, radius_px: float, side: int, pixel_px: int, *, phase: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("radii", radii_px(side, pixel_px))
        self.cut_px = radius_px
        if kind == "iris":
            self.opening = nn.Parameter(torch.tensor(radius_px / IRIS_STEP_PX))
        if kind == "free":
            self.amplitude_logits = nn.Parameter(torch.where(self.radii >= radius_px, 3.0, -3.0))
        self.phase = nn.Parameter(0.05 * torch.randn(side, side), requires_grad=phase)
        if not phase:
            nn.init.zeros_(self.phase)

    def amplitude(self) -> torch.Tensor:
        """A at each frequency, (side, side), zero frequency at (0, 0)."""
        if self.kind == "iris":
            return torch.sigmoid((IRIS_STEP_PX * self.opening - self.radii) / SOFT_PX)
        if self.kind == "free":
            return torch.sigmoid(self.amplitude_logits)
        return (self.radii >= self.cut_px).float()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Filtered, as an amplitude; scaled by the side of a picture of spread 1, so that the network sees tenths."""
        mask = torch.polar(self.amplitude(), self.phase)
        field: torch.Tensor = torch.fft.ifft2(torch.fft.fft2(images) * mask)
        return (field.real.square() + field.imag.square() + 1e-8).sqrt()


def radii_px(side: int, pixel_px: int) -> torch.Tensor:
    """Distance of each frequency from zero in pixels of the Fourier plane of a whole picture, (side, side)."""
    axis = torch.fft.fftfreq(side) * FRAME_PX / pixel_px
    return torch.hypot(axis[:, None], axis[None])


def transform_multiplications(side: int) -> int:
    """Real multiplications of the layer if it is computed and not built: two transforms and the mask."""
    return round(2 * 2 * side * side * math.log2(side * side) + 4 * side * side)


def radial_energy_share(images: torch.Tensor, radius_px: float, pixel_px: int) -> torch.Tensor:
    """Share of each picture's energy, (n,), that a high-pass of this radius lets through; (n, 1, side, side) in."""
    power = torch.fft.fft2(images).abs().square()
    passes = radii_px(images.shape[-1], pixel_px) >= radius_px
    share: torch.Tensor = (power * passes).sum(dim=(1, 2, 3)) / power.sum(dim=(1, 2, 3)).clamp_min(1e-12)
    return share
