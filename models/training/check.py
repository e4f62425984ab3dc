"""Is the shipped model what training produced? `python -m models.training.check`, `make model-check`.

Always: manifest and digest, the golden vectors, and torch against ONNX Runtime with the weights read back from the
file, on pictures made anew. With --retrain the network is trained again by the manifest's own plan and must give the
same probabilities, within RETRAIN_TOLERANCE on average: processors differ in the order of sums, and training carries
that on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from models.errors import ExitCode, ModelError
from models.manifest import Manifest, load_manifest, read_model
from models.onnx_classifier import load_classifier
from models.training.export import PARITY, deviation, run_onnx
from models.training.graph import first_inputs
from models.training.network import DIM_STEEPNESS, FocusNet
from models.training.optics import EDGES_PX
from models.training.plan import HELD_OUT, NAME, Plan
from models.training.plan import parser as training_parser
from models.training.samples import stream
from models.training.train import trained

PICTURES = 50
FRESH_SEED = 987_654
RETRAIN_TOLERANCE = 0.02


def network_from(model: bytes, tile_px: int) -> FocusNet:
    """The torch network with the weights of an ONNX file; its normalisation is folded into the first layer there."""
    arrays = {item.name: torch.tensor(numpy_helper.to_array(item).copy()) for item in _constants(model)}
    filters, detectors = len(arrays["stem"]) - 1, len(arrays["detect"])
    network = FocusNet(filters, len(arrays["own_b"]), tile_px, detectors)
    order, times = (torch.tensor(values) for values in first_inputs(filters, detectors))
    kept = order >= 0
    with torch.no_grad():
        network.stem.copy_(arrays["stem"][:-1] * 255.0)
        network.detect.copy_(arrays["detect"][:, :-1])
        network.low.copy_(arrays["low_kernels"])
        dim = [arrays[name].flatten() for name in ("dim_w", "dim_beside", "dim_b")]
        network.dim.copy_(torch.cat(dim) / DIM_STEEPNESS)
        network.own.weight[:, order[kept]] = arrays["own_w"][:, kept] / times[kept][:, None, None]
        network.temperature.copy_(torch.stack([arrays["t0"], arrays["t1"]]))
        for name in ("own", "around", "further", "last"):
            layer: torch.nn.Conv2d = getattr(network, name)
            assert layer.bias is not None  # noqa: S101 - all are made with one
            layer.bias.copy_(arrays[f"{name}_b"])
            if name != "own":
                layer.weight.copy_(arrays[f"{name}_w"])
    return network


def _constants(model: bytes) -> list[onnx.TensorProto]:
    """Those of the graph, and of the graphs within its nodes."""
    graph = onnx.load_from_string(model).graph
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [item for each in (graph, *inner) for item in each.initializer]


def fresh_pictures() -> list[NDArray[np.uint8]]:
    """Pictures that no training run saw."""
    (samples,) = stream(FRESH_SEED, PICTURES, workers=1, held_out=HELD_OUT)
    return list(samples.luma)


def plan_of(manifest: Manifest) -> Plan:
    """The plan that the manifest says the model was trained by. Raises ModelError if it says none."""
    names = set(Plan.__dataclass_fields__)
    found = {name: value for name, value in manifest.training.items() if name in names}
    if set(found) != names:
        raise ModelError(f"model {manifest.name}: its manifest does not say how it was trained; train it anew")
    return Plan(**found)  # type: ignore[arg-type]


def main(argv: list[str] | None = None) -> int:
    """Check a model; raises ModelError for the first thing that is wrong."""
    options = argparse.ArgumentParser(prog="python -m models.training.check", description="Check a trained model.")
    options.add_argument("--manifest", type=Path, default=Path("models/weights") / f"{NAME}.json")
    options.add_argument("--retrain", action="store_true", help="train again and compare (many minutes)")
    chosen = options.parse_args(argv)
    manifest = load_manifest(chosen.manifest)
    share = load_classifier(chosen.manifest, self_test=False, unsigned=True).self_test()
    print(f"{chosen.manifest}: digest right, golden vectors within {share:.0%} of their tolerance")
    model, pictures = read_model(manifest, chosen.manifest.parent), fresh_pictures()
    parity = deviation(network_from(model, manifest.tile_px), model, pictures)
    if parity > PARITY or tuple(manifest.edges_px) != EDGES_PX:
        raise ModelError(
            f"model {manifest.name}: differs from torch by {parity:.2g}; allowed: {PARITY:g}; train it anew"
        )
    print(f"torch and ONNX Runtime agree to {parity:.1e} on {len(pictures)} pictures")
    if chosen.retrain:
        network, _, _ = trained(plan_of(manifest), training_parser().parse_args([]))
        again = network_outputs(network, pictures)
        shipped = np.concatenate([run_onnx(model, picture)["cumulative"].ravel() for picture in pictures])
        mean = float(np.abs(again - shipped).mean())
        if mean > RETRAIN_TOLERANCE:
            raise ModelError(f"training again gives other probabilities, by {mean:.3f}; allowed: {RETRAIN_TOLERANCE}")
        print(f"training again gives the same probabilities to {mean:.4f} on average")
    return ExitCode.OK


def network_outputs(network: FocusNet, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Cumulative probabilities of all tiles of all pictures, in one row."""
    network.eval()
    with torch.no_grad():
        found = [
            torch.sigmoid(network(torch.tensor(picture)[None, None])[0])[0].permute(1, 2, 0) for picture in pictures
        ]
    return torch.cat([part.flatten() for part in found]).numpy()


if __name__ == "__main__":
    raise SystemExit(main())
