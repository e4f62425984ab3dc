"""The threshold step on a rig that draws nothing: labels, promise, refusals, and the profile made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from calibration.limits import Limits, checks, passed
from calibration.profile import Profile, judging_of
from calibration.profile_file import encode_profile
from device.calibrating.finish import profile_of
from device.calibrating.report import page_of
from device.calibrating.rig import Scene
from device.calibrating.threshold_step import Optics, distances_mm, field_of, threshold_step
from device.calibrating.work import Work
from models.errors import InputError
from models.focusmap import TileGrid

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def silent(_done: int, _of: int) -> None:
    """No progress."""


def calibrated(rig: Any, measured: Work, model: Any, **options: Any) -> list[str]:
    return threshold_step(rig, measured, model, silent, **({"pictures": 240, "alpha": 0.1, "delta": 0.1} | options))


def test_the_promise_holds_for_pictures_that_were_not_seen(
    rig: Any, measured: Work, model_of: Callable[..., Any]
) -> None:
    model = model_of()
    calibrated(rig, measured, model)
    profile = profile_of(measured, operator="x", now=NOW, expiry_days=180)
    judging = judging_of(profile, None, 40)
    optics, field = Optics.of(measured.part("scale")["sweep"]), field_of(measured)
    grid = TileGrid.of(rig.info.width, rig.info.height, model.tile_px)
    reach = optics.reach_mm(2.5 * 2.5)
    false = blurred = 0
    for number, z in enumerate(np.round(np.linspace(0.2 - reach, 0.2 + reach, 200), 1)):
        found = model.judge(rig.take(Scene("texture", float(z), 7 * number + 3)).luma, judging)
        truth = optics.blur_px(field, grid, float(z)) <= 2.5
        false += int((found.sharp & ~truth).sum())
        blurred += int((found.judged & ~truth).sum())
    assert false / blurred <= 0.1


def test_what_the_profile_says_is_what_the_device_computes(
    rig: Any, measured: Work, model_of: Callable[..., Any]
) -> None:
    """Threshold and temperature belong together: the same tiles are called in focus as without either scaled."""
    model = model_of()
    calibrated(rig, measured, model)
    part = measured.part("threshold")
    assert part["temperature"]["value"] != pytest.approx(1.0, abs=0.02)
    judging = judging_of(profile_of(measured, operator="x", now=NOW, expiry_days=1), None, 40)
    luma = rig.take(Scene("texture", 2.0, 11)).luma
    scaled = model.judge(luma, judging)
    plain = model.judge(luma, type(judging)(criterion_px=2.5, field=judging.field))
    assert (scaled.sharp == (plain.judged & (plain.p_in_focus >= part["threshold_before_scaling"]))).all()


def test_too_few_pictures_are_told_how_many_would_do(rig: Any, measured: Work, model_of: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"run it again with --pictures \d+"):
        calibrated(rig, measured, model_of(), pictures=40, alpha=0.05, delta=0.05)


def test_a_model_that_cannot_tell_is_refused(rig: Any, measured: Work, model_of: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="even the strictest"):
        calibrated(rig, measured, model_of(spread=3.0, sure=50.0))


def test_a_lens_that_is_never_sharp_enough_is_refused(rig: Any, measured: Work, model_of: Callable[..., Any]) -> None:
    scale = dict(measured.part("scale")) | {"criterion_px": 1.4}
    measured.put("scale", scale, {"chart": np.zeros((2, 2), np.uint8)})
    with pytest.raises(InputError, match="nothing would surely be in focus"):
        calibrated(rig, measured, model_of())


def test_distances_reach_to_both_sides_and_can_be_set_by_hand() -> None:
    optics = Optics(0.3, 0.0, 0.0, 0.0, 1.5, 30.0, 40.0)
    found = distances_mm(optics, 2.5, 160)
    assert len(found) == 160
    assert found == sorted(found)
    assert min(found) < 0.3 < max(found)
    assert all(round(z, 1) == z for z in found)


def test_the_profile_of_all_steps_says_whose_it_is_and_passes_its_limits(
    rig: Any, measured: Work, model_of: Callable[..., Any]
) -> None:
    calibrated(rig, measured, model_of())
    profile = profile_of(measured, operator=" technician ", now=NOW, expiry_days=180)
    assert (profile.device_serial, profile.camera_id, profile.operator) == ("dev-1", "cam-1", "technician")
    assert profile.model_sha256 == "a" * 64
    assert profile.guarantee is not None
    assert profile.guarantee.bound <= 0.1
    assert profile.expires_at is not None
    assert (profile.expires_at - NOW).days == 180
    assert Profile.model_validate_json(encode_profile(profile)) == profile
    found = checks(profile, Limits(most_alpha_bound=0.1), width=160, height=120)
    assert passed(found)
    assert [each.name for each in found if not each.measured] == [
        "read noise at the highest gain, electrons",
        "play of the iris over its travel",
    ]
    strict = checks(profile, Limits(least_mtf50=0.5), width=160, height=120)
    assert next(each.name for each in strict if not each.ok).startswith("MTF50 in the middle")


def test_a_profile_needs_its_steps_and_an_operator(rig: Any, measured: Work, model_of: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="the step threshold is missing; run 'focusgate calibrate threshold'"):
        profile_of(measured, operator="x", now=NOW, expiry_days=1)
    calibrated(rig, measured, model_of())
    with pytest.raises(InputError, match="--operator"):
        profile_of(measured, operator=" ", now=NOW, expiry_days=1)


def test_the_report_is_one_page_that_needs_nothing_else(rig: Any, measured: Work, model_of: Callable[..., Any]) -> None:
    calibrated(rig, measured, model_of())
    noise = {
        "black_level_dn": 12.0,
        "gains": [[0.0, 10.0, 3.0, False], [12.0, 2.5, 3.0, True]],
        "points": [[0.0, [[10.0, 1.0], [100.0, 10.0]]], [12.0, [[10.0, 4.0], [100.0, 40.0]]]],
    }
    measured.put("noise", noise)
    aperture = {
        "f_numbers": [2.8, 4.0, 8.0],
        "positions": [0.1, 0.5, 0.9],
        "relative_light": [1.0, 0.5, 0.12],
        "unit": "share",
        "backlash": 0.02,
        "repeatability": 0.001,
        "lowest": 0.1,
        "highest": 0.9,
        "move_s": 0.4,
        "noise_from": None,
        "diffraction_from": 6.1,
        "up": [[0.1, 9.0], [0.5, 4.5], [0.9, 1.1]],
        "down": [[0.1, 9.0], [0.5, 4.4], [0.9, 1.1]],
    }
    measured.put("aperture", aperture)
    page = page_of(measured, Limits(most_alpha_bound=0.1))
    for heading in ("The device passes", "Field of view", "Through focus", "Noise", "Aperture", "Threshold", "Before"):
        assert f"<h2>{heading}" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.count("<svg") >= 10
    assert "nan" not in page
