"""The exported file and its manifest, checked against torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from models.manifest import OUTPUT_NAMES as OUTPUTS
from models.manifest import Golden
from models.training.network import FocusNet

PARITY = 1e-4
GOLDEN_TOLERANCE = 1e-3


def run_onnx(model: bytes, luma: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The outputs of the ONNX file for one picture."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"luma": luma}), strict=True))


def run_torch(network: FocusNet, luma: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The same four outputs from torch."""
    network.eval()
    with torch.no_grad():
        whole = torch.tensor(luma)[None, None]
        tiles = network.tile_px
        features = network.features(whole)
        cumulative, known = network.head(features)
    if features.shape[2:] != (luma.shape[0] // tiles, luma.shape[1] // tiles):
        raise ValueError("the network has not one feature vector a tile")
    found = (
        torch.sigmoid(cumulative)[0].permute(1, 2, 0),
        torch.sigmoid(known)[0],
        255 * features[0, -3],
        features[0, -2],
    )
    return dict(zip(OUTPUTS, (value.cpu().numpy().astype(np.float32) for value in found), strict=True))


def deviation(network: FocusNet, model: bytes, pictures: list[NDArray[np.uint8]]) -> float:
    """Largest difference between torch and ONNX Runtime over all outputs (mean_luma in units of full scale)."""
    worst = 0.0
    for luma in pictures:
        ours, theirs = run_torch(network, luma), run_onnx(model, luma)
        for name in OUTPUTS:
            unit = 255.0 if name == "mean_luma" else 1.0
            worst = max(worst, float(np.abs(ours[name] - theirs[name]).max()) / unit)
    return worst


def golden(model: bytes, luma: NDArray[np.uint8]) -> dict[str, Any]:
    """One golden vector: a picture and what the model says of it. The tolerance is in the unit of each output, and
    the mean luma, of 255 levels, is the coarsest; processors differ in the last bits of sums."""
    return Golden.of(luma, run_onnx(model, luma), tolerance=GOLDEN_TOLERANCE).model_dump(mode="json")


def write(model: bytes, folder: Path, name: str, manifest: dict[str, Any]) -> Path:
    """Model and manifest; the manifest last, as it names the digest of the model. Returns the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(model)
    path = folder / f"{name}.json"
    whole = {"name": name, "file": f"{name}.onnx", "sha256": hashlib.sha256(model).hexdigest(), **manifest}
    path.write_text(json.dumps({"schema": 1, **whole}, indent=1) + "\n", encoding="utf-8")
    return path
