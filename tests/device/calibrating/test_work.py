"""The working folder: steps alone, repeated, torn, of another device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.calibrating.work import Work, default_work
from models.errors import InputError


def test_what_a_step_wrote_is_there_after_a_restart(measured: Work) -> None:
    again = Work(measured.folder)
    assert again.part("field")["radius_px"] == 58.0
    assert again.arrays("scale")["chart"].shape == (120, 160)
    assert again.device["serial"] == "dev-1"
    assert again.value("tone") == "linear"


def test_a_step_that_is_done_again_takes_back_what_was_built_upon_it(measured: Work) -> None:
    measured.put("noise", {"x": 1})
    measured.put("threshold", {"x": 1})
    measured.put("noise", {"x": 2})
    assert set(measured.parts) == {"field", "scale", "noise", "threshold"}
    measured.put("scale", {"x": 3})
    assert set(measured.parts) == {"field", "scale", "noise"}
    measured.put("field", {"x": 4})
    assert set(measured.parts) == {"field"}


def test_a_missing_step_says_how_to_do_it(tmp_path: Path) -> None:
    work = Work(tmp_path)
    with pytest.raises(InputError, match="run 'focusgate calibrate field' first"):
        work.part("field")
    with pytest.raises(InputError, match="nothing was measured yet"):
        assert work.device


def test_the_folder_of_another_device_is_refused(measured: Work, rig: Any) -> None:
    with pytest.raises(InputError, match="holds the calibration of device dev-1"):
        Work(measured.folder).claim(replace(rig.info, serial="dev-2"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 2, "parts": {}}', '{"schema": 1}'])
def test_a_torn_working_file_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(InputError) as caught:
        Work(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_torn_arrays_name_the_step_to_repeat(measured: Work) -> None:
    (measured.folder / "field.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="run 'focusgate calibrate field' first"):
        measured.arrays("field")


def test_arrays_without_pickle_only(measured: Work, tmp_path: Path) -> None:
    np.savez(measured.folder / "field.npz", flat=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        measured.arrays("field")


def test_the_folder_lies_below_the_users_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_work() == Path("/somewhere/focusgate/calibration")
