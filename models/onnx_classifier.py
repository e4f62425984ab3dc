"""The classifier that runs: the only importer of onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.classifier import Judging
from models.errors import InputError, ModelError, one_line
from models.focusmap import FocusMap, Luma, TileGrid
from models.manifest import (
    OUTPUT_NAMES,
    Manifest,
    load_manifest,
    model_beside,
    parse_pair,
    read_manifest,
    read_model,
    read_whole_model,
)
from models.scores import check_scores, focus_map_of, grid_of, knots_of
from models.signing import trusted_keys, verify

SHIPPED = "focus-s"

FATAL_ONLY = 4  # log level of ONNX Runtime: what it has to say comes as an exception, and is told in one line

_RUNTIME_ERRORS = (  # they share no base class below Exception
    ort_errors.EngineError,
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
)


class OnnxClassifier:
    """Judges frames by an ONNX model; implements `models.classifier.Classifier`. Made by `load_classifier`."""

    def __init__(self, manifest: Manifest, session: onnxruntime.InferenceSession) -> None:
        self.manifest = manifest
        self.name = manifest.name
        self.sha256 = manifest.sha256
        self.tile_px = manifest.tile_px
        self.criterion_px = manifest.criterion_px
        self._session = session
        self._outputs = list(OUTPUT_NAMES)

    def bare(self, luma: Luma) -> Sequence[object]:
        """The model's raw outputs for a C-contiguous uint8 (H, W) array, unchecked: what the runtime alone costs.

        Raises ModelError if the runtime fails.
        """
        try:
            outputs: Sequence[object] = self._session.run(self._outputs, {"luma": luma})
        except _RUNTIME_ERRORS as error:
            raise ModelError(
                f"model {self.name}: failed on a frame ({one_line(error, 120)}); gate stays closed"
            ) from None
        return outputs

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        """Judge one luma frame, uint8 of shape (H, W), any strides; copied only if its rows or pixels are not packed.

        Raises InputError if the frame is no uint8 plane, is smaller than one tile, or if `judging` asks for what the
        model cannot know; ModelError if the runtime fails or the scores are not scores.
        """
        if luma.ndim != 2 or luma.dtype != np.uint8:
            raise InputError(f"a frame of {luma.dtype} {luma.shape}: allowed is a luma plane, uint8 (height, width)")
        height, width = luma.shape
        if min(height, width) < self.tile_px:
            raise InputError(
                f"image of {width}×{height} px: smaller than one tile; allowed: at least {self.tile_px}×{self.tile_px}"
                " px; take it with more pixels"
            )
        grid = grid_of(width, height, self.tile_px)
        outputs = self.bare(np.ascontiguousarray(luma))
        return focus_map_of(outputs, grid, self.manifest, judging, frame_id=frame_id, exposed_ns=exposed_ns)

    def self_test(self) -> float:
        """Run the golden vectors; returns the largest deviation as a share of its tolerance (0 to 1).

        Raises ModelError naming vector, output and deviation if any differs by more than its tolerance.
        """
        worst = 0.0
        for number, golden in enumerate(self.manifest.golden, start=1):
            image = golden.image()
            grid = TileGrid.of(golden.width, golden.height, self.tile_px)
            if not grid.rows or not grid.columns:
                raise ModelError(f"model {self.name}: golden vector {number} is smaller than a tile; gate stays closed")
            outputs = check_scores(self.bare(image), grid, len(self.manifest.edges_px))
            knots_of(outputs[0])
            for name, output in zip(OUTPUT_NAMES, outputs, strict=True):
                expected = _expected(golden.expected[name], output.shape)
                deviation = float("inf") if expected is None else float(np.abs(output - expected).max())
                if not deviation <= golden.tolerance:
                    raise ModelError(
                        f"model {self.name}: self-test failed: golden vector {number}, output {name} is off by "
                        f"{deviation:.3g} (allowed {golden.tolerance:g}); gate stays closed, install the model anew"
                    )
                worst = max(worst, deviation / golden.tolerance)
        return worst


def shipped_manifest() -> Path:
    """The manifest of the model that comes with this package (installed unpacked, as wheels are)."""
    return Path(str(files("models"))) / "weights" / f"{SHIPPED}.json"


def load_classifier(
    manifest_path: Path | None = None,
    *,
    threads: int = 1,
    self_test: bool = True,
    unsigned: bool = False,
    keys_folder: Path | None = None,
) -> OnnxClassifier:
    """The model of a manifest (None: the shipped one), verified before it is parsed and tested before it is used.

    `threads` are those of ONNX Runtime, at least 1. `keys_folder` holds public keys that are trusted besides the
    package's; `unsigned` does without a signature, for work at a desk. Raises ModelError, one line, if the manifest is
    missing or wrong, the model is not the manifest's or not signed, does not load, has other inputs or outputs, or
    fails its golden vectors; InputError for `threads` below 1.
    """
    manifest_path = manifest_path or shipped_manifest()
    if unsigned:
        manifest = load_manifest(manifest_path)
        content = read_model(manifest, manifest_path.parent)
    else:
        manifest, content, _ = read_signed(manifest_path, keys_folder)
    classifier = OnnxClassifier(manifest, _session(manifest, content, threads))
    if self_test:
        classifier.self_test()
    return classifier


def read_signed(manifest_path: Path, keys_folder: Path | None = None) -> tuple[Manifest, bytes, str]:
    """Manifest, model and the identity of the key that signed both; the very bytes that were verified are parsed.

    The model is the file beside the manifest with its name and the ending .onnx, whatever the manifest says, since
    nothing in it is believed yet. Raises ModelError as `load_classifier`.
    """
    text = read_manifest(manifest_path)
    content = read_whole_model(model_beside(manifest_path))
    identity = verify(text, content, manifest_path, trusted_keys(keys_folder))
    return parse_pair(text, content, manifest_path), content, identity


def _session(manifest: Manifest, model: bytes, threads: int) -> onnxruntime.InferenceSession:
    if threads < 1:
        raise InputError(f"{threads} threads for the model: allowed are 1 or more")
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        session.disable_fallback()
    except _RUNTIME_ERRORS as error:
        raise ModelError(
            f"model {manifest.name}: does not load ({one_line(error, 120)}); gate stays closed, install the model anew"
        ) from None
    inputs = [(entry.name, entry.type, len(entry.shape)) for entry in session.get_inputs()]
    if inputs != [("luma", "tensor(uint8)", 2)]:
        raise ModelError(f"model {manifest.name}: takes {inputs}, due is one uint8 plane named luma; gate stays closed")
    missing = set(OUTPUT_NAMES) - {entry.name for entry in session.get_outputs()}
    if missing:
        raise ModelError(f"model {manifest.name}: has no output {', '.join(sorted(missing))}; gate stays closed")
    return session


def _expected(nested: object, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """The expected output as an array; None if its shape is not `shape`."""
    try:
        expected = np.asarray(nested, np.float64)
    except ValueError:  # ragged
        return None
    return expected if expected.shape == shape else None
