"""SciPy, which only calibrating needs: loaded when it is used, with one clear line if it is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from models.errors import InputError


def scipy_module(name: str) -> ModuleType:
    """`scipy.NAME`, as in scipy_module("stats"). Raises InputError if SciPy is not installed."""
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError:
        raise InputError(
            "calibrating needs SciPy, which is not installed; run: pip install 'focusgate[calibrate]'"
        ) from None
