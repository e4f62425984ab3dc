"""Profiles: read whole or refused, matched to camera and model."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.profile import Profile, judging_of, load_profile
from models.errors import InputError

GOOD = """{"schema": 1, "name": "unit 7", "criterion_px": 2.5,
"field": {"centre_x_px": 1.0, "centre_y_px": 2.0, "radius_px": 3.0}}"""


def test_a_profile_sets_how_frames_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(GOOD)
    judging = judging_of(load_profile(path), None, 40)
    assert judging.criterion_px == 2.5
    assert judging.field is not None
    assert judging.field.radius_px == 3.0
    assert judging_of(load_profile(path), 4.0, 40).criterion_px == 4.0
    assert judging_of(None, None, 50).min_judged_percent == 50


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"schema": 1}', '{"schema": 2, "name": "x"}', '{"schema": 1, "name": "x", "extra": 1}'],
)
def test_a_torn_or_foreign_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        load_profile(path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)


def test_a_missing_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the profile"):
        load_profile(tmp_path / "none.json")


def test_a_profile_of_another_camera_or_model_is_refused() -> None:
    profile = Profile(schema=1, name="unit 7", camera_id="cam-a", model_sha256="0" * 64)
    profile.check_matches("cam-a", "0" * 64)
    with pytest.raises(InputError, match="made for camera cam-a, found cam-b"):
        profile.check_matches("cam-b", "0" * 64)
    with pytest.raises(InputError, match="made for model"):
        profile.check_matches("cam-a", "1" * 64)


def test_the_digest_changes_with_the_values() -> None:
    one, two = (Profile(schema=1, name="x", criterion_px=value) for value in (1.0, 2.0))
    assert one.sha256() != two.sha256()
    assert len(one.sha256()) == 64
