"""From configuration to hardware: one line for each back end. Never a silent fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from calibration.profile import FieldSection, Profile
from device.aperture.protocol import Aperture
from device.aperture.simulated import SimulatedAperture
from device.board import check_wiring, open_aperture, open_pins
from device.camera.files import FilesCamera
from device.camera.picamera2 import PiCamera
from device.camera.protocol import Camera
from device.camera.simulated import SimulatedCamera
from device.camera.v4l2 import V4l2Camera
from device.clock import SECOND, Clock
from device.config import (
    CameraConfig,
    Config,
    FilesCameraConfig,
    PinsConfig,
    SimulatedCameraConfig,
    SimulatedPinsConfig,
    V4l2CameraConfig,
)
from device.config_board import PiCameraConfig, RpiPinsConfig
from device.pins.protocol import Pins
from device.pins.rpi import RpiGpio
from device.pins.simulated import SimulatedPins
from device.simulation.settings import WorldSettings
from device.simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True)
class Source:
    """Where frames come from: how to open it (again), the aperture in front of it, and the world if it is simulated."""

    open: Callable[[], Camera]
    period_ns: int  # time from one frame to the next
    aperture: Aperture
    world: SimulatedWorld | None = None
    profile: Profile | None = None


@cache
def _board() -> RpiGpio:
    """The board's lines; RPi.GPIO keeps its state in the module, so there is one of these in a process."""
    return RpiGpio()


def pins_of(config: PinsConfig, clock: Clock) -> Pins:
    """Buttons, lamp, buzzer and shutter line. Raises HardwareError if a line cannot be had."""
    match config:
        case SimulatedPinsConfig():
            return SimulatedPins(clock)
        case RpiPinsConfig():
            return open_pins(config, clock, _board())


def source_of(config: Config, clock: Clock) -> Source:
    """The camera of `config`, not yet opened, and the aperture. A simulated camera brings its own iris.

    Raises InputError if two parts want one line.
    """
    camera = config.camera
    check_wiring(config.pins if isinstance(config.pins, RpiPinsConfig) else None, config.aperture)
    if isinstance(camera, SimulatedCameraConfig):
        return _simulated(camera, clock)
    open_camera, fps = _camera_of(camera, clock)
    return Source(open_camera, round(SECOND / fps), open_aperture(config.aperture, clock, _board))


def _camera_of(config: CameraConfig, clock: Clock) -> tuple[Callable[[], Camera], float]:
    """How to open a camera that is not simulated, and its frames a second."""
    match config:
        case FilesCameraConfig():
            path, rate_hz = Path(config.path), config.rate_hz
            return lambda: FilesCamera(path, clock, rate_hz=rate_hz, loop=config.loop), rate_hz
        case V4l2CameraConfig():
            number, width, height, fps = config.device, config.width, config.height, config.fps
            return lambda: V4l2Camera(number, clock, width=width, height=height, fps=fps), fps
        case PiCameraConfig():
            return lambda: PiCamera(config.settings(), clock), config.fps
        case SimulatedCameraConfig():
            return _simulated(config, clock).open, config.fps


def _simulated(config: SimulatedCameraConfig, clock: Clock) -> Source:
    """The simulated device knows its own field of view, as a calibrated one does."""
    world = SimulatedWorld(WorldSettings(seed=config.seed, width=config.width, height=config.height))
    field = world.field_of_view
    profile = Profile(
        schema=1,
        name="simulated",
        field=FieldSection(centre_x_px=field.centre_x_px, centre_y_px=field.centre_y_px, radius_px=field.radius_px),
    )
    return Source(
        lambda: SimulatedCamera(world, clock, fps=config.fps),
        round(SECOND / config.fps),
        SimulatedAperture(world),
        world,
        profile,
    )
