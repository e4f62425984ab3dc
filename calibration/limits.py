"""Pass or fail of a calibration, line by line, against limits that the configuration may move. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from calibration.profile import Profile


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device must reach to be used. Defaults are wide: they catch a wrong lens, a loose one, a dead lamp.

    least_radius_share       radius of the field over half the shorter side
    least_um_per_px, most_um_per_px
    least_mtf50              in the middle, cycles per px
    least_rim_share          MTF50 at the rim over that in the middle
    most_alpha_bound         bound of the false-in-focus rate
    most_missed              share of sharp tiles that are called out of focus
    most_read_noise_e        electrons, at the highest gain
    most_backlash_share      play over the travel of the iris
    """

    least_radius_share: float = 0.4
    least_um_per_px: float = 2.0
    most_um_per_px: float = 60.0
    least_mtf50: float = 0.08
    least_rim_share: float = 0.4
    most_alpha_bound: float = 0.05
    most_missed: float = 0.5
    most_read_noise_e: float = 15.0
    most_backlash_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict. `measured` False: the step was left out, which passes nothing and fails nothing."""

    name: str
    value: str
    limit: str
    ok: bool
    measured: bool = True


def checks(profile: Profile, limits: Limits, *, width: int, height: int) -> tuple[Check, ...]:
    """Every limit against the profile; `width` and `height` (px) are those of the camera's picture."""
    return tuple(_checks(profile, limits, min(width, height)))


def passed(found: tuple[Check, ...]) -> bool:
    """True if nothing that was measured fails."""
    return all(check.ok for check in found)


def _checks(profile: Profile, limits: Limits, shorter_px: int) -> Iterator[Check]:
    field, mtf, guarantee, noise, aperture = (
        profile.field,
        profile.mtf,
        profile.guarantee,
        profile.noise,
        profile.aperture,
    )
    radius = field.radius_px / (shorter_px / 2) if field is not None else None
    yield _within("radius of the field over half the shorter side", radius, least=limits.least_radius_share)
    yield _within("scale, µm per px", profile.um_per_px, least=limits.least_um_per_px, most=limits.most_um_per_px)
    yield _within("MTF50 in the middle, cycles per px", mtf.middle if mtf else None, least=limits.least_mtf50)
    yield _within(
        "MTF50 at the rim over the middle", mtf.rim / mtf.middle if mtf else None, least=limits.least_rim_share
    )
    bound = guarantee.bound if guarantee else None
    yield _within("bound of the false-in-focus rate", bound, most=limits.most_alpha_bound)
    yield _within("sharp tiles called out of focus", guarantee.missed if guarantee else None, most=limits.most_missed)
    read_e = noise.gains[-1].read_noise_e if noise else None
    yield _within("read noise at the highest gain, electrons", read_e, most=limits.most_read_noise_e)
    travel = abs(aperture.highest - aperture.lowest) if aperture else 0.0
    play = aperture.backlash / travel if aperture is not None and travel > 0.0 else None
    yield _within("play of the iris over its travel", play, most=limits.most_backlash_share)


def _within(name: str, value: float | None, *, least: float | None = None, most: float | None = None) -> Check:
    parts = [f"at least {least:g}"] if least is not None else []
    parts += [f"at most {most:g}"] if most is not None else []
    limit = ", ".join(parts)
    if value is None:
        return Check(name, "not measured", limit, ok=True, measured=False)
    ok = (least is None or value >= least) and (most is None or value <= most)
    return Check(name, f"{value:.4g}", limit, ok)
