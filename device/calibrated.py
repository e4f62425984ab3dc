"""What a run makes of its profile: whether it may be used, what it changes in the configuration, and drift in use."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from calibration.drift import DriftState, next_state, warning_of
from calibration.profile import ApertureSection, Profile, validity
from calibration.profile_file import Trust, read_profile
from device.calibrating.identity import device_serial
from device.config import Config, SimulatedCameraConfig
from device.config_board import ApertureConfig, FixedApertureConfig, ServoApertureConfig, table_of, travel_of
from device.gate import GateState, Mode
from device.loops import Judged
from device.status import Faults
from device.store.files import POSIX, write_durably
from device.supervision.faults import DRIFTING, PROFILE_AGES, PROFILE_UNSIGNED, coded
from models.errors import InputError
from models.focusmap import FocusMap

log = logging.getLogger("focusgate")

DRIFT_FILE = "drift.json"
LEAST_POINTS = 2
LEAST_FRAMES = 3
"""Frames of an opening that make a score; fewer are a flicker."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The profile of a run, and what is to be told of it: lines with their codes, by part."""

    profile: Profile
    notices: tuple[tuple[str, str], ...] = ()


def profile_in_force(config: Config, path: Path, now: datetime, *, clock_is_set: bool) -> InForce:
    """The profile in `path`, if this configuration lets this device use it now.

    Raises InputError, one line with what to do: torn, foreign key, unsigned where that is refused, of another device,
    expired, with an iris that is not this one. Camera and model are looked at once both are open.
    """
    policy = config.profile
    trust = Trust(Path(policy.trusted_key) if policy.trusted_key else None, policy.unsigned)
    read = read_profile(path, trust)
    profile = read.profile
    if profile.device_serial is not None and not isinstance(config.camera, SimulatedCameraConfig):
        found = device_serial()
        if profile.device_serial != found:
            raise InputError(
                f"{path}: made for device {profile.device_serial}, this is {found}; use this device's profile, or none"
            )
    with_profile(config, profile)  # what it changes must be possible
    held = validity(profile, now, clock_is_set=clock_is_set)
    if held.expired is not None and policy.expired == "refuse":
        raise InputError(held.expired)
    notices = []
    if held.expired or held.warning:
        notices.append(("calibration age", coded(PROFILE_AGES, held.expired or held.warning)))
    if read.signed_by is None and profile.version > 1:
        notices.append(("calibration signature", coded(PROFILE_UNSIGNED, f"{path}: no trusted signature")))
    return InForce(profile, tuple(notices))


def with_profile(config: Config, profile: Profile | None) -> Config:
    """The configuration with what was measured in place of what was assumed: table and play of the iris, scale.

    Raises InputError if the table is not one of this actuator.
    """
    if profile is None:
        return config
    changes: dict[str, object] = {}
    if profile.aperture is not None:
        changes["aperture"] = measured_aperture(config.aperture, profile.aperture, profile.name)
    if profile.um_per_px is not None:
        magnification = config.assist.pixel_pitch_um / profile.um_per_px
        changes["assist"] = config.assist.model_copy(update={"magnification": magnification})
    return config.model_copy(update=changes)


def measured_aperture(config: ApertureConfig, section: ApertureSection, name: str) -> ApertureConfig:
    """The drive with the measured table, play and all, within its configured travel. Raises InputError."""
    if isinstance(config, FixedApertureConfig):
        return config
    unit = "us" if isinstance(config, ServoApertureConfig) else "steps"
    if section.unit != unit:
        raise InputError(
            f"profile {name}: its aperture table is in {section.unit}, this {config.kind} takes {unit}; use this "
            "device's profile"
        )
    travel = travel_of(config)
    lowest = travel.lowest + section.backlash  # every position is reached from below, by more than the play
    points = [
        (f_number, position)
        for f_number, position in zip(section.f_numbers, section.positions, strict=True)
        if lowest <= position <= travel.highest
    ]
    if len(points) < LEAST_POINTS:
        raise InputError(
            f"profile {name}: {len(points)} points of its aperture table lie within the travel ({lowest:g} to "
            f"{travel.highest:g} {unit}); use this device's profile, or calibrate anew"
        )
    f_numbers, positions = zip(*points, strict=True)
    changed = config.model_copy(update={"f_numbers": f_numbers, "positions": positions, "backlash": section.backlash})
    travel_of(changed).check(table_of(changed))
    return changed


class DriftWatch:
    """Watches the scores of openings. `observe` is called by the decision loop, `tick` by the slow one."""

    def __init__(self, profile: Profile, path: Path | None) -> None:
        self._reference = profile.reference.score_mean if profile.reference is not None else None
        self._path = path
        self._state = _held(path, profile.sha256())
        self._scores: deque[float] = deque(maxlen=64)
        self._sum, self._frames = 0.0, 0
        self._lock = threading.Lock()

    @property
    def state(self) -> DriftState:
        return self._state

    def observe(self, found: FocusMap, state: GateState) -> None:
        """One judged frame and the gate after it. An opening ends when the gate is open no more."""
        if state.mode is Mode.OPEN and found.judged_tiles:
            self._sum += float(found.p_in_focus[found.judged].mean())
            self._frames += 1
            return
        if self._frames >= LEAST_FRAMES:
            with self._lock:
                self._scores.append(self._sum / self._frames)
        self._sum, self._frames = 0.0, 0

    def tick(self, faults: Faults) -> None:
        """Take in the openings since; warn, or stop warning."""
        with self._lock:
            scores = tuple(self._scores)
            self._scores.clear()
        if not scores:
            return
        for score in scores:
            self._state = next_state(self._state, score)
        self._keep()
        warning = warning_of(self._state, self._reference)
        if warning is not None:
            faults.raise_("drift", coded(DRIFTING, warning))
        else:
            faults.clear("drift")

    def _keep(self) -> None:
        """A statistic that is lost begins anew: no reason to trouble anybody."""
        if self._path is None:
            return
        try:
            write_durably(POSIX, self._path, json.dumps(asdict(self._state)).encode())
        except OSError as error:
            log.info("drift: %s cannot be written (%s)", self._path.name, error.strerror)


def watched(
    on_judged: Callable[[Judged, GateState], None], drift: DriftWatch | None
) -> Callable[[Judged, GateState], None]:
    """`on_judged`, and the drift after it."""
    if drift is None:
        return on_judged

    def both(item: Judged, state: GateState) -> None:
        on_judged(item, state)
        drift.observe(item.focus_map, state)

    return both


def _held(path: Path | None, profile_sha256: str) -> DriftState:
    """The state of before, if it is whole and of this profile; else a new one."""
    fresh = DriftState(profile_sha256)
    if path is None:
        return fresh
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        state = DriftState(
            str(values["profile"]),
            int(values["openings"]),
            float(values["mean"]),
            float(values["squares"]),
            float(values["fall"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return fresh
    return state if state.profile == profile_sha256 and 0.0 <= state.mean <= 1.0 and state.fall >= 0.0 else fresh
