"""Adapters between picamera2 and libcamera's virtual camera, loaded by picamera2 on the virtual board only.

What they stand for: a sensor's own frame rate, its list of modes, and a receiver that takes both planes in one buffer.
The virtual camera completes a request at once; here each is handed to it at the frame rate instead, so that the
sensor's timestamp is the time at which the picture was "exposed".
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from typing import Any

import libcamera
import picamera2.picamera2 as module
from picamera2.allocators import DmaAllocator

FRAME_RATE_HZ = float(os.environ.get("RIG_FPS", "8"))
STALL = "/run/rig-stall"  # while this file is there, the camera delivers nothing

_raw_modes = module.Picamera2._get_raw_modes
_queue_request = libcamera.Camera.queue_request
_waiting: queue.Queue[tuple[Any, Any]] = queue.Queue()


def modes(camera: module.Picamera2) -> list[dict[str, Any]]:
    """The virtual camera has no raw role, so picamera2 finds no modes: its size is the one mode that it has."""
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


class TwoPlanes(DmaAllocator):
    """picamera2 gives a frame one plane; the virtual camera wants Y and UV apart: the same memory, told as two."""

    def allocate(self, libcamera_config: Any, use_case: Any) -> None:
        super().allocate(libcamera_config, use_case)
        for stream_config in libcamera_config:
            luma_bytes = stream_config.stride * stream_config.size.height
            buffers = self.frame_buffers[stream_config.stream]
            for index, whole in enumerate(buffers):
                planes = [libcamera.FrameBuffer.Plane(), libcamera.FrameBuffer.Plane()]
                planes[0].fd = planes[1].fd = whole.planes[0].fd
                planes[0].offset, planes[0].length = 0, luma_bytes
                planes[1].offset, planes[1].length = luma_bytes, stream_config.frame_size - luma_bytes
                buffers[index] = libcamera.FrameBuffer(planes)
                self.mapped_buffers[buffers[index]] = self.mapped_buffers.pop(whole)
                self.libcamera_fds.append(planes[0].fd)  # a copy of the descriptor, by which picamera2 knows the buffer
                self.mapped_buffers_used[planes[0].fd] = False


module.Picamera2._get_raw_modes = modes
module.DmaAllocator = TwoPlanes
libcamera.Camera.queue_request = paced
threading.Thread(target=pace, name="rig-pace", daemon=True).start()
