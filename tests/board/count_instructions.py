"""Counts the instructions of one full frame, run by `arm64.sh count`: a call of getppid() marks the counter.

Prints one JSON object, in millions of instructions: one memcpy of the frame, OpenCV's variance of Laplacian per tile in
its fastest and in its usual form, and each model's bare call. Models are ONNX files that take one uint8 plane.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from models.sharpness import variance_of_laplacian

WIDTH, HEIGHT = 2592, 1944  # the OV5647's full resolution, px
TILE = 128  # px
FATAL_ONLY = 4  # log level


def millions(call: Callable[[], object]) -> float:
    """Instructions of `call`, in millions, less those of marking; run once before, so that nothing is set up in it."""
    log = Path(os.environ["INSN_LOG"])
    call()
    for _ in range(2):
        os.getppid()
    call()
    os.getppid()
    first, second, third = (int(line) for line in log.read_text().split()[-3:])
    return round((third - second - (second - first)) / 1e6, 2)


def tissue_like(seed: int = 1) -> np.ndarray:
    """A frame with structure on all scales, so that nothing is skipped as flat."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 180, (HEIGHT // 8, WIDTH // 8), dtype=np.uint8)
    frame = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return cv2.add(frame, rng.integers(0, 12, frame.shape, dtype=np.uint8))


def usual_laplacian(frame: np.ndarray) -> list[float]:
    """The variance of the Laplacian of each tile, as a thousand programs have it."""
    return [
        float(cv2.Laplacian(frame[top : top + TILE, left : left + TILE], cv2.CV_64F).var())
        for top in range(0, HEIGHT - TILE + 1, TILE)
        for left in range(0, WIDTH - TILE + 1, TILE)
    ]


def bare_call(path: Path, frame: np.ndarray) -> Callable[[], object]:
    """One run of the model as the device runs it: one thread, no spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: frame}
    return lambda: session.run(None, feed)


def main(models: list[str]) -> None:
    cv2.setNumThreads(1)
    frame = tissue_like()
    target = np.empty_like(frame)
    found = {"memcpy": millions(lambda: np.copyto(target, frame))}
    found["Laplacian, integers"] = millions(lambda: variance_of_laplacian(frame, TILE))
    found["Laplacian, as usual"] = millions(lambda: usual_laplacian(frame))
    for name in models:
        found[Path(name).name] = millions(bare_call(Path(name), frame))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
