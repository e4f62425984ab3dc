"""Mechanics without metal."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from device.clock import MS, FakeClock

FAKE = Path(__file__).parents[2] / "fakes" / "mechanics.py"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000 * MS)


@pytest.fixture(scope="session")
def mechanics() -> ModuleType:
    """Chips, servos and motors, with the faults that real ones have."""
    spec = importlib.util.spec_from_file_location("fake_mechanics", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_mechanics"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
