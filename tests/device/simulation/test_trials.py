"""One drawn unit measured from pictures alone; fifty are tried by `python -m device.simulation.trials`."""

from __future__ import annotations

import pytest

from device.simulation import trials
from device.simulation.trials import CENTRE_PX, MTF50_PERCENT, SCALE_PERCENT, main, optics_trial, table

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def trial() -> trials.Trial:
    return optics_trial(1003, width=1296, height=972)


def test_a_unit_unknown_to_the_measurement_is_recovered(trial: trials.Trial) -> None:
    assert trial.passes
    assert abs(trial.scale_percent) < SCALE_PERCENT / 3
    assert trial.centre_px < CENTRE_PX / 3
    assert abs(trial.mtf50_middle_percent) < MTF50_PERCENT
    assert trial.mtf50_edges_percent < MTF50_PERCENT
    assert abs(trial.best_mm) < 0.1
    assert abs(trial.sag_mm) < 0.1
    assert trial.hot_missed == trial.hot_invented == 0


def test_the_table_names_every_error(trial: trials.Trial) -> None:
    shown = table([trial])
    assert shown.count("\n") == 15
    assert "| scale_percent |" in shown


def test_a_unit_out_of_tolerance_ends_with_a_failure(
    trial: trials.Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trials, "optics_trial", lambda *_, **__: trial)
    assert main(["--units", "2"]) == 0
    monkeypatch.setattr(trials, "SCALE_PERCENT", 0.0)
    assert main(["--units", "1"]) == 1
    assert "0 of 1 units within tolerance" in capsys.readouterr().out
