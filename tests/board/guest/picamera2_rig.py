"""Adapters between picamera2 and libcamera's virtual camera, loaded by picamera2 on the virtual board only.

What they stand for: a sensor's own frame rate, its list of modes, its noise, a receiver that takes both planes in one
buffer, and one that says whether a transfer succeeded.
The virtual camera completes a request at once; here each is handed to it at the frame rate instead, so that the
sensor's timestamp is the time at which the picture was "exposed".
"""

from __future__ import annotations

import itertools
import mmap
import os
import queue
import sys
import threading
import time
from typing import Any

import libcamera
import picamera2.picamera2 as module
from picamera2.allocators import LibcameraAllocator
from picamera2.request import CompletedRequest

FRAME_RATE_HZ = float(os.environ.get("RIG_FPS", "8"))
STALL = "/run/rig-stall"  # while this file is there, the camera delivers nothing

_raw_modes = module.Picamera2._get_raw_modes
_queue_request = libcamera.Camera.queue_request
_completed = CompletedRequest.__init__
_camera: list[Any] = []  # the last is the one that is opened
_waiting: queue.Queue[tuple[Any, Any]] = queue.Queue()
_noise = itertools.count()


def modes(camera: module.Picamera2) -> list[dict[str, Any]]:
    """The virtual camera has no raw role, so picamera2 finds no modes: its size is the one mode that it has."""
    _camera.append(camera.camera)
    if camera.camera.generate_configuration([libcamera.StreamRole.Raw]) is not None:
        return _raw_modes(camera)
    size = camera.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).size
    return [{"format": "NV12", "size": (size.width, size.height), "bit_depth": 8}]


def paced(camera: Any, request: Any) -> None:
    """In place of Camera.queue_request."""
    _waiting.put((camera, request))


def pace() -> None:
    next_s = time.monotonic()
    while True:
        camera, request = _waiting.get()
        next_s = max(next_s + 1.0 / FRAME_RATE_HZ, time.monotonic())
        time.sleep(max(0.0, next_s - time.monotonic()))
        while os.path.exists(STALL):  # noqa: PTH110 - polled
            time.sleep(0.05)
        try:
            _queue_request(camera, request)
        except (RuntimeError, OSError) as error:  # stopped meanwhile: its requests are void
            sys.stderr.write(f"rig: a request was not taken ({error})\n")


def noisy(request: Any, completed: Any, camera: Any) -> None:
    """In place of CompletedRequest.__init__: the virtual camera shows each picture four times over, and a picture that
    comes three times is a fault (a sensor's noise never repeats). One pixel in the corner stands for that noise."""
    _completed(request, completed, camera)
    buffer = next(iter(completed.buffers.values()))
    with mmap.mmap(buffer.planes[0].fd, mmap.PAGESIZE) as memory:
        memory[0] = next(_noise) % 256


class Mapped:
    """The memory of one frame, both planes of it, for as long as picamera2 looks at it."""

    def __init__(self, _allocator: Any, buffer: Any, _write: bool) -> None:
        self._buffer = buffer

    def __enter__(self) -> mmap.mmap:
        length = sum(plane.length for plane in self._buffer.planes)
        self._memory = mmap.mmap(self._buffer.planes[0].fd, length, mmap.MAP_SHARED, mmap.PROT_READ)
        return self._memory

    def __exit__(self, *_: object) -> None:
        self._memory.close()


class TwoPlanes(LibcameraAllocator):
    """picamera2 gives a frame one plane; the virtual camera wants Y and UV apart, as libcamera itself makes them.

    Buffers made from Python will not do: libcamera 0.4 never sets their status, and picamera2 then drops every frame.
    """

    def __init__(self) -> None:
        super().__init__(None)
        self.sync = Mapped

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        self.camera = _camera[-1]
        super().allocate(libcamera_config, use_case)


def succeeded(_: libcamera.FrameMetadata) -> libcamera.FrameMetadata.Status:
    """In place of FrameMetadata.status. The virtual camera of libcamera 0.4 never writes it, so it is what lay in that
    memory before: now and then something else than "success", and picamera2 then drops every frame of that buffer."""
    return libcamera.FrameMetadata.Status.Success


libcamera.FrameMetadata.status = property(succeeded)
module.Picamera2._get_raw_modes = modes
module.DmaAllocator = TwoPlanes
libcamera.Camera.queue_request = paced
CompletedRequest.__init__ = noisy
threading.Thread(target=pace, name="rig-pace", daemon=True).start()
