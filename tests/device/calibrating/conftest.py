"""A rig that draws nothing: the level of a picture is its distance, and a model that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.calibrating.rig import RigInfo, Scene, Shot
from device.calibrating.threshold_step import Optics
from device.calibrating.work import Work
from models.classifier import Judging
from models.focusmap import FieldOfView, FocusMap, Luma, TileGrid
from models.scores import tempered

WIDTH, HEIGHT, TILE = 160, 120, 20
CRITERION_PX = 2.5
OPTICS = Optics(
    best_mm=0.2,
    sag_mm=0.4,
    tilt_mm=0.1,
    tilt_deg=30.0,
    least_blur_px=1.5,
    spread_px=30.0,
    distance_mm=40.0,
)
FIELD = FieldOfView(80.0, 60.0, 58.0)


class LevelRig:
    """The luma of a picture says at which distance it was taken."""

    def __init__(self) -> None:
        self.taken: list[Scene] = []

    @property
    def info(self) -> RigInfo:
        return RigInfo("dev-1", "cam-1", "lens", WIDTH, HEIGHT, "linear", sets_exposure=False)

    def take(self, scene: Scene, *, exposure_us: float | None = None, gain_db: float = 0.0) -> Shot:
        self.taken.append(scene)
        level = round(127 + 10 * scene.distance_mm)
        luma = np.full((HEIGHT, WIDTH), min(max(level, 0), 255), np.uint8)
        luma[0, 0] = scene.place % 251
        return Shot(luma, None, None)

    def move_iris(self, position: float) -> float:
        raise AssertionError(position)

    def close(self) -> None:
        """Nothing is held."""


class LevelModel:
    """Knows each tile's blur up to an error that all tiles of a picture share, and is too sure of itself."""

    name, sha256, tile_px, criterion_px = "levels", "a" * 64, TILE, 3.5

    def __init__(self, spread: float = 0.1, sure: float = 6.0) -> None:
        self.spread, self.sure = spread, sure

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        grid = TileGrid.of(luma.shape[1], luma.shape[0], TILE)
        z = (float(luma[1, 1]) - 127) / 10
        rng = np.random.default_rng([int(luma[0, 0]), int(luma[1, 1])])
        blur = OPTICS.blur_px(FIELD, grid, z) + rng.normal(0.0, self.spread)
        criterion = judging.criterion_px or self.criterion_px
        over = self.sure * (blur + rng.normal(0.0, self.spread, blur.shape) - criterion)
        p = 1 / (1 + np.exp(np.clip(over, -60, 60)))
        cause = np.zeros(blur.shape, np.uint8)
        if judging.field is not None:
            cause[~judging.field.mask(grid)] = 1
        return FocusMap(
            grid=grid,
            blur_px=np.maximum(blur, 0).astype(np.float32),
            p_in_focus=tempered(p.astype(np.float32), judging.temperature),
            cause=cause,
            criterion_px=criterion,
            threshold=0.5 if judging.threshold is None else judging.threshold,
            model_name=self.name,
            model_sha256=self.sha256,
        )


@pytest.fixture
def rig() -> LevelRig:
    return LevelRig()


@pytest.fixture
def model_of() -> Callable[..., LevelModel]:
    return LevelModel


@pytest.fixture
def measured(tmp_path: Path, rig: LevelRig) -> Work:
    """A working folder with field and scale of the level rig."""
    work = Work(tmp_path / "work")
    work.claim(rig.info)
    field: dict[str, Any] = {
        "centre_x_px": FIELD.centre_x_px,
        "centre_y_px": FIELD.centre_y_px,
        "radius_px": FIELD.radius_px,
        "rim_share": 0.9,
        "residual_px": 0.1,
        "whole": False,
        "black_level_dn": 12.0,
        "dark_noise_dn": 0.5,
        "hot": [[3, 4, 9.5]],
    }
    flat = np.ones((HEIGHT, WIDTH), np.float16)
    work.put("field", field, {"flat": flat, "white": np.full((HEIGHT, WIDTH), 180, np.uint8)})
    sweep = {name: getattr(OPTICS, name) for name in OPTICS.__slots__} | {"residual": 0.02}
    scale: dict[str, Any] = {
        "um_per_px": 15.0,
        "distortion": -0.01,
        "tilt_deg": 0.5,
        "mtf50": 0.2,
        "mtf50_middle": 0.21,
        "mtf50_rim": 0.18,
        "mtf50_worst": 0.15,
        "criterion_px": CRITERION_PX,
        "criterion_source": "a test",
        "sweep": sweep,
        "zones": [[[z, 1.5 + abs(z)] for z in (-3.0, 0.0, 3.0)], [[z, 1.7 + abs(z)] for z in (-3.0, 0.0, 3.0)], []],
        "depth_mm": [-2.0, 2.5],
        "edges": [[40.0, 50.0, 0.19], [90.0, 60.0, 0.2], [120.0, 80.0, 0.17]],
    }
    work.put("scale", scale, {"chart": np.full((HEIGHT, WIDTH), 90, np.uint8)})
    return work
