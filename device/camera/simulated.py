"""The camera of the simulated colposcope."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from device.camera.protocol import CameraInfo
from device.clock import SECOND, Clock
from device.frame import ExposureInfo, Frame
from device.simulation.world import SimulatedWorld


class SimulatedCamera:
    """Exposes the world at its frame rate, on any clock: a fake one is moved to the next exposure, so that simulated
    time passes as fast as frames are read. Frames that are not read in time are never taken, as on a real sensor: a
    late reader gets one exposed now, and the next when it is due."""

    def __init__(self, world: SimulatedWorld, clock: Clock, *, fps: float = 10.0) -> None:
        self._world = world
        self._clock = clock
        self._period_ns = round(SECOND / fps)
        self._due_ns = clock.now_ns()
        world.start(self._due_ns)
        self._number = 0

    @property
    def info(self) -> CameraInfo:
        settings = self._world.settings
        return CameraInfo(f"simulated:{settings.seed}", "simulated", settings.width, settings.height, live=True)

    def read(self, timeout_s: float = 2.0) -> Frame:
        """The next frame; it never fails and never ends. `timeout_s` is not needed."""
        del timeout_s
        self._clock.sleep_until_ns(self._due_ns)
        exposed_ns = max(self._due_ns, self._clock.now_ns())
        missed = (exposed_ns - self._due_ns) // self._period_ns
        self._due_ns += (missed + 1) * self._period_ns
        self._number += 1
        world = self._world
        seen = world.expose(exposed_ns)
        return Frame(
            id=self._number,
            exposed_ns=exposed_ns,
            luma=seen.luma,
            still=lambda: world.still(seen),
            info=ExposureInfo(
                exposure_us=seen.exposure.exposure_us,
                analogue_gain=seen.exposure.gain,
                f_number=seen.f_number,
                sequence=self._number,
            ),
        )

    def close(self) -> None:
        """Nothing is held; the world stays as it is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
