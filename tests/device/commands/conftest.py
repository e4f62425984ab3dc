"""A stand-in classifier that every command's tests can rely on: it judges by brightness alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device.commands import check
from models.classifier import Judging
from models.errors import InputError
from models.focusmap import Cause, FocusMap, Luma, TileGrid

LARGEST_CRITERION_PX = 12


class BrightnessClassifier:
    """Bright tiles are sharp, dim ones blurred, black ones too dark to judge. Tiles of 16 px."""

    name = "brightness"
    sha256 = "ab" * 32
    tile_px = 16

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        if (judging.criterion_px or 1.5) > LARGEST_CRITERION_PX:
            raise InputError(f"criterion of {judging.criterion_px} px: knows radii up to {LARGEST_CRITERION_PX} px")
        grid = TileGrid.of(luma.shape[1], luma.shape[0], self.tile_px)
        cropped = luma[: grid.rows * grid.height, : grid.columns * grid.width]
        mean = cropped.reshape(grid.rows, grid.height, grid.columns, grid.width).mean(axis=(1, 3))
        return FocusMap(
            grid=grid,
            blur_px=np.where(mean > 128, 0.123456, 4.5).astype(np.float32),
            p_in_focus=(mean / 255).astype(np.float32),
            cause=np.where(mean < 8, Cause.DARK, Cause.JUDGED).astype(np.uint8),
            criterion_px=judging.criterion_px or 1.5,
            threshold=0.5,
            model_name=self.name,
            model_sha256=self.sha256,
        )


RunCheck = Callable[..., int]


@pytest.fixture
def run_check() -> RunCheck:
    """`focusgate check` with these arguments and the stand-in; returns the exit code."""

    def run(*arguments: str | Path) -> int:
        top = argparse.ArgumentParser(prog="focusgate")
        check.add_parser(top.add_subparsers())
        parsed = top.parse_args(["check", *map(str, arguments)])
        return check.run(parsed, load=lambda _: BrightnessClassifier())

    return run
