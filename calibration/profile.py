"""The profile of one device: what was measured about this lens, sensor and mounting, by whom, and until when it holds.

Schema 1 is a handful of values written by hand: the simulated device brings one along. Schema 2 is what `focusgate
calibrate` writes; it says whose it is (device, camera, model), from when to when, and what is promised of it.
`calibration.profile_file` reads and signs it, docs/decisions/0010-profiles.md says why.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.classifier import Judging
from models.errors import InputError, one_line
from models.focusmap import FieldOfView
from models.manifest import read_bounded

EXPIRY_DAYS = 180
WARN_DAYS = 14
MAX_PROFILE_BYTES = 1 << 20
WHAT_TO_DO = "install this device's signed profile, or calibrate anew"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """Every section: frozen, no unknown keys, no numbers as text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())


class FieldSection(Part):
    """The round field of view, px of the full image."""

    centre_x_px: float = Field(ge=0.0, le=20_000.0)
    centre_y_px: float = Field(ge=0.0, le=20_000.0)
    radius_px: float = Field(gt=0.0, le=20_000.0)


class GuaranteeSection(Part):
    """What is promised of the threshold, by `calibration.threshold`.

    alpha, delta         the false-in-focus rate is at most alpha, with a confidence of 1 - delta
    rate, bound          as observed, and the bound that was reached
    false_passes_*       pictures that pass the gate though they should not, and the exact bound of their share
    """

    method: Name
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)]
    delta: Annotated[float, Field(gt=0.0, lt=1.0)]
    rate: Share
    bound: Share
    missed: Share
    pictures: Count
    blurred_tiles: Count
    sharp_tiles: Count
    false_passes: Count
    false_passes_pictures: Count
    false_passes_bound: Share


class MtfSection(Part):
    """The lens, in short: MTF50 in cycles per px in the middle, at the rim and at its worst; where it is sharp."""

    middle: Positive
    rim: Positive
    worst: Positive
    sag_mm: Finite | None = None
    best_distance_mm: Finite | None = None
    depth_of_field_mm: NotNegative | None = None


class GainNoise(Part):
    """Photon transfer at one gain."""

    gain_db: Finite
    e_per_dn: Positive
    read_noise_e: NotNegative


class NoiseSection(Part):
    """Level without light (DN of 8 bits), and the noise at each gain."""

    black_level_dn: Annotated[float, Field(ge=0.0, lt=255.0)]
    gains: Annotated[tuple[GainNoise, ...], Field(min_length=1, max_length=32, strict=False)]


class ApertureSection(Part):
    """The actuator: positions (µs of pulse, steps, or a share of the travel) of rising f-numbers, and how it moves.

    backlash, repeatability  in the unit of the positions; the second is a standard deviation
    move_s                   time of a move from end to end
    noise_from               f-number from which noise takes over; None: nowhere in the table
    diffraction_from         the same for diffraction
    """

    unit: Literal["us", "steps", "share"]
    f_numbers: Annotated[tuple[Positive, ...], Field(min_length=2, max_length=64, strict=False)]
    positions: Annotated[tuple[Finite, ...], Field(min_length=2, max_length=64, strict=False)]
    relative_light: Annotated[tuple[Positive, ...], Field(min_length=2, max_length=64, strict=False)]
    backlash: NotNegative
    repeatability: NotNegative
    lowest: Finite
    highest: Finite
    move_s: NotNegative
    noise_from: Positive | None = None
    diffraction_from: Positive | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not len(self.f_numbers) == len(self.positions) == len(self.relative_light):
            raise ValueError("f_numbers, positions and relative_light must have one entry each for every point")
        return self


class ReferenceSection(Part):
    """What `calibrate verify` and the statistic of use compare with.

    score_mean, score_sd  mean p_in_focus of the judged tiles of pictures that open the gate: mean and deviation
    mtf50, um_per_px, black_level_dn, light  of one picture of the chart, as measured on the day
    """

    score_mean: Share | None = None
    score_sd: NotNegative | None = None
    mtf50: Positive | None = None
    um_per_px: Positive | None = None
    light: Positive | None = None


class Profile(Part):
    """Per-device settings, in a JSON file. None: the model's own default holds."""

    version: int = Field(1, ge=1, le=2, alias="schema")
    name: str = Field(min_length=1, max_length=80)
    device_serial: Name | None = None
    camera_id: Name | None = None
    lens: Name | None = None
    tone: Literal["linear", "srgb"] | None = None
    model_name: Name | None = None
    model_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    criterion_px: float | None = Field(None, gt=0.0, le=20.0)
    criterion_source: Name | None = None
    threshold: float | None = Field(None, gt=0.0, lt=1.0)
    temperature: float | None = Field(None, ge=0.1, le=10.0)
    guarantee: GuaranteeSection | None = None
    field: FieldSection | None = None
    um_per_px: Positive | None = None
    mtf: MtfSection | None = None
    noise: NoiseSection | None = None
    aperture: ApertureSection | None = None
    reference: ReferenceSection | None = None
    operator: Name | None = None
    made_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.version == 1:
            return self
        due = ("device_serial", "camera_id", "model_sha256", "operator", "made_at", "expires_at", "field")
        missing = [name for name in due if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a calibrated profile must have {', '.join(missing)}")
        if self.made_at is not None and self.expires_at is not None and self.expires_at <= self.made_at:
            raise ValueError("expires_at must be later than made_at")
        if self.criterion_px is not None and self.criterion_source is None:
            raise ValueError("criterion_px needs criterion_source: where the number comes from")
        return self

    def sha256(self) -> str:
        """Digest of the values, as saved with every capture."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def check_matches(self, camera_id: str, model_sha256: str, device_serial: str | None = None) -> None:
        """Raises InputError if the profile was made with another device, camera or model (H12).

        `device_serial` None: of a machine that has none, or is not asked.
        """
        for what, own, found in (
            ("device", self.device_serial if device_serial is not None else None, device_serial),
            ("camera", self.camera_id, camera_id),
            ("model", self.model_sha256, model_sha256),
        ):
            if own is not None and own != found:
                raise InputError(
                    f"profile {self.name}: made for {what} {own}, found {found}; use this device's profile, or none"
                )


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether a profile holds at one moment: `expired` and `warning` are lines for people, or None."""

    expired: str | None = None
    warning: str | None = None


def validity(profile: Profile, now: datetime, *, clock_is_set: bool) -> Validity:
    """Whether the profile holds at `now` (aware). A clock that nobody set proves nothing: then only a warning is given.

    A board without a battery for its clock starts in the past; expiry must not come and go with that.
    """
    if profile.expires_at is None:
        return Validity()
    until = profile.expires_at.date().isoformat()
    left = profile.expires_at - now
    if left <= timedelta(0):
        line = f"profile {profile.name}: expired on {until}; calibrate anew with 'focusgate calibrate run'"
        return Validity(expired=line) if clock_is_set else Validity(warning=f"{line} (if this clock is right)")
    if left <= timedelta(days=WARN_DAYS):
        days = left.days + (left.seconds > 0)
        line = f"profile {profile.name}: expires in {days} {'day' if days == 1 else 'days'}, on {until}; calibrate anew"
        return Validity(warning=line)
    return Validity()


def judging_of(profile: Profile | None, criterion_px: float | None, min_judged_percent: int) -> Judging:
    """How frames are judged: `criterion_px` if it is given, else the profile's, else the model's default.

    Threshold and temperature were measured at the profile's own criterion: with another one they are not used.
    """
    if profile is None:
        return Judging(criterion_px=criterion_px, min_judged_percent=min_judged_percent)
    found = profile.field
    own = criterion_px is None or criterion_px == profile.criterion_px
    return Judging(
        criterion_px=criterion_px if criterion_px is not None else profile.criterion_px,
        threshold=profile.threshold if own else None,
        temperature=profile.temperature or 1.0 if own else 1.0,
        min_judged_percent=min_judged_percent,
        field=FieldOfView(found.centre_x_px, found.centre_y_px, found.radius_px) if found is not None else None,
    )


def load_profile(path: Path) -> Profile:
    """The profile in `path`, whoever signed it. Raises InputError: one line with file, key and what is wrong."""
    return parse_profile(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The bytes of a profile, not parsed. Raises InputError if it is missing, unreadable or too long."""
    try:
        content = read_bounded(path, MAX_PROFILE_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot read the profile ({error.strerror}); name a JSON file, or none") from None
    if len(content) > MAX_PROFILE_BYTES:
        raise InputError(f"{path}: more than {MAX_PROFILE_BYTES >> 10} KiB, no profile is so long; {WHAT_TO_DO}")
    return content


def parse_profile(content: bytes, path: Path) -> Profile:
    """The profile in these bytes; `path` is named in what is wrong. Raises InputError."""
    try:
        return Profile.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path}: {key}: {one_line(first['msg'])}; calibrate anew or mend the profile") from None
