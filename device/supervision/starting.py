"""A start without a camera: on a board the lamp says so while it is tried, rather than stay dark."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from device.camera.protocol import Camera
from device.clock import MS, SECOND, Clock
from device.notify import notify
from device.pins.protocol import Lamp, Pins
from device.supervision.faults import CAMERA_SILENT, coded
from models.errors import CameraError, HardwareError

log = logging.getLogger("focusgate")

WAIT_NS = 4 * SECOND  # long enough to be seen; the starts themselves are counted, and lead to a reboot within the hour
TRY_NS = SECOND
PLAY_NS = 20 * MS  # a fifth of the lamp's shortest light


def opened(open_camera: Callable[[], Camera], pins: Pins, clock: Clock, *, patient: bool) -> Camera:
    """The camera, tried for WAIT_NS if `patient`, with the lamp at fault meanwhile. Raises CameraError."""
    until_ns = clock.now_ns() + WAIT_NS
    told = False
    while True:
        try:
            return open_camera()
        except CameraError as error:
            now_ns = clock.now_ns()
            if not patient or now_ns >= until_ns:
                raise
            if not told:
                line = coded(CAMERA_SILENT, error)
                log.warning("%s; tried again for %d s", line, WAIT_NS // SECOND)
                notify(f"STATUS={line}")
                told = True
        _play(pins, clock, now_ns + TRY_NS)


def _play(pins: Pins, clock: Clock, until_ns: int) -> None:
    """The lamp at fault until then; a missing guard is told later, by the gate."""
    pins.show(Lamp.FAULT)
    while (now_ns := clock.now_ns()) < until_ns:
        with contextlib.suppress(HardwareError):
            pins.tick(now_ns)
        clock.sleep_until_ns(now_ns + PLAY_NS)
