"""The loops of the device, each with one `tick`: camera and vision here, the decision in `decision`.

The threads of `app` call `tick` again and again; the instant runner calls them in turn on a fake clock. Nothing else
differs between a real run and a test.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from device.camera.protocol import Camera
from device.clock import MS, SECOND, Clock
from device.frame import Frame
from device.mailbox import FrameSlot, Queue
from device.status import Faults, Rate
from device.supervision.beats import USUAL_NS, Beat
from device.supervision.faults import CAMERA_FROZEN, CAMERA_SILENT, SCORES_REFUSED, coded
from models.classifier import Classifier, Judging
from models.errors import CameraError, InputError, ModelError
from models.focusmap import FocusMap

log = logging.getLogger("focusgate")

FROZEN_AFTER = 3  # identical pictures in a row from a live camera: a sensor's noise never repeats
FROZEN_STRIDE_PX = 16
FROZEN = "the picture is frozen"
FIRST_RETRY_NS = 250 * MS
LONGEST_RETRY_NS = 4 * SECOND
READ_S = 1.5  # a live camera has one frame a second at least; below what a thread may be silent for
FILE_READ_S = 2.0  # files may come every two seconds
FILE_NS = 5 * SECOND  # … and a large one takes its time to decode
OPEN_NS = 15 * SECOND  # a camera stack that starts anew
JUDGE_NS = 1500 * MS  # a classifier at its work; below two frames a second nothing opens anyway
GIVE_UP_NS = 10 * SECOND  # a camera away for longer ends the process; the service manager starts it anew


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A frame (held) with its own map."""

    frame: Frame
    focus_map: FocusMap
    judge_ns: int


class CameraLoop:
    """Reads the camera, hands each frame to vision and keeps the newest for an override.

    A camera that fails is closed and opened again with growing pauses; the gate is closed by a fault meanwhile.
    Raises CameraError when it stays away for GIVE_UP_NS, or at once if it is not live (a file does not mend itself).
    """

    def __init__(self, camera: Camera, reopen: Callable[[], Camera], clock: Clock, faults: Faults) -> None:
        self.newest = FrameSlot()
        self.to_vision = FrameSlot()
        self.rate = Rate()
        self.frames = 0
        self.ended = False
        self.beat = Beat("camera", clock.now_ns())
        self._camera: Camera | None = camera
        self.info = camera.info
        self._reopen = reopen
        self._clock = clock
        self._faults = faults
        self._pause_ns = FIRST_RETRY_NS
        self._failing_since_ns: int | None = None
        self._same = 0
        self._signature = -1
        self._newest = (0, -1)  # number and exposure of the last frame
        self._numbered = 0  # frames of the cameras before this one: each counts from 1

    def tick(self) -> None:
        """One frame, or one attempt to get the camera back."""
        try:
            if self._camera is None:
                self.beat.mark(self._clock.now_ns(), OPEN_NS)
                self._camera = self._opened_again()
            self.beat.mark(self._clock.now_ns(), USUAL_NS if self.info.live else FILE_NS)
            frame = self._camera.read(READ_S if self.info.live else FILE_READ_S)
            if frame is None:
                self.ended = True
                return
            is_new = self._check(frame)
        except CameraError as error:
            self._failed(error)
            return
        if is_new:
            self._deliver(frame)

    def close(self) -> None:
        self.newest.clear()
        self.to_vision.clear()
        if self._camera is not None:
            self._camera.close()

    def _deliver(self, frame: Frame) -> None:
        if self._failing_since_ns is not None:
            log.warning("camera: frames again")
            self._failing_since_ns = None
        self._pause_ns = FIRST_RETRY_NS
        self._faults.clear("camera")
        self.frames += 1
        self.rate.mark(self._clock.now_ns())
        self.to_vision.put(frame.hold())
        self.newest.put(frame)

    def _opened_again(self) -> Camera:
        """The gate goes on with the camera that it began with, and with no other: it was calibrated for that one."""
        camera = self._reopen()
        if camera.info != self.info:
            camera.close()
            raise CameraError(f"camera {camera.info.id}: is not the one in use, {self.info.id}; connect that one again")
        self._numbered, _ = self._newest
        return camera

    def _check(self, frame: Frame) -> bool:
        """Number the frame on, and refuse one that cannot be what it says. A frame refused is closed.

        False, and closed, for a picture that a live camera delivered before: it is no new exposure, whatever it says.
        """
        frame.id += self._numbered
        problem = self._problem(frame)
        if problem is not None:
            frame.close()
            fault = CAMERA_FROZEN if problem == FROZEN else CAMERA_SILENT
            raise CameraError(coded(fault, f"camera {self.info.id}: {problem}; the camera is restarted"))
        self._newest = (frame.id, frame.exposed_ns)
        repeated = self._same > 1
        if repeated:
            frame.close()
        return not repeated

    def _problem(self, frame: Frame) -> str | None:
        """Frames get newer, none is of the future, and those of a live camera have its size and differ."""
        number, exposed_ns = self._newest
        if frame.id <= number or frame.exposed_ns <= exposed_ns:
            return f"frame {frame.id} is not newer than the one before"
        if frame.exposed_ns > self._clock.now_ns():
            return f"frame {frame.id} is said to be of the future"
        if not self.info.live:
            return None
        luma = frame.luma
        if luma.shape != (self.info.height, self.info.width) or luma.dtype != np.uint8:
            return f"delivers {luma.dtype} {luma.shape} where uint8 {(self.info.height, self.info.width)} was due"
        signature = zlib.crc32(luma[::FROZEN_STRIDE_PX, ::FROZEN_STRIDE_PX].tobytes())
        self._same = self._same + 1 if signature == self._signature else 1
        self._signature = signature
        if self._same < FROZEN_AFTER:
            return None
        self._same = 1
        return FROZEN

    def _failed(self, error: CameraError) -> None:
        now_ns = self._clock.now_ns()
        self.newest.clear()
        self.to_vision.clear()
        line = coded(CAMERA_SILENT, error)
        self._faults.raise_("camera", line)
        self.beat.mark(now_ns, OPEN_NS)
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        if self._failing_since_ns is None:
            self._failing_since_ns = now_ns
            if self.info.live:
                log.warning("%s; gate closed, trying again for %d s", line, GIVE_UP_NS // SECOND)
        if not self.info.live or now_ns - self._failing_since_ns >= GIVE_UP_NS:
            raise error
        self.beat.mark(now_ns, self._pause_ns + USUAL_NS)
        self._clock.sleep_until_ns(now_ns + self._pause_ns)
        self._pause_ns = min(2 * self._pause_ns, LONGEST_RETRY_NS)


class VisionLoop:
    """Newest frame in, judged frame out, at the classifier's own pace. `judging` may depend on the analogue gain."""

    def __init__(
        self,
        *,
        classifier: Classifier,
        judging: Judging | Callable[[float | None], Judging],
        frames: FrameSlot,
        judged: Queue[Judged],
        clock: Clock,
        faults: Faults,
    ) -> None:
        self.rate = Rate()
        self.count = 0
        self.beat = Beat("vision", clock.now_ns(), JUDGE_NS)
        self._classifier = classifier
        self._judging = judging if callable(judging) else lambda _gain: judging
        self._frames = frames
        self._judged = judged
        self._clock = clock
        self._faults = faults

    def tick(self, timeout_s: float = 0.1) -> None:
        """Judge the newest frame, if one comes within `timeout_s`. A model that fails closes the gate by a fault."""
        self.beat.mark(self._clock.now_ns(), JUDGE_NS)
        frame = self._frames.take(timeout_s)
        if frame is None:
            return
        started_ns = self._clock.now_ns()
        try:
            judging = self._judging(frame.info.analogue_gain)
            focus_map = self._classifier.judge(frame.luma, judging, frame_id=frame.id, exposed_ns=frame.exposed_ns)
        except (ModelError, InputError) as error:
            frame.close()
            self._faults.raise_("model", coded(SCORES_REFUSED, error))
            return
        self._faults.clear("model")
        now_ns = self._clock.now_ns()
        self.count += 1
        self.rate.mark(now_ns)
        if not self._judged.put(Judged(frame, focus_map, now_ns - started_ns)):
            frame.close()  # the decision loop stands still: its evidence is going stale anyway
