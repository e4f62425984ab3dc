"""Hardware that is not there, for the back ends that need it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FAKE = Path(__file__).parents[1] / "fakes" / "rpi_gpio.py"


@pytest.fixture
def chip() -> Any:
    """A chip that answers like `RPi.GPIO`."""
    spec = importlib.util.spec_from_file_location("fake_rpi_gpio", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_rpi_gpio"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module.FakeRpiGpio()
