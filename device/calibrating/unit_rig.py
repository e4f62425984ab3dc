"""The rig of a simulated device of unknown parameters: shows it targets and hands over pictures, never the truth."""

from __future__ import annotations

import numpy as np

from calibration.charts.texture import texture_cells
from calibration.linear import Tone
from device.calibrating.rig import RigInfo, Scene, Shot
from device.simulation.unit import SimulatedStage, Unit, drawn_unit, f_number_at, fitting_exposure_us, picture

PLACES_MM = 6.0
"""Places on the texture lie within so far of each other; a tile is a millimetre or two."""

REGIONS = 8
"""Of a printed sheet (A4 holds over a hundred), each as large as `texture_cells` makes them; places go through them."""

SHEET_SEED = 7001
POSITIONS = 25


class UnitRig:
    """Implements `device.calibrating.rig.Rig` for the unit of this seed; every picture has noise of its own."""

    def __init__(self, seed: int, *, width: int, height: int, tone: Tone = "linear", sheet: int = SHEET_SEED) -> None:
        self.unit: Unit = drawn_unit(seed, width=width, height=height, tone=tone)
        self.stage = SimulatedStage(self.unit)
        self._sheet = sheet
        self._pictures = 0

    @property
    def info(self) -> RigInfo:
        unit = self.unit
        return RigInfo(
            serial=unit.serial,
            camera_id=f"simulated-unit:{unit.seed}",
            lens="simulated",
            width=unit.width,
            height=unit.height,
            tone=unit.tone,
            sets_exposure=True,
            position_unit="share",
            positions=tuple(float(each) for each in np.linspace(0.0, 1.0, POSITIONS)),
            widest_f_number=round(f_number_at(unit, 0.0), 2),
        )

    def take(self, scene: Scene, *, exposure_us: float | None = None, gain_db: float = 0.0) -> Shot:
        unit = self.unit
        exposure = exposure_us or fitting_exposure_us(unit, self.stage.iris, gain_db)
        self._pictures += 1
        rng = np.random.default_rng([unit.seed, scene.place, 17])
        moved = (0.0, 0.0) if scene.place == 0 else tuple(map(float, rng.uniform(-PLACES_MM, PLACES_MM, 2)))
        turned = 0.0 if scene.place == 0 else float(rng.uniform(-180.0, 180.0))
        target = {"dark": "dark", "white": "flat", "chart": "chart"}.get(scene.target)
        region = self._sheet + scene.place % REGIONS
        luma = picture(
            unit,
            target if target is not None else texture_cells(region),  # type: ignore[arg-type]
            distance_mm=scene.distance_mm,
            position=self.stage.iris,
            exposure_us=exposure,
            gain_db=gain_db,
            seed=self._pictures,
            shift_mm=(moved[0], moved[1]),
            rotation_deg=turned,
        )
        return Shot(luma, exposure, gain_db)

    def move_iris(self, position: float) -> float:
        return self.stage.move_to(position)

    def close(self) -> None:
        """Nothing is held."""
