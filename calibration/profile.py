"""The profile of one device: what was measured about this lens, sensor and mounting."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.classifier import Judging
from models.errors import InputError, one_line
from models.focusmap import FieldOfView


class FieldSection(BaseModel):
    """The round field of view, px of the full image."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    centre_x_px: float = Field(ge=0.0, le=20_000.0)
    centre_y_px: float = Field(ge=0.0, le=20_000.0)
    radius_px: float = Field(gt=0.0, le=20_000.0)


class Profile(BaseModel):
    """Per-device settings, in a JSON file. None: the model's own default holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int = Field(1, ge=1, le=1, alias="schema")
    name: str = Field(min_length=1, max_length=80)
    camera_id: str | None = Field(None, max_length=200)
    model_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    criterion_px: float | None = Field(None, gt=0.0, le=20.0)
    threshold: float | None = Field(None, gt=0.0, lt=1.0)
    field: FieldSection | None = None

    def sha256(self) -> str:
        """Digest of the values, as saved with every capture."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def check_matches(self, camera_id: str, model_sha256: str) -> None:
        """Raises InputError if the profile was made with another camera or another model (H12)."""
        for what, own, found in (
            ("camera", self.camera_id, camera_id),
            ("model", self.model_sha256, model_sha256),
        ):
            if own is not None and own != found:
                raise InputError(
                    f"profile {self.name}: made for {what} {own}, found {found}; use this device's profile, or none"
                )


def judging_of(profile: Profile | None, criterion_px: float | None, min_judged_percent: int) -> Judging:
    """How frames are judged: `criterion_px` if it is given, else the profile's, else the model's default."""
    if profile is None:
        return Judging(criterion_px=criterion_px, min_judged_percent=min_judged_percent)
    found = profile.field
    return Judging(
        criterion_px=criterion_px if criterion_px is not None else profile.criterion_px,
        threshold=profile.threshold,
        min_judged_percent=min_judged_percent,
        field=FieldOfView(found.centre_x_px, found.centre_y_px, found.radius_px) if found is not None else None,
    )


def load_profile(path: Path) -> Profile:
    """The profile in `path`. Raises InputError: one line with file, key and what is wrong."""
    try:
        return Profile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot read the profile ({error.strerror}); name a JSON file, or none") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path}: {key}: {one_line(first['msg'])}; calibrate anew or mend the profile") from None
