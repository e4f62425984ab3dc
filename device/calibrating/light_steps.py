"""The steps that measure noise and iris, on white paper."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calibration.aperture import Sample, Sweep, aperture_table, takes_over
from calibration.linear import linear_dn
from calibration.noise import FlatPair, GainResult, at_gain, noise_model, signal_to_noise
from device.calibrating.optics_steps import Progress, surroundings_from
from device.calibrating.rig import Rig, Scene, Shot
from device.calibrating.work import Work
from device.optics_model import Optics
from models.errors import InputError
from models.focusmap import Bool

GAINS_DB = (0.0, 12.0, 18.0)
FILLS = (0.25, 0.6, 1.1)
"""Exposures relative to the one that fills the scale rightly."""

INNER_SHARE = 0.9
MIDDLE_SHARE = 0.5
"""Light is measured in the middle of the field."""

VISITS, PLACES = 5, (0.3, 0.55, 0.8)
LEAST_DN, BEST_DN, MOST_DN = 60.0, 150.0, 225.0
"""Mean above black that tells the light well."""

LONGEST_US = 33_000.0
"""The longest exposure of the device in use: beyond it gain must make up for a closed iris (assist.longest_us)."""

LEAST_SNR = 10.0
"""Signal to noise of mid-grey (100 DN above black) below which the finest texture drowns: tiles of a quarter of the
contrast then reach 2.5, Rose's limit for seeing is 3 to 5 (Rose, JOSA 38 (1948) 196). A choice, on the careful side."""

MID_GREY_DN = 100.0
PROBE_US = 2000.0
MOST_DIFFRACTION = 0.75
"""Share of the criterion that diffraction alone may take, as in the simulated examinations."""


def noise_step(rig: Rig, work: Work, progress: Progress) -> list[str]:
    """Photon transfer at several gains; returns what was found, in sentences. Raises InputError."""
    if not rig.info.sets_exposure:
        raise InputError(
            f"camera {rig.info.camera_id} cannot be told its exposure: the noise is measured with a Pi camera only; "
            "leave this step out"
        )
    around = surroundings_from(work)
    inside = _disc(rig, work, INNER_SHARE)
    flats: dict[float, list[FlatPair]] = {}
    darks: dict[float, FlatPair] = {}
    total, done = len(GAINS_DB) * (len(FILLS) + 1), 0
    right_us = _right_exposure(rig, work)
    for gain_db in GAINS_DB:
        exposure = right_us / 10 ** (gain_db / 20)
        flats[gain_db] = []
        for fill in FILLS:
            flats[gain_db].append(_pair(rig, Scene("white"), exposure * fill, gain_db))
            done += 1
            progress(done, total)
    for gain_db in GAINS_DB:
        darks[gain_db] = _pair(rig, Scene("dark"), right_us / 10 ** (gain_db / 20), gain_db)
        done += 1
        progress(done, total)
    tone = rig.info.tone
    # the table of `linear_dn` is for whole levels; means lie between them
    levels = np.arange(256, dtype=np.float64)
    light = linear_dn(np.arange(256, dtype=np.uint8), tone).astype(np.float64)
    found = noise_model(flats, darks, inside=inside, unbend=lambda values: np.interp(values, levels, light))
    part = {
        "black_level_dn": found.black_level_dn,
        "gains": [[each.gain_db, each.e_per_dn, each.read_noise_e, each.read_noise_measured] for each in found.gains],
        "points": [[gain_db, [[p.level_dn, p.variance_dn2] for p in points]] for gain_db, points in found.points],
    }
    work.put("noise", part)
    lines = [
        f"Without light the picture reads {found.black_level_dn:.2f} of 255 (field step: {around.dark.level_dn:.2f})."
    ]
    lines += [
        f"At {each.gain_db:g} dB one level is {each.e_per_dn:.2f} electrons, and reading adds {each.read_noise_e:.2f}."
        for each in found.gains
    ]
    return lines


def aperture_step(rig: Rig, work: Work, progress: Progress, *, widest: float | None = None) -> list[str]:
    """Sweeps the iris both ways; returns what was found, in sentences. Raises InputError, HardwareError.

    Needs the field; the scale and the noise tell where diffraction and noise take over, if they are there.
    """
    info = rig.info
    if info.position_unit is None or not info.sets_exposure:
        raise InputError("aperture: this device has none that can be moved and measured; leave this step out")
    marked = widest or info.widest_f_number
    if marked is None:
        raise InputError("aperture: name the f-number of the widest opening, as on the lens: --widest-f 2.8")
    middle = _disc(rig, work, MIDDLE_SHARE)
    black = surroundings_from(work).dark.level_dn
    positions = info.positions
    total, done = 2 * len(positions) + len(PLACES) * VISITS, 0
    light = _Light(rig, middle, black, PROBE_US)

    def sample(position: float) -> Sample:
        nonlocal done
        done += 1
        progress(done, total)
        return Sample(position, light.measure())

    rig.move_iris(positions[0])
    up = []
    for position in positions:
        rig.move_iris(position)
        up.append(sample(position))
    down = []
    for position in reversed(positions):
        rig.move_iris(position)
        down.append(sample(position))
    again = []
    times = [rig.move_iris(positions[0]), rig.move_iris(positions[-1])][1:]
    for share in PLACES:
        position = positions[round(share * (len(positions) - 1))]
        visits = []
        for _ in range(VISITS):
            times.append(rig.move_iris(positions[0]))
            rig.move_iris(position)
            visits.append(sample(position))
        again.append(tuple(visits))
    rig.move_iris(positions[0])
    sweep = Sweep(tuple(up), tuple(down), tuple(again), tuple(times))
    found = aperture_table(sweep, marked)
    part = {name: getattr(found, name) for name in found.__slots__}
    part |= {
        "unit": info.position_unit,
        "up": [[s.position, s.light] for s in up],
        "down": [[s.position, s.light] for s in down],
        "noise_from": _noise_from(work, found.f_numbers, max(s.light for s in up), marked),
        "diffraction_from": _diffraction_from(work, found.f_numbers),
    }
    work.put("aperture", part)
    return [
        f"The iris goes from f/{found.f_numbers[0]:.1f} to f/{found.f_numbers[-1]:.1f} between positions "
        f"{min(found.lowest, found.highest):.4g} and {max(found.lowest, found.highest):.4g} ({info.position_unit}).",
        f"Play {found.backlash:.3g}, scatter {found.repeatability:.2g}, {found.move_s:.2f} s from end to end.",
        _told("Noise", part["noise_from"]) + " " + _told("Diffraction", part["diffraction_from"]),
    ]


def _told(what: str, f_number: object) -> str:
    return f"{what} takes over from f/{f_number:.1f}." if isinstance(f_number, float) else f"{what} takes over nowhere."


class _Light:
    """Light (linear DN above black a µs) with an exposure that follows it."""

    def __init__(self, rig: Rig, middle: Bool, black: float, exposure_us: float) -> None:
        self._rig, self._middle, self._black = rig, middle, black
        self._exposure_us = exposure_us

    def measure(self) -> float:
        for _ in range(6):
            shot = self._rig.take(Scene("white"), exposure_us=self._exposure_us)
            above = self._mean(shot) - self._black
            if LEAST_DN <= above <= MOST_DN - self._black:
                break
            self._exposure_us *= min(max(BEST_DN / max(above, 5.0), 0.25), 8.0)
        return above / (shot.exposure_us or self._exposure_us)

    def _mean(self, shot: Shot) -> float:
        return float(linear_dn(shot.luma, self._rig.info.tone)[self._middle].mean())

    @property
    def exposure_us(self) -> float:
        return self._exposure_us


def _right_exposure(rig: Rig, work: Work) -> float:
    """The exposure at gain 1 that fills the scale rightly, from a few pictures of the white paper."""
    light = _Light(rig, _disc(rig, work, MIDDLE_SHARE), surroundings_from(work).dark.level_dn, PROBE_US)
    return BEST_DN / light.measure()


def _pair(rig: Rig, scene: Scene, exposure_us: float, gain_db: float) -> FlatPair:
    first, second = (rig.take(scene, exposure_us=exposure_us, gain_db=gain_db).luma for _ in range(2))
    return FlatPair(first, second)


def _disc(rig: Rig, work: Work, share: float) -> Bool:
    """Pixels within this share of the field's radius, bool (height, width)."""
    part = work.part("field")
    y, x = np.ogrid[: rig.info.height, : rig.info.width]
    reach = share * part["radius_px"]
    disc: Bool = (x - part["centre_x_px"]) ** 2 + (y - part["centre_y_px"]) ** 2 <= reach**2
    return disc


def _noise_from(work: Work, f_numbers: tuple[float, ...], widest_light: float, widest: float) -> float | None:
    """Where mid-grey, at the longest exposure and the gain that it then needs, falls below LEAST_SNR."""
    if "noise" not in work.parts:
        return None
    gains = tuple(GainResult(db, e, read, bool(seen)) for db, e, read, seen in work.part("noise")["gains"])
    ratios = []
    for f_number in f_numbers:
        reached_dn = widest_light * (widest / f_number) ** 2 * LONGEST_US
        gain_db = max(20 * float(np.log10(BEST_DN / reached_dn)), 0.0)
        ratios.append(signal_to_noise(at_gain(gains, gain_db), MID_GREY_DN))
    return takes_over(f_numbers, ratios, LEAST_SNR, above=False)


def _diffraction_from(work: Work, f_numbers: tuple[float, ...]) -> float | None:
    """Where diffraction alone takes MOST_DIFFRACTION of the criterion."""
    if "scale" not in work.parts:
        return None
    part = work.part("scale")
    optics = Optics(magnification=Optics().pixel_pitch_um / part["um_per_px"])
    discs = [optics.diffraction_px(f_number) for f_number in f_numbers]
    return takes_over(f_numbers, discs, MOST_DIFFRACTION * part["criterion_px"], above=True)


StepFunction = Callable[[Rig, Work, Progress], list[str]]
