"""The sections of the configuration for the profile of this device, and for making one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from calibration.limits import Limits
from calibration.profile import EXPIRY_DAYS
from device.config_base import Section

_LIMITS = Limits()


class ProfileConfig(Section):
    file: str | None = Field(None, description="calibration profile of this device (JSON); none: not calibrated")
    trusted_key: str | None = Field(
        None, description="public key (PEM) of who may calibrate this device; none: no signature counts"
    )
    unsigned: Literal["warn", "refuse"] = Field(
        "warn", description="what becomes of a profile without a trusted signature: told, or not used and gate closed"
    )
    expired: Literal["refuse", "warn"] = Field(
        "refuse", description="what becomes of an expired profile: not used and gate closed, or told"
    )


class CalibrateConfig(Section):
    alpha: float = Field(0.05, gt=0.0, lt=0.5, description="largest false-in-focus rate of the threshold")
    delta: float = Field(0.05, gt=0.0, lt=0.5, description="chance that the rate is larger all the same")
    pictures: int = Field(160, ge=20, le=5000, description="pictures of the texture for the threshold")
    expiry_days: int = Field(EXPIRY_DAYS, ge=1, le=1000, description="days that a profile holds")
    least_radius_share: float = Field(
        _LIMITS.least_radius_share, ge=0.0, le=2.0, description="least radius of the field over half the shorter side"
    )
    least_um_per_px: float = Field(_LIMITS.least_um_per_px, gt=0.0, le=1000.0, description="least scale, µm per px")
    most_um_per_px: float = Field(_LIMITS.most_um_per_px, gt=0.0, le=1000.0, description="largest scale, µm per px")
    least_mtf50: float = Field(
        _LIMITS.least_mtf50, ge=0.0, le=1.0, description="least MTF50 in the middle, cycles per px"
    )
    least_rim_share: float = Field(
        _LIMITS.least_rim_share, ge=0.0, le=1.0, description="least MTF50 at the rim over that in the middle"
    )
    most_missed: float = Field(
        _LIMITS.most_missed, ge=0.0, le=1.0, description="largest share of sharp tiles called out of focus"
    )
    most_read_noise_e: float = Field(
        _LIMITS.most_read_noise_e, gt=0.0, le=1000.0, description="largest read noise at the highest gain, electrons"
    )
    most_backlash_share: float = Field(
        _LIMITS.most_backlash_share, ge=0.0, le=1.0, description="largest play of the iris over its travel"
    )

    def limits(self) -> Limits:
        """The same as limits of pass and fail; the bound must keep alpha."""
        values = self.model_dump(exclude={"alpha", "delta", "pictures", "expiry_days"})
        return Limits(most_alpha_bound=self.alpha, **values)
