"""Which device is examined: what its configuration asks for decides which checks apply."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.config import Config

SERVICE_USER = "focusgate"


@dataclass(frozen=True, slots=True)
class I2cDevice:
    """A chip on an I²C bus: number of the bus, 7-bit address, what it is."""

    bus: int
    address: int
    name: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What the checks need to know of the configuration."""

    camera: str = "simulated"
    camera_path: str | None = None  # of a camera that is a file or a device
    pins: str = "simulated"
    shutter_pin: int | None = None  # BCM number
    i2c: I2cDevice | None = None
    store: Path = Path()
    profile: Path | None = None
    manifest: Path | None = None
    trusted_keys: Path | None = None
    config_file: Path | None = None

    @property
    def board(self) -> bool:
        """Whether this is meant to be a board, and not a desk with simulated hardware."""
        return self.camera == "picamera2" or self.pins == "rpi"


def subject_of(config: Config, config_file: Path | None, store: Path, profile: Path | None) -> Subject:
    """The examined device. Sections that a back end does not have are simply absent."""
    values: dict[str, Any] = config.model_dump()
    camera, pins, aperture = values["camera"], values["pins"], values.get("aperture") or {}
    path = {"files": camera.get("path"), "v4l2": f"/dev/video{camera.get('device')}"}.get(camera["kind"])
    i2c = None
    if aperture.get("kind") == "servo":
        i2c = I2cDevice(int(aperture["bus"]), int(aperture["address"]), "PCA9685 of the aperture servo")
    return Subject(
        camera=camera["kind"],
        camera_path=path,
        pins=pins["kind"],
        shutter_pin=pins.get("shutter"),
        i2c=i2c,
        store=store,
        profile=profile,
        manifest=Path(config.model.manifest) if config.model.manifest else None,
        trusted_keys=Path(config.model.trusted_keys) if config.model.trusted_keys else None,
        config_file=config_file,
    )
