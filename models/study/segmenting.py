"""A U-Net with two answers: where the nuclei are, and how far from focus the picture is. Ronneberger et al. 2015."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.study.fitting import device
from models.study.networks import begin, count_parameters
from models.study.settings import Setting
from models.study.simulated import IN_FOCUS
from models.study.stacks import Stacks
from models.study.tasks import TASKS, prepared


class UNet(nn.Module):
    """Three levels. (n, 1, side, side) to logits of nuclei (n, 1, side, side) and of degrees of focus (n, degrees)."""

    def __init__(self, width: int, degrees: int) -> None:
        super().__init__()
        self.down1, self.down2 = _pair(1, width), _pair(width, 2 * width)
        self.bottom = _pair(2 * width, 4 * width)
        self.up2, self.up1 = _pair(6 * width, 2 * width), _pair(3 * width, width)
        self.nuclei = nn.Conv2d(width, 1, 1)
        self.focus = nn.Sequential(nn.Linear(8 * width, 8 * width), nn.ReLU(), nn.Linear(8 * width, degrees))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Focus is read off the bottom, by the mean and the maximum of each channel."""
        fine = self.down1(images)
        middle = self.down2(nn.functional.max_pool2d(fine, 2))
        bottom = self.bottom(nn.functional.max_pool2d(middle, 2))
        summary = torch.cat([bottom.mean(dim=(2, 3)), bottom.amax(dim=(2, 3))], dim=1)
        up = self.up2(torch.cat([nn.functional.interpolate(bottom, scale_factor=2.0), middle], dim=1))
        up = self.up1(torch.cat([nn.functional.interpolate(up, scale_factor=2.0), fine], dim=1))
        return self.nuclei(up), self.focus(summary)


def _pair(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, leaving, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(leaving, leaving, 3, padding=1),
        nn.ReLU(),
    )


def unet_run(
    setting: Setting,
    seed: int,
    *,
    stacks: Stacks,
    rows: NDArray[np.int64],
    held: NDArray[np.int64],
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train on all degrees with the masks of the simulator; Dice's coefficient of nuclei by degree, against Otsu's."""
    if stacks.labels is None:
        return {"skipped": "these stacks have no masks of nuclei"}
    classes = TASKS[setting.task].classes
    planes = [group.planes[0] - IN_FOCUS + stacks.in_focus for group in classes]
    torch.manual_seed(seed)
    where = device()
    network = UNet(setting.width, len(classes)).to(where)
    begin(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=setting.learning_rate)
    train = _pictures(stacks, np.unique(rows), planes, setting)
    test = _pictures(stacks, np.unique(held), planes, setting)
    rng = np.random.default_rng([seed, 3])
    for step in range(1, setting.steps + 1):
        chosen = rng.integers(0, len(train[2]), setting.batch)
        images, masks, targets = (torch.from_numpy(part[chosen]).to(where) for part in train)
        nuclei, focus = network(images)
        loss = nn.functional.binary_cross_entropy_with_logits(nuclei, masks) + nn.functional.cross_entropy(
            focus, targets
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 50 == 0:
            progress(step, setting.steps)
    network.eval()
    with torch.no_grad():
        nuclei, focus = network(torch.from_numpy(test[0]).to(where))
    said = (nuclei > 0).cpu().numpy()
    found = focus.argmax(dim=1).cpu().numpy()
    otsu = np.stack([_otsu(image[0])[None] for image in test[0]])
    by_degree = [test[2] == degree for degree in range(len(classes))]
    return {
        "right": int((found == test[2]).sum()),
        "tested": len(found),
        "accuracy": float((found == test[2]).mean()),
        "dice": [dice(said[of], test[1][of]) for of in by_degree],
        "dice_otsu": [dice(otsu[of], test[1][of]) for of in by_degree],
        "parameters": count_parameters(network),
    }


def dice(said: NDArray[np.bool_], true: NDArray[np.float32]) -> float:
    """Twice what both say over the sum of what each says; 1 if both say nothing."""
    total = float(said.sum() + true.sum())
    return 2.0 * float((said * true).sum()) / total if total else 1.0


def _pictures(
    stacks: Stacks, rows: NDArray[np.int64], planes: list[int], setting: Setting
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """The middle crop of each plane of each field, its mask, and its degree."""
    if stacks.labels is None:
        raise ValueError("no masks")
    images, masks, targets = [], [], []
    step, side = setting.binning, setting.crop_px
    for row in rows:
        mask = (np.asarray(stacks.labels[row][step // 2 :: step, step // 2 :: step]) > 0).astype(np.float32)
        for degree, plane in enumerate(planes):
            image = prepared(stacks.images[row, plane].astype(np.float32), step)
            corner = (image.shape[0] - side) // 2
            cut = slice(corner, corner + side)
            images.append(image[None, cut, cut])
            masks.append(mask[None, cut, cut])
            targets.append(degree)
    return np.stack(images), np.stack(masks), np.array(targets, np.int64)


def _otsu(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    scaled = cv2.normalize(image, np.empty_like(image), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    _, mask = cv2.threshold(scaled, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return mask.astype(bool)
