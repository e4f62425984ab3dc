"""A device of unknown parameters, in one place: what it is, its pictures, its aperture stage, the truth about it."""

from __future__ import annotations

from device.simulation.unit_picture import Target, fitting_exposure_us, picture
from device.simulation.unit_stage import SimulatedStage
from device.simulation.unit_truth import (
    TILE_PX,
    Unit,
    best_focus_mm,
    disc_radius_px,
    drawn_unit,
    equivalent_disc_px,
    f_number_at,
    true_blur_px,
    true_mtf50,
)

__all__ = [
    "TILE_PX",
    "SimulatedStage",
    "Target",
    "Unit",
    "best_focus_mm",
    "disc_radius_px",
    "drawn_unit",
    "equivalent_disc_px",
    "f_number_at",
    "fitting_exposure_us",
    "picture",
    "true_blur_px",
    "true_mtf50",
]
