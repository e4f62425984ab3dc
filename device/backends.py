"""From configuration to hardware: one line for each back end. Never a silent fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calibration.profile import FieldSection, Profile
from device.aperture.fixed import FixedAperture
from device.aperture.protocol import Aperture
from device.aperture.simulated import SimulatedAperture
from device.camera.files import FilesCamera
from device.camera.protocol import Camera
from device.camera.simulated import SimulatedCamera
from device.camera.v4l2 import V4l2Camera
from device.clock import SECOND, Clock
from device.config import CameraConfig, FilesCameraConfig, SimulatedCameraConfig, V4l2CameraConfig
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


def source_of(config: CameraConfig, clock: Clock) -> Source:
    """The camera named by `config`, not yet opened."""
    match config:
        case SimulatedCameraConfig():
            return _simulated(config, clock)
        case FilesCameraConfig():
            return Source(
                lambda: FilesCamera(Path(config.path), clock, rate_hz=config.rate_hz, loop=config.loop),
                round(SECOND / config.rate_hz),
                FixedAperture(None),
            )
        case V4l2CameraConfig():
            return Source(
                lambda: V4l2Camera(config.device, clock, width=config.width, height=config.height, fps=config.fps),
                round(SECOND / config.fps),
                FixedAperture(None),
            )


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
