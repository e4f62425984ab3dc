"""From the working folder to the profile: what the steps found, with whose it is and until when it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from calibration.profile import (
    ApertureSection,
    FieldSection,
    GainNoise,
    GuaranteeSection,
    MtfSection,
    NoiseSection,
    Profile,
    ReferenceSection,
)
from device.calibrating.work import Work
from models.errors import InputError

LEAST = ("field", "scale", "threshold")
"""Steps without which nothing is calibrated; noise and aperture may be left out."""


def profile_of(work: Work, *, operator: str, now: datetime, expiry_days: int) -> Profile:
    """The profile of all finished steps. Raises InputError if one that must be there is not, or for no operator."""
    parts = {step: work.part(step) for step in LEAST}
    if not operator.strip():
        raise InputError("the profile names who calibrated: say it with --operator")
    device, threshold, scale = work.device, parts["threshold"], parts["scale"]
    return Profile(
        schema=2,
        name=f"{device['serial']} {now.date().isoformat()}",
        device_serial=device["serial"],
        camera_id=device["camera_id"],
        lens=work.value("lens"),
        tone=work.value("tone"),
        model_name=threshold["model_name"],
        model_sha256=threshold["model_sha256"],
        criterion_px=round(threshold["criterion_px"], 4),
        criterion_source=scale["criterion_source"],
        threshold=threshold["threshold"],
        temperature=threshold["temperature"]["value"],
        guarantee=_guarantee(threshold),
        field=FieldSection(**{name: parts["field"][name] for name in ("centre_x_px", "centre_y_px", "radius_px")}),
        um_per_px=scale["um_per_px"],
        mtf=_mtf(scale),
        noise=_noise(work.part("noise")) if "noise" in work.parts else None,
        aperture=_aperture(work.part("aperture")) if "aperture" in work.parts else None,
        reference=_reference(threshold, scale),
        operator=operator.strip(),
        made_at=now,
        expires_at=now + timedelta(days=expiry_days),
    )


def _guarantee(part: Mapping[str, Any]) -> GuaranteeSection:
    same = ("method", "alpha", "delta", "rate", "bound", "missed", "pictures", "blurred_tiles", "sharp_tiles")
    passes = part["false_passes"]
    return GuaranteeSection(
        **{name: part[name] for name in same},
        false_passes=passes["errors"],
        false_passes_pictures=passes["pictures"],
        false_passes_bound=passes["bound"],
    )


def _mtf(part: Mapping[str, Any]) -> MtfSection:
    depth = part["depth_mm"]
    return MtfSection(
        middle=part["mtf50_middle"],
        rim=part["mtf50_rim"],
        worst=part["mtf50_worst"],
        sag_mm=part["sweep"]["sag_mm"],
        best_distance_mm=part["sweep"]["best_mm"],
        depth_of_field_mm=None if depth is None else depth[1] - depth[0],
    )


def _noise(part: Mapping[str, Any]) -> NoiseSection:
    gains = tuple(GainNoise(gain_db=db, e_per_dn=e, read_noise_e=read) for db, e, read, _ in part["gains"])
    return NoiseSection(black_level_dn=max(part["black_level_dn"], 0.0), gains=gains)


def _aperture(part: Mapping[str, Any]) -> ApertureSection:
    lists = ("f_numbers", "positions", "relative_light")
    same = ("unit", "backlash", "repeatability", "lowest", "highest", "move_s", "noise_from", "diffraction_from")
    values = {name: tuple(part[name]) for name in lists} | {name: part[name] for name in same}
    return ApertureSection.model_validate(values)


def _reference(threshold: Mapping[str, Any], scale: Mapping[str, Any]) -> ReferenceSection:
    seen = threshold["reference"]
    return ReferenceSection(
        score_mean=seen["mean"] if seen else None,
        score_sd=seen["sd"] if seen else None,
        mtf50=scale["mtf50"],
        um_per_px=scale["um_per_px"],
    )
