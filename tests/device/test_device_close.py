"""The end of a device: whatever part fails, the outputs are safe and what waits is saved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from device.app import Device
from models.errors import CameraError, HardwareError

PARTS = ("pins", "camera", "recorder", "aperture")


def device_of(closed: list[str], failing: tuple[str, ...]) -> Device:
    def part(name: str) -> Any:
        def close() -> None:
            closed.append(name)
            if name in failing:
                raise (CameraError if name == "camera" else HardwareError)(f"{name} does not close")

        return SimpleNamespace(close=close)

    parts = {name: part(name) for name in PARTS}
    nothing: Any = None
    return Device(
        source=SimpleNamespace(aperture=parts["aperture"]),  # type: ignore[arg-type]
        judging=nothing,
        profile=None,
        clock=nothing,
        pins=parts["pins"],
        recorder=parts["recorder"],
        faults=nothing,
        camera=parts["camera"],
        vision=nothing,
        decision=nothing,
        aperture_steps=nothing,
    )


@pytest.mark.parametrize("failing", [(), *((name,) for name in PARTS), PARTS])
def test_every_part_is_closed_in_order_whichever_fails(failing: tuple[str, ...]) -> None:
    closed: list[str] = []
    device = device_of(closed, failing)
    if failing:
        with pytest.raises((CameraError, HardwareError), match="does not close"):
            device.close()
    else:
        device.close()
    assert closed == list(PARTS)
