"""All checks, in the order in which they are shown: what the others rest upon comes first."""

from __future__ import annotations

from device.doctor import hardware, system
from device.doctor.finding import Finding
from device.doctor.probe import Probe
from device.doctor.subject import Subject


def examine(probe: Probe, device: Subject) -> tuple[Finding, ...]:
    """One finding a check."""
    return (
        system.operating_system(probe),
        system.python(probe, device),
        system.configuration(device),
        system.groups(probe, device),
        hardware.camera(probe, device),
        hardware.camera_memory(probe, device),
        hardware.gpio(probe, device),
        hardware.shutter_line(probe, device),
        hardware.i2c(probe, device),
        hardware.watchdog(probe, device),
        hardware.power(probe, device),
        system.disk(probe, device),
        system.clock(probe),
        system.model(probe, device),
        system.profile(probe, device),
        system.service(probe, device),
        system.exposure(probe, device),
    )
