"""The rig of a real device: a person holds the targets, the camera takes the pictures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from calibration.linear import Tone
from device.backends import source_of
from device.calibrating.identity import device_serial
from device.calibrating.rig import PositionUnit, RigInfo, Scene, Shot
from device.camera.protocol import Camera
from device.clock import SECOND, Clock
from device.config import CameraConfig, Config
from device.config_board import ApertureConfig, FixedApertureConfig, PiCameraConfig, travel_of
from models.errors import CameraError, HardwareError, InputError

SETTLE_FRAMES = 4
"""Frames that a live camera may still have exposed before the target came, or with the settings before."""

POSITIONS = 17
REST_NS = 1600 * SECOND // 1000
"""Between two moves: the supervision of the actuator allows forty in a minute."""

Ask = Callable[[str], None]

WORDS = {
    "dark": "Cover the lens so that no light comes in (its cap, or a black cloth), and switch the light off.",
    "white": "Hold plain white paper before the lens, evenly lit, so that it fills the view.",
    "chart": "Hold the printed chart square before the lens, {distance}, so that it fills the view.",
    "texture": "Hold the printed texture before the lens, {distance}; shift and turn the sheet each time ({place}).",
}


class CameraRig:
    """Implements `device.calibrating.rig.Rig`. `ask` shows a line and returns when the person is ready.

    Frames are those of the configured camera. Where exposure and gain are asked for, a Pi camera is opened anew with
    them; another camera cannot be told.
    """

    def __init__(self, config: Config, clock: Clock, ask: Ask, *, tone: Tone, lens: str, widest: float | None) -> None:
        positions = positions_of(config.aperture)
        self._config = config.model_copy(update={"aperture": straight(config.aperture, positions)})
        self._clock, self._ask = clock, ask
        self._source = source_of(self._config, clock)
        self._camera: Camera = self._source.open()
        self._settings: tuple[int, float] | None = None
        self._shown: Scene | None = None
        self._moved_ns = -REST_NS
        units: dict[str, PositionUnit] = {"servo": "us", "stepper": "steps"}
        camera = self._camera.info
        self._info = RigInfo(
            serial=device_serial(),
            camera_id=camera.id,
            lens=lens,
            width=camera.width,
            height=camera.height,
            tone=tone,
            sets_exposure=isinstance(config.camera, PiCameraConfig),
            position_unit=units.get(config.aperture.kind),
            positions=positions,
            widest_f_number=widest,
        )

    @property
    def info(self) -> RigInfo:
        return self._info

    def take(self, scene: Scene, *, exposure_us: float | None = None, gain_db: float = 0.0) -> Shot:
        if scene != self._shown:
            self._ask(instruction(scene))
            self._shown = scene
        if exposure_us is not None:
            self._set(exposure_us, 10 ** (gain_db / 20))
        if self._camera.info.live:
            for _ in range(SETTLE_FRAMES):
                self._read()
        return self._read()

    def _read(self) -> Shot:
        frame = self._camera.read()
        if frame is None:
            raise CameraError(f"camera {self._info.camera_id}: no more pictures; give more of them, or a live camera")
        with frame:
            gain = frame.info.analogue_gain
            shot = Shot(frame.luma.copy(), frame.info.exposure_us, None if gain is None else 20 * math.log10(gain))
        if shot.luma.shape != (self._info.height, self._info.width):
            raise CameraError(
                f"camera {self._info.camera_id}: the pictures change their size; give them all of one size"
            )
        return shot

    def _set(self, exposure_us: float, gain: float) -> None:
        camera: CameraConfig = self._config.camera
        if not isinstance(camera, PiCameraConfig):
            raise InputError(
                f"a {camera.kind} camera cannot be told its exposure: noise and aperture are measured with a Pi camera "
                "only; leave these steps out"
            )
        wanted = (round(exposure_us), round(gain, 3))
        if wanted == self._settings:
            return
        changed = camera.model_copy(update={"exposure_us": wanted[0], "analogue_gain": max(wanted[1], 1.0)})
        self._camera.close()
        self._camera = source_of(self._config.model_copy(update={"camera": changed}), self._clock).open()
        self._settings = wanted

    def move_iris(self, position: float) -> float:
        """Straight there, without taking up the play, which is to be measured; slowly enough for the supervision."""
        aperture, positions = self._source.aperture, self._info.positions
        if not positions or not aperture.f_numbers:
            raise HardwareError("aperture: there is none that can be moved; leave this step out")
        self._clock.sleep_until_ns(self._moved_ns + REST_NS)
        target = int(np.abs(np.array(positions) - position).argmin())
        now = aperture.f_number
        at = 0 if now is None else int(np.abs(np.array(aperture.f_numbers) - now).argmin())
        began_ns = self._clock.now_ns()
        aperture.move(target - at)
        self._moved_ns = self._clock.now_ns()
        return (self._moved_ns - began_ns) / SECOND

    def close(self) -> None:
        self._camera.close()
        self._source.aperture.close()


def instruction(scene: Scene) -> str:
    """What the person is asked to do, in one sentence."""
    z = scene.distance_mm
    where = "at the working distance" if z == 0 else f"{abs(z):g} mm {'farther' if z > 0 else 'nearer'} than that"
    return WORDS[scene.target].format(distance=where, place=f"place {scene.place}")


def positions_of(aperture: ApertureConfig) -> tuple[float, ...]:
    """Where a sweep goes: evenly over the whole travel; nowhere if there is no drive."""
    if isinstance(aperture, FixedApertureConfig):
        return ()
    travel = travel_of(aperture)
    return tuple(float(each) for each in np.linspace(travel.lowest, travel.highest, POSITIONS))


def straight(aperture: ApertureConfig, positions: tuple[float, ...]) -> ApertureConfig:
    """The drive with a provisional table over its whole travel (numbers 1, 2, … for f-numbers) and no play taken up."""
    if isinstance(aperture, FixedApertureConfig):
        return aperture
    numbers = tuple(float(number) for number in range(1, len(positions) + 1))
    return aperture.model_copy(update={"f_numbers": numbers, "positions": positions, "backlash": 0.0})
