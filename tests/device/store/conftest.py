"""Small captures to keep: 96×64 px, 4×6 tiles of 16 px."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device.store.jpeg import encode
from device.store.records import CaptureRecord, Evidence, new_capture_id
from device.store.writer import Saved, Store
from models.focusmap import Cause, FocusMap, TileGrid

WIDTH, HEIGHT, TILE = 96, 64, 16


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    """Smooth colours, which JPEG keeps well."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack((x * 2, y * 3, 255 - x - y), axis=2).astype(np.uint8)


@pytest.fixture
def make_map() -> Callable[..., FocusMap]:
    """A map of which the first `out` tiles are out of focus; `cause` is that of the first `unjudged`."""

    def make(out: int = 0, unjudged: int = 0, cause: Cause = Cause.DARK, **over: Any) -> FocusMap:
        grid = TileGrid.of(WIDTH, HEIGHT, TILE)
        shape = (grid.rows, grid.columns)
        p = np.full(shape, 0.9, np.float32)
        p.ravel()[unjudged : unjudged + out] = 0.1
        causes = np.zeros(shape, np.uint8)
        causes.ravel()[:unjudged] = cause
        values = {
            "grid": grid,
            "blur_px": np.ones(shape, np.float32),
            "p_in_focus": p,
            "cause": causes,
            "criterion_px": 1.5,
            "threshold": 0.5,
            "model_name": "fake",
            "model_sha256": "a" * 64,
        }
        return FocusMap(**(values | over))

    return make


@pytest.fixture
def make_record(make_map: Callable[..., FocusMap]) -> Callable[..., CaptureRecord]:
    """A valid record; every field can be given."""

    def make(**over: Any) -> CaptureRecord:
        evidence = over.pop("evidence", Evidence.of(make_map()))
        values = {
            "capture_id": new_capture_id(),
            "sequence": 1,
            "boot_id": "00000000-0000-0000-0000-000000000001",
            "exposed_ns": 5_000,
            "press_ns": 4_000,
            "wall_time": datetime(2026, 3, 4, 5, 6, 7, 890_000, UTC),
            "wall_synchronised": True,
            "width": WIDTH,
            "height": HEIGHT,
            "override": False,
            "required_percent": 90,
            "verdict": evidence.verdict(90) if evidence is not None else None,
            "reason": None,
            "evidence": evidence,
            "software": "focusgate test",
        }
        return CaptureRecord(**(values | over))

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def keep(folder: Path, rgb: NDArray[np.uint8], make_record: Callable[..., CaptureRecord]) -> Callable[..., list[Saved]]:
    """Save `count` captures into the store at `folder`, and close it."""

    def save(count: int = 1, **over: Any) -> list[Saved]:
        store = Store.open(folder)
        try:
            records = [make_record(**({"sequence": store.next_sequence()} | over)) for _ in range(count)]
            return [store.save_encoded(encode(rgb, record), record) for record in records]
        finally:
            store.close()

    return save
