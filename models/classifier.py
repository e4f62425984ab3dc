"""The seam between the loops and whatever judges frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from models.focusmap import FieldOfView, FocusMap, Luma


@dataclass(frozen=True, slots=True)
class Judging:
    """How scores become a verdict. None means: take the manifest's default.

    criterion_px        largest blur radius that counts as in focus, px of the full image
    threshold           smallest p_in_focus that counts, 0 to 1
    min_judged_percent  share of the field that must be judged for a verdict at all
    field               round field of view; None: the whole image
    temperature         p_in_focus becomes sigmoid(logit / temperature) before the threshold; 1: as the model says
    dark_luma           mean luma, 0 to 255, below which a tile is too dark to be judged, where the manifest's is lower
    """

    criterion_px: float | None = None
    threshold: float | None = None
    min_judged_percent: int = 40
    field: FieldOfView | None = None
    temperature: float = 1.0
    dark_luma: float = 0.0


class Classifier(Protocol):
    """Judges frames. Implementations hold no state between frames and may be called from one thread at a time."""

    name: str
    sha256: str
    tile_px: int
    criterion_px: float  # in force where none is asked for

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        """Judge one full-size luma frame, uint8 of shape (H, W), any strides.

        Raises InputError if the frame is smaller than one tile, ModelError if the scores are not scores.
        """
        ...
