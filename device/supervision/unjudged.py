"""What stands in for a model that cannot be used: it judges nothing and says why, so that an override still works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from models.classifier import Judging
from models.errors import ModelError
from models.focusmap import Luma

NO_MODEL = "0" * 64


@dataclass(slots=True)  # not frozen: the protocol has plain attributes
class NoClassifier:
    """Implements `models.classifier.Classifier`. `why` is one line with its code."""

    why: str
    name: str = "none"
    sha256: str = NO_MODEL
    tile_px: int = 1
    criterion_px: float = 1.0

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> NoReturn:
        """Raises ModelError for every frame (H×W, uint8): the gate stays closed by a fault."""
        del luma, judging, frame_id, exposed_ns
        raise ModelError(self.why)
