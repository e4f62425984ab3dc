"""Reads frames by the project's own driver, from a camera named on the command line, and says what they are (JSON)."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from device.camera.picamera2 import PiCamera
from device.camera.picamera2_settings import PiCameraSettings
from device.clock import MonotonicClock

BT601 = (0.299, 0.587, 0.114)
ROWS = 256  # enough to tell sharp from blurred


def main(name: str, count: int) -> None:
    frames = []
    with PiCamera(PiCameraSettings(name=name, layout="NV12"), MonotonicClock()) as camera:
        size = [camera.info.width, camera.info.height]
        began_s = time.monotonic()
        for _ in range(count):
            with camera.read(10.0) as frame:
                age_ms = (time.monotonic_ns() - frame.exposed_ns) / 1e6
                still = frame.still()
                grey = still[:ROWS].astype(np.float64) @ BT601
                frames.append(
                    {
                        "id": frame.id,
                        "exposed_ns": frame.exposed_ns,
                        "age_ms": age_ms,
                        "copied": bool(frame.luma.flags.owndata),
                        "still": list(still.shape),
                        "difference": float(np.abs(grey - frame.luma[:ROWS]).mean()),
                        "detail": float(np.abs(np.diff(frame.luma[:ROWS].astype(np.int16))).mean()),
                    }
                )
        rate = count / (time.monotonic() - began_s)
        sys.stdout.write(json.dumps({"id": camera.info.id, "size": size, "fps": rate, "frames": frames}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
