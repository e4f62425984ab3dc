"""Temperature scaling: finds the temperature that spoiled the probabilities, and changes no verdict by itself."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from calibration.extra import scipy_module
from calibration.temperature import calibration_error, fit_temperature, reliability, scaled
from calibration.threshold import Labelled
from models.errors import InputError
from models.scores import tempered


def spoiled(temperature: float, count: int = 30_000) -> Labelled:
    """Honest probabilities, their odds multiplied by `temperature`."""
    rng = np.random.default_rng(1)
    logit = rng.normal(0.0, 1.5, count)
    truth = rng.random(count) < 1.0 / (1.0 + np.exp(-logit))
    return Labelled(1.0 / (1.0 + np.exp(-temperature * logit)), truth, np.arange(count) // 100)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_probabilities_is_found(temperature: float) -> None:
    found = fit_temperature(spoiled(temperature))
    assert found.value == pytest.approx(temperature, rel=0.05)
    assert found.loss_after <= found.loss_before + 1e-6


def test_after_scaling_what_is_said_is_so() -> None:
    tiles = spoiled(3.0)
    found = fit_temperature(tiles)
    assert found.error_before > 0.1
    assert found.error_after < 0.02
    better = scaled(tiles, found.value)
    assert calibration_error(reliability(better.p_in_focus, better.in_focus)) == pytest.approx(found.error_after)


def test_the_order_of_tiles_never_changes() -> None:
    p = np.linspace(0.0, 1.0, 101, dtype=np.float32)
    for temperature in (0.3, 1.0, 4.0):
        assert (np.diff(tempered(p, temperature)) >= 0).all()
    assert tempered(p, 1.0) is p


def test_labels_of_one_kind_teach_nothing() -> None:
    tiles = Labelled(np.full(10, 0.7), np.ones(10, bool), np.arange(10))
    assert fit_temperature(tiles).value == 1.0


def test_no_tiles_are_no_error() -> None:
    assert calibration_error(()) == 0.0


def test_without_scipy_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_name: str) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(importlib, "import_module", gone)
    with pytest.raises(InputError, match=r"pip install 'focusgate\[calibrate\]'"):
        scipy_module("stats")
