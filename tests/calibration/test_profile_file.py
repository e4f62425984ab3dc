"""Profiles as files: signed, torn, foreign, expired; each refusal is one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.profile import FieldSection, Profile, judging_of, load_profile, validity
from calibration.profile_file import Trust, differences, encode_profile, expiry_line, facts, read_profile, sign_profile
from models.errors import InputError
from models.signing import key_id, load_private_key, new_key

MADE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
Signed = tuple[Path, Path, Ed25519PrivateKey]


def profile_of(**changed: object) -> Profile:
    values: dict[str, object] = {
        "schema": 2,
        "name": "unit 7",
        "device_serial": "dev-7",
        "camera_id": "cam-a",
        "model_sha256": "0" * 64,
        "operator": "technician",
        "made_at": MADE,
        "expires_at": MADE + timedelta(days=180),
        "criterion_px": 2.25,
        "criterion_source": "measured",
        "threshold": 0.7,
        "temperature": 1.5,
        "field": FieldSection(centre_x_px=1000.0, centre_y_px=900.0, radius_px=800.0),
    }
    return Profile(**(values | changed))  # type: ignore[arg-type]


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    new_key(tmp_path / "keys" / "private.pem", tmp_path / "public.pem")
    key = load_private_key(tmp_path / "keys" / "private.pem")
    path = tmp_path / "profile.json"
    content = encode_profile(profile_of())
    path.write_bytes(content)
    path.with_name("profile.json.sig").write_bytes(sign_profile(content, key))
    return path, tmp_path / "public.pem", key


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_what_is_written_is_what_is_read(signed: Signed) -> None:
    path, public, key = signed
    found = read_profile(path, Trust(public, "refuse"))
    assert found.profile == profile_of()
    assert found.signed_by == key_id(key.public_key())
    assert load_profile(path) == profile_of()


def test_a_profile_behind_a_link_is_signed_beside_the_file_itself(signed: Signed, tmp_path: Path) -> None:
    path, public, _ = signed
    link = tmp_path / "current.json"
    link.symlink_to(path.name)
    assert read_profile(link, Trust(public, "refuse")).signed_by is not None


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_gets_past_the_signature(signed: Signed, data: st.DataObject) -> None:
    path, public, key = signed
    content = bytearray(encode_profile(profile_of()))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    said = refused(lambda: read_profile(path, Trust(public)))
    assert f"not what key {key_id(key.public_key())} signed" in said
    path.write_bytes(encode_profile(profile_of()))


@given(st.integers(0, 900))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_profile_is_one_line(tmp_path: Path, length: int) -> None:
    content = encode_profile(profile_of())
    path = tmp_path / "torn.json"
    path.write_bytes(content[: min(length, len(content) - 3)])
    assert "calibrate anew" in refused(lambda: read_profile(path, Trust()))


def test_another_key_is_not_trusted(signed: Signed, tmp_path: Path) -> None:
    path, _, _ = signed
    new_key(tmp_path / "others" / "private.pem", tmp_path / "other.pem")
    assert "trusted is" in refused(lambda: read_profile(path, Trust(tmp_path / "other.pem")))


def test_a_signature_that_is_none_is_refused(signed: Signed) -> None:
    path, public, _ = signed
    path.with_name("profile.json.sig").write_bytes(b"nonsense")
    assert "not a signature" in refused(lambda: read_profile(path, Trust(public)))


def test_an_unsigned_profile_is_used_or_refused_as_the_policy_says(signed: Signed) -> None:
    path, public, _ = signed
    path.with_name("profile.json.sig").unlink()
    assert read_profile(path, Trust(public)).signed_by is None
    assert "not signed by a trusted key" in refused(lambda: read_profile(path, Trust(public, "refuse")))


def test_without_a_trusted_key_no_signature_counts(signed: Signed) -> None:
    path, _, _ = signed
    assert read_profile(path, Trust()).signed_by is None
    assert "not signed" in refused(lambda: read_profile(path, Trust(None, "refuse")))


def test_a_file_too_long_for_a_profile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    assert "no profile is so long" in refused(lambda: load_profile(path))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"operator": None}, "must have operator"),
        ({"expires_at": MADE}, "later than made_at"),
        ({"criterion_source": None}, "criterion_source"),
    ],
)
def test_a_calibrated_profile_must_say_whose_it_is_and_why(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        profile_of(**changed)


def test_a_profile_of_another_device_is_refused() -> None:
    profile_of().check_matches("cam-a", "0" * 64, "dev-7")
    said = refused(lambda: profile_of().check_matches("cam-a", "0" * 64, "dev-8"))
    assert "made for device dev-7, found dev-8" in said
    profile_of().check_matches("cam-a", "0" * 64, None)


@pytest.mark.parametrize(
    ("days", "expired", "warned"), [(0, False, False), (165, False, False), (167, False, True), (181, True, False)]
)
def test_expiry_is_warned_of_two_weeks_before(days: int, expired: bool, warned: bool) -> None:
    found = validity(profile_of(), MADE + timedelta(days=days), clock_is_set=True)
    assert (found.expired is not None, found.warning is not None) == (expired, warned)


def test_a_clock_that_nobody_set_never_closes_the_gate() -> None:
    found = validity(profile_of(), MADE + timedelta(days=4000), clock_is_set=False)
    assert found.expired is None
    assert found.warning is not None
    assert "if this clock is right" in found.warning


def test_a_profile_without_dates_does_not_expire() -> None:
    hand_made = Profile(schema=1, name="x")
    assert validity(hand_made, MADE, clock_is_set=True).warning is None
    assert expiry_line(hand_made, MADE) == "does not expire"


def test_threshold_and_temperature_hold_only_at_their_own_criterion() -> None:
    own = judging_of(profile_of(), None, 40)
    assert (own.criterion_px, own.threshold, own.temperature) == (2.25, 0.7, 1.5)
    other = judging_of(profile_of(), 4.0, 40)
    assert (other.criterion_px, other.threshold, other.temperature) == (4.0, None, 1.0)


def test_differences_are_told_by_key() -> None:
    found = list(differences(profile_of(), profile_of(threshold=0.8, lens="other")))
    assert found == [("lens", "-", "other"), ("threshold", "0.7", "0.8")]
    assert dict(facts(profile_of()))["field.radius_px"] == "800"
