"""The closed loop: tissue, hand, lens and iris. What is seen follows from the time and the f-number, and so does the
truth about its focus."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.clock import SECOND
from device.simulation.fields import BLOCK_PX, Canvas, Plane
from device.simulation.hand import Pose, pose_at
from device.simulation.optics import LINE_TO_DISC, Exposure, auto_exposure, blur_radius_px, smear_px
from device.simulation.render import Renderer, Shot, still_rgb
from device.simulation.settings import WorldSettings
from device.simulation.tissue import paint_tissue
from models.errors import InputError
from models.focusmap import Bool, FieldOfView, Luma, TileGrid

SPEED_STEP_S = 0.001  # over which the hand's speed is taken


@dataclass(frozen=True, slots=True, eq=False)
class TrueFocus:
    """What is truly so of one frame, tile by tile; arrays of shape (rows, columns).

    blur_px    radius of the disc with the second moment of all blur: defocus, diffraction and motion
    inside     whether the tile's centre lies in the field of view
    motion_px  length of the smear, the same for the whole frame
    """

    blur_px: NDArray[np.float64]
    inside: Bool
    motion_px: float

    def fraction(self, criterion_px: float) -> float:
        """Share of the field's tiles whose blur radius is at most `criterion_px`."""
        return float((self.blur_px[self.inside] <= criterion_px).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One exposure: the luma, the exposure it took, where on the tissue it lies, and its median blur radius."""

    luma: Luma
    exposure: Exposure
    f_number: float
    left_px: int
    top_px: int
    blur_px: float


class SimulatedWorld:
    """One simulated examination; the same settings, time and f-number give the same bytes.

    Only `f_number` changes, and only by `move_aperture`: the actuator may be moved by another thread.
    """

    def __init__(self, settings: WorldSettings | None = None) -> None:
        self.settings = settings or WorldSettings()
        self._canvas = Canvas.of(self.settings)
        self._tissue = paint_tissue(self.settings)
        self._renderer = Renderer(self.settings, self._canvas, self._tissue)
        self._f_number = self.settings.f_number
        self._started_ns: int | None = None
        self._lock = threading.Lock()

    def start(self, at_ns: int) -> None:
        """The hand sets out at this moment of the clock. Only the first call counts; without one it is moment 0."""
        if self._started_ns is None:
            self._started_ns = at_ns

    @property
    def field_of_view(self) -> FieldOfView:
        settings = self.settings
        return FieldOfView(
            centre_x_px=settings.field_x * settings.width,
            centre_y_px=settings.field_y * settings.height,
            radius_px=settings.field_radius * settings.width,
        )

    @property
    def f_number(self) -> float:
        with self._lock:
            return self._f_number

    def move_aperture(self, steps: int) -> float:
        """Close the iris by `steps` of `settings.f_numbers` (open if negative), within its limits."""
        with self._lock:
            stops = self.settings.f_numbers
            place = stops.index(self._f_number) + steps
            self._f_number = stops[min(max(place, 0), len(stops) - 1)]
            return self._f_number

    def expose(self, at_ns: int, f_number: float | None = None) -> Seen:
        """The frame whose exposure starts at `at_ns` on the world's clock."""
        stop = self.f_number if f_number is None else f_number
        exposure = auto_exposure(self.settings.limits, stop, self.settings.light)
        pose, radius = self._view(at_ns, stop)
        left, top = self._corner(pose)
        smear = self._smear(at_ns, exposure.exposure_us)
        shot = Shot(
            radius_px=radius,
            left_px=left,
            top_px=top,
            smear_x_px=smear[0],
            smear_y_px=smear[1],
            level=round(exposure.level, 3),
            gain=exposure.gain,
            noise_seed=at_ns - (self._started_ns or 0),
        )
        return Seen(self._renderer.luma(shot), exposure, stop, left, top, float(np.median(radius)))

    def still(self, seen: Seen) -> NDArray[np.uint8]:
        """The colour image of the same exposure, uint8 RGB (H, W, 3)."""
        return still_rgb(seen.luma, self._tissue.chroma, seen.left_px, seen.top_px, seen.blur_px)

    def truth(self, grid: TileGrid, at_ns: int, f_number: float | None = None) -> TrueFocus:
        """The true blur of the frame exposed at `at_ns`; root mean square of the radius over each tile.

        Raises InputError if the tiles do not fit into the frame.
        """
        settings = self.settings
        if grid.columns * grid.width > settings.width or grid.rows * grid.height > settings.height:
            raise InputError(f"{grid}: does not fit into a frame of {settings.width}×{settings.height} px")
        stop = self.f_number if f_number is None else f_number
        exposure = auto_exposure(settings.limits, stop, settings.light)
        pose, radius = self._view(at_ns, stop)
        left, top = self._corner(pose)
        squares = np.array(
            [
                [
                    np.mean(_window(radius, left + column * grid.width, top + row * grid.height, grid) ** 2)
                    for column in range(grid.columns)
                ]
                for row in range(grid.rows)
            ]
        )
        motion = float(np.hypot(*self._smear(at_ns, exposure.exposure_us)))
        blur = np.sqrt(squares + (LINE_TO_DISC * motion) ** 2)
        return TrueFocus(blur, self.field_of_view.mask(grid), motion)

    def close(self) -> None:
        self._renderer.close()

    def _view(self, at_ns: int, f_number: float) -> tuple[Pose, Plane]:
        """Where the lens is, and the blur radius of every block of the canvas from there."""
        pose = pose_at(self.settings.motion, self._seconds(at_ns))
        distance = pose.distance_mm + self._tissue.depth_mm.astype(np.float64)
        radius = blur_radius_px(self.settings.lens, f_number, np.maximum(distance, 1.0))
        return pose, radius.astype(np.float32)

    def _seconds(self, at_ns: int) -> float:
        return (at_ns - (self._started_ns or 0)) / SECOND

    def _corner(self, pose: Pose) -> tuple[int, int]:
        """Corner of the frame on the canvas, px; the hand sways over the tissue, but not off the canvas."""
        margin, scale = self._tissue.margin_px, self.settings.lens.px_per_mm
        left, top = (round(margin + scale * value) for value in (pose.x_mm, pose.y_mm))
        return min(max(left, 0), 2 * margin), min(max(top, 0), 2 * margin)

    def _smear(self, at_ns: int, exposure_us: float) -> tuple[float, float]:
        at_s = self._seconds(at_ns)
        before, after = pose_at(self.settings.motion, at_s), pose_at(self.settings.motion, at_s + SPEED_STEP_S)
        speed_x, speed_y = ((end - start) / SPEED_STEP_S for start, end in _sideways(before, after))
        lens = self.settings.lens
        return smear_px(lens, speed_x, exposure_us), smear_px(lens, speed_y, exposure_us)


def _sideways(before: Pose, after: Pose) -> tuple[tuple[float, float], tuple[float, float]]:
    return (before.x_mm, after.x_mm), (before.y_mm, after.y_mm)


def _window(radius: Plane, left_px: int, top_px: int, grid: TileGrid) -> Plane:
    """The blocks that a tile covers, by their middles."""
    rows = slice(round(top_px / BLOCK_PX), max(round((top_px + grid.height) / BLOCK_PX), round(top_px / BLOCK_PX) + 1))
    end = max(round((left_px + grid.width) / BLOCK_PX), round(left_px / BLOCK_PX) + 1)
    return radius[rows, round(left_px / BLOCK_PX) : end]
