"""The sections of the configuration for real parts: camera, pins, aperture, and the aperture's assistant."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from device.aperture.plan import Travel
from device.aperture.stepper import Homing
from device.aperture.table import ApertureTable
from device.assist import AssistSettings
from device.camera.picamera2_settings import PiCameraSettings
from device.config_base import Section
from device.optics_model import Optics
from device.pins.reserve import FIRST_BCM, I2C_CLAIMS, LAST_BCM, Claim, PinMap
from models.errors import InputError

Bcm = Annotated[int, Field(ge=FIRST_BCM, le=LAST_BCM)]


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(before < after for before, after in pairwise(values)):
        raise ValueError("must rise from one to the next")
    return values


def _one_way(values: tuple[float, ...]) -> tuple[float, ...]:
    if len({before < after for before, after in pairwise(values)}) != 1 or len(set(values)) != len(values):
        raise ValueError("must all rise or all fall")
    return values


_LIST = Field(min_length=2, max_length=64, strict=False)
FNumber = Annotated[float, Field(gt=0.5, le=64.0)]
Pulse = Annotated[float, Field(ge=500.0, le=2500.0)]
Steps = Annotated[float, Field(gt=0.0, le=100_000.0)]
FNumbers = Annotated[tuple[FNumber, ...], _LIST, AfterValidator(_rising)]
Pulses = Annotated[tuple[Pulse, ...], _LIST, AfterValidator(_one_way)]
StepCounts = Annotated[tuple[Steps, ...], _LIST, AfterValidator(_one_way)]
Even = Annotated[int, Field(ge=256, le=8192, multiple_of=2)]


class PiCameraConfig(Section):
    kind: Literal["picamera2"] = "picamera2"
    name: str | None = Field(None, description="part of the camera's model or path; none: the only one there is")
    width: Even | None = Field(None, description="frame width, px; none: the sensor's")
    height: Even | None = Field(None, description="frame height, px; none: the sensor's")
    fps: float = Field(15.0, ge=3.0, le=60.0, description="frames a second; bounds the exposure too")
    buffers: int = Field(6, ge=4, le=16, description="frames of camera memory; three are always the sensor's")
    layout: Literal["YUV420", "NV12"] = Field("YUV420", description="order of the planes; NV12 for virtual cameras")
    exposure_us: int | None = Field(None, ge=20, le=300_000, description="fixed exposure, µs; none: automatic")
    analogue_gain: float | None = Field(None, ge=1.0, le=64.0, description="fixed gain; none: automatic")
    red_gain: float | None = Field(None, ge=0.1, le=8.0, description="white balance, with blue_gain; none: automatic")
    blue_gain: float | None = Field(None, ge=0.1, le=8.0, description="white balance, with red_gain; none: automatic")
    lens_position_dioptre: float | None = Field(
        None, ge=0.0, le=32.0, description="focus of a lens with a motor, 1/m; none: left alone"
    )

    def settings(self) -> PiCameraSettings:
        """The same in the driver's words. Raises InputError for half a white balance."""
        values = self.model_dump(exclude={"kind", "red_gain", "blue_gain"})
        if (self.red_gain is None) != (self.blue_gain is None):
            raise InputError("camera.red_gain and camera.blue_gain go together; set both or none")
        balance = None if self.red_gain is None or self.blue_gain is None else (self.red_gain, self.blue_gain)
        return PiCameraSettings(**values, white_balance=balance)


_PINS = PinMap()


class RpiPinsConfig(Section):
    kind: Literal["rpi"] = "rpi"
    capture: Bcm = Field(_PINS.capture, description="button to ground (BCM number)")
    override: Bcm = Field(_PINS.override, description="button to ground (BCM number)")
    aperture_open: Bcm | None = Field(None, description="button to ground (BCM number); none: not fitted")
    aperture_close: Bcm | None = Field(None, description="button to ground (BCM number); none: not fitted")
    lamp_red: Bcm = Field(_PINS.lamp_red, description="LED, lit by a high line (BCM number)")
    lamp_green: Bcm = Field(_PINS.lamp_green, description="LED, lit by a high line (BCM number)")
    lamp_blue: Bcm = Field(_PINS.lamp_blue, description="LED, lit by a high line (BCM number)")
    buzzer: Bcm = Field(_PINS.buzzer, description="passive piezo (BCM number)")
    shutter: Bcm = Field(_PINS.shutter, description="enable line of the guard (BCM number); as in board.env")
    guard_socket: str = Field("/run/focusgate/guard.sock", description="where the guard listens")

    def pins(self) -> PinMap:
        return PinMap(**self.model_dump(exclude={"kind", "guard_socket"}))


class FixedApertureConfig(Section):
    kind: Literal["fixed"] = "fixed"
    f_number: FNumber | None = Field(None, description="f-number of the lens; none: not known")

    def claims(self) -> tuple[Claim, ...]:
        return ()


class ServoApertureConfig(Section):
    kind: Literal["servo"] = "servo"
    bus: int = Field(1, ge=0, le=63, description="N of /dev/i2c-N")
    address: int = Field(0x40, ge=0x08, le=0x77, description="I²C address of the PCA9685")
    channel: int = Field(0, ge=0, le=15, description="output of the PCA9685")
    enable: Bcm | None = Field(None, description="line to the chip's OE, with a pull-up (BCM number); none: not wired")
    f_numbers: FNumbers = Field(description="the calibrated points, rising")
    positions: Pulses = Field(description="pulse at each point, µs")
    lowest: Pulse = Field(900.0, description="shortest pulse ever, µs")
    highest: Pulse = Field(2100.0, description="longest pulse ever, µs")
    rate_per_s: float = Field(1500.0, gt=0.0, le=10_000.0, description="fastest change of the pulse, µs a second")
    backlash: float = Field(20.0, ge=0.0, le=500.0, description="slack of the linkage, µs of pulse")
    settle_s: float = Field(0.1, ge=0.0, le=0.5, description="rest before the power is taken away, s")
    longest_s: float = Field(1.5, gt=0.0, le=1.5, description="longest move, s")

    def claims(self) -> tuple[Claim, ...]:
        """Lines that must not be anything else; bus 1 has lines of its own on the header."""
        bus = I2C_CLAIMS if self.bus == 1 else ()
        return bus if self.enable is None else (*bus, ("aperture.enable", self.enable))


class StepperApertureConfig(Section):
    kind: Literal["stepper"] = "stepper"
    step: Bcm | None = Field(None, description="STEP of a driver chip (BCM number), with direction and enable")
    direction: Bcm | None = Field(None, description="DIR of a driver chip (BCM number)")
    enable: Bcm | None = Field(None, description="ENABLE of a driver chip, with a pull-up (BCM number)")
    phases: Annotated[tuple[Bcm, Bcm, Bcm, Bcm], Field(strict=False)] | None = Field(
        None, description="four BCM numbers, instead of step, direction and enable"
    )
    switch: Bcm = Field(25, description="end switch to ground (BCM number)")
    f_numbers: FNumbers = Field(description="the calibrated points, rising")
    positions: StepCounts = Field(description="steps above the end switch at each point")
    highest: Steps = Field(description="never go beyond, steps")
    rate_per_s: float = Field(400.0, gt=0.0, le=2000.0, description="steps a second")
    backlash: float = Field(8.0, ge=0.0, le=1000.0, description="slack of the gears, steps")
    settle_s: float = Field(0.05, ge=0.0, le=0.5, description="rest before the power is taken away, s")
    longest_s: float = Field(1.5, gt=0.0, le=1.5, description="longest move, s")
    longest_steps: int = Field(description="way to the end switch that means a jam, steps", gt=0, le=200_000)
    clear_steps: int = Field(40, ge=1, le=1000, description="way up after which the switch must be free, steps")

    def claims(self) -> tuple[Claim, ...]:
        """The lines of the motor and its switch. Raises InputError unless they are those of one kind of drive."""
        chip = (("aperture.step", self.step), ("aperture.direction", self.direction), ("aperture.enable", self.enable))
        fitted = tuple((name, bcm) for name, bcm in chip if bcm is not None)
        if len(fitted) != (0 if self.phases else 3):
            raise InputError("aperture: set either step, direction and enable, or phases, and nothing of the other")
        phases = tuple((f"aperture.phases[{index}]", bcm) for index, bcm in enumerate(self.phases or ()))
        return (*fitted, *phases, ("aperture.switch", self.switch))

    def homing(self) -> Homing:
        return Homing(self.longest_steps, self.clear_steps)


def table_of(config: ServoApertureConfig | StepperApertureConfig) -> ApertureTable:
    """Raises InputError for a table that is none."""
    return ApertureTable(config.f_numbers, config.positions)


def travel_of(config: ServoApertureConfig | StepperApertureConfig) -> Travel:
    """A stepper counts from its switch, and never goes below where that is free."""
    lowest = config.lowest if isinstance(config, ServoApertureConfig) else float(config.clear_steps)
    return Travel(lowest, config.highest, config.rate_per_s, config.backlash, config.settle_s, config.longest_s)


class AssistConfig(Section):
    enabled: bool = Field(False, description="move the aperture when too little is in focus")
    pixel_pitch_um: float = Field(1.4, gt=0.2, le=20.0, description="size of a pixel, µm")
    magnification: float = Field(0.075, gt=0.0, le=10.0, description="image size over object size")
    hand_mm_s: float = Field(2.0, ge=0.0, le=100.0, description="sideways speed of the hand, mm/s")
    longest_us: float = Field(33_000.0, ge=100.0, le=300_000.0, description="longest exposure, µs")
    largest_gain: float = Field(8.0, ge=1.0, le=64.0, description="gain beyond which the aperture is not closed")

    def settings(self, criterion_px: float) -> AssistSettings:
        """With the criterion that the gate's frames are judged by, px."""
        optics = Optics(pixel_pitch_um=self.pixel_pitch_um, magnification=self.magnification, hand_mm_s=self.hand_mm_s)
        return AssistSettings(
            criterion_px=criterion_px, longest_us=self.longest_us, largest_gain=self.largest_gain, optics=optics
        )


ApertureConfig = Annotated[
    FixedApertureConfig | ServoApertureConfig | StepperApertureConfig, Field(discriminator="kind")
]
