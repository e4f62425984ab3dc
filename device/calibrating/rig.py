"""What every calibration rig does: show a target, move the iris, take a picture. Real and simulated alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from calibration.linear import Tone
from models.focusmap import Luma

Target = Literal["dark", "white", "chart", "texture"]
PositionUnit = Literal["us", "steps", "share"]


@dataclass(frozen=True, slots=True)
class RigInfo:
    """Whose calibration this is.

    widest_f_number  as it stands on the lens, at the widest opening; None: not known
    position_unit    of the iris's positions; None: the iris cannot be moved
    positions        where the iris can be sent for a sweep, rising
    sets_exposure    whether exposure and gain can be asked for
    """

    serial: str
    camera_id: str
    lens: str
    width: int
    height: int
    tone: Tone
    sets_exposure: bool
    position_unit: PositionUnit | None = None
    positions: tuple[float, ...] = ()
    widest_f_number: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What is before the lens. Two pictures of the same scene differ by noise alone.

    distance_mm  target minus working distance, above 0 = farther
    place        which part of the texture is seen: another number is another part, more than a tile away
    """

    target: Target
    distance_mm: float = 0.0
    place: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture, luma uint8 (height, width), and its exposure; None where the camera does not say."""

    luma: Luma
    exposure_us: float | None
    gain_db: float | None


class Rig(Protocol):
    """Raises FocusgateError where a picture cannot be taken, in one line that says what to do."""

    @property
    def info(self) -> RigInfo: ...

    def take(self, scene: Scene, *, exposure_us: float | None = None, gain_db: float = 0.0) -> Shot:
        """A picture of `scene`. Exposure None: whatever fills the scale rightly, at the lowest gain that does."""
        ...

    def move_iris(self, position: float) -> float:
        """Send the iris to one of `info.positions`, straight; returns the time that it took, s."""
        ...

    def close(self) -> None: ...
