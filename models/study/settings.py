"""What one run of the study depends on. Nothing here needs PyTorch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

REPORT_LEARNING_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Setting:
    """One run but for its seed.

    experiment, variant   name of the experiment, and of the line in its table
    line, x         the line of its plot, and the place on it; None if it is no point of a curve
    task            of `models.study.tasks`; `tested_on` another task that the trained network is tested on as well
    network         one of `models.study.networks.NETWORKS`, or "unet", "shipped", "features", "energy", "stem"
    parameters      asked for; None takes width and dense as they are
    crop_px, binning   side of the input after averaging binning × binning pixels
    patches         how many crops of a test field are judged, their answers weighted by their certainty
    per_class       fields of each class to train on, None for all; stains "w1" nuclei, "w2" actin
    steps           updates of the weights; the same for every size of the training set
    aperture        "" or a kind of `models.study.physical.FourierAperture`, with its radius_px and phase
    shrink          pixels averaged after the aperture, as poolings would
    """

    experiment: str
    variant: str
    line: str = ""
    x: float | None = None
    task: str = "binary"
    tested_on: str = ""
    network: str = "vgg"
    activation: str = "relu"
    kernel_px: int = 5
    width: int = 8
    dense: int = 64
    parameters: int | None = None
    crop_px: int = 48
    binning: int = 2
    patches: int = 1
    stains: tuple[str, ...] = ("w1", "w2")
    per_class: int | None = None
    batch: int = 16
    steps: int = 300
    learning_rate: float = REPORT_LEARNING_RATE
    aperture: str = ""
    radius_px: float = 0.0
    phase: bool = False
    shrink: int = 1

    def key(self) -> str:
        """Twelve hexadecimal digits that change with anything above."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
