"""How refusals are counted; what is refused is tested with the calibration itself."""

from __future__ import annotations

import pytest

from device.simulation import refusals


def test_an_accepted_bad_picture_is_a_failure_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = dict.fromkeys(refusals.CASES, "right")
    monkeypatch.setattr(refusals, "refusals", lambda *_, **__: outcomes)
    assert refusals.main(["--units", "2"]) == 0
    outcomes["hand"] = "accepted"
    assert refusals.main(["--units", "2"]) == 1
    shown = capsys.readouterr().out
    assert "dark: 2 right" in shown
    assert "hand: 2 accepted" in shown
