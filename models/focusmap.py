"""What the classifier says of one frame: a blur radius and a probability per tile, and which tiles can be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Luma = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]


class Cause(IntEnum):
    """Why a tile is not judged; JUDGED means it is."""

    JUDGED = 0
    OUTSIDE = 1  # outside the field of view of this device
    DARK = 2
    GLARE = 3  # saturated by a specular reflection
    NO_DETAIL = 4  # too smooth or too noisy for its blur to be known


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tile (r, c) covers pixels x in [c·width, (c+1)·width), y in [r·height, (r+1)·height) of the full image.

    Pixels right of the last column and below the last row (less than one tile) are not judged.
    """

    width: int
    height: int
    rows: int
    columns: int

    @classmethod
    def of(cls, image_width: int, image_height: int, tile: int) -> TileGrid:
        """The grid of square tiles of `tile` px that fits into an image of the given size (px)."""
        return cls(tile, tile, image_height // tile, image_width // tile)

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y (px) of every tile's centre, each of shape (rows, columns)."""
        x = (np.arange(self.columns) + 0.5) * self.width
        y = (np.arange(self.rows) + 0.5) * self.height
        grid_x, grid_y = np.meshgrid(x, y)
        return grid_x, grid_y


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """The round field that the optics fill. A tile counts if its centre lies inside. All in px of the full image."""

    centre_x_px: float
    centre_y_px: float
    radius_px: float

    def mask(self, grid: TileGrid) -> Bool:
        """True for the tiles inside the field; shape (rows, columns)."""
        x, y = grid.centres()
        inside: Bool = (x - self.centre_x_px) ** 2 + (y - self.centre_y_px) ** 2 <= self.radius_px**2
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class FocusMap:
    """One frame's focus, tile by tile. Arrays have shape (rows, columns) and must not be changed.

    blur_px       estimated radius of the blur disc, px of the full image
    p_in_focus    probability that the blur radius is at most `criterion_px`
    sharp         True where a judged tile counts as in focus (p_in_focus >= threshold)
    cause         `Cause` per tile, uint8; a tile is judged where it is `Cause.JUDGED`
    exposed_ns    start of exposure, monotonic clock
    """

    grid: TileGrid
    blur_px: Float32
    p_in_focus: Float32
    cause: NDArray[np.uint8]
    criterion_px: float
    threshold: float
    model_name: str
    model_sha256: str
    frame_id: int = 0
    exposed_ns: int = 0
    min_judged_percent: int = 40
    sharp: Bool = field(init=False)
    judged: Bool = field(init=False)
    in_focus: int = field(init=False)
    judged_tiles: int = field(init=False)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        """Raises `ModelError` if a score is missing, not finite or out of range: a lie is worse than silence (H07)."""
        shape = (self.grid.rows, self.grid.columns)
        for name in ("blur_px", "p_in_focus", "cause"):
            array = getattr(self, name)
            if array.shape != shape:
                raise ModelError(
                    f"the model gave {name} of shape {array.shape} where {shape} was due; gate stays closed"
                )
        if not (np.isfinite(self.p_in_focus).all() and np.isfinite(self.blur_px).all()):
            raise ModelError("the model gave scores that are not finite; gate stays closed")
        if ((self.p_in_focus < 0.0) | (self.p_in_focus > 1.0)).any():
            raise ModelError("the model gave probabilities outside 0 to 1; gate stays closed")
        if (self.blur_px < 0.0).any():
            raise ModelError("the model gave a negative blur radius; gate stays closed")
        judged = self.cause == Cause.JUDGED
        sharp = judged & (self.p_in_focus >= self.threshold)
        for name, value in (
            ("judged", judged),
            ("sharp", sharp),
            ("in_focus", int(np.count_nonzero(sharp))),
            ("judged_tiles", int(np.count_nonzero(judged))),
            ("total", int(np.count_nonzero(self.cause != Cause.OUTSIDE))),
        ):
            object.__setattr__(self, name, value)

    @property
    def fraction(self) -> float | None:
        """In-focus share of what can be judged; None where nothing can be."""
        return self.in_focus / self.judged_tiles if self.judged_tiles else None

    @property
    def can_judge(self) -> bool:
        """True if at least `min_judged_percent` of the field's tiles could be judged (in integers)."""
        return self.judged_tiles > 0 and 100 * self.judged_tiles >= self.min_judged_percent * self.total

    def passes(self, percent: int = 90) -> bool:
        """True if enough can be judged and at least `percent` of that is in focus; exact, in integers."""
        return self.can_judge and 100 * self.in_focus >= percent * self.judged_tiles

    @property
    def main_cause(self) -> Cause:
        """The commonest reason why tiles inside the field are not judged; JUDGED if there is none."""
        counts = np.bincount(self.cause.ravel(), minlength=len(Cause))[Cause.DARK :]
        return Cause(int(counts.argmax()) + Cause.DARK) if counts.any() else Cause.JUDGED
