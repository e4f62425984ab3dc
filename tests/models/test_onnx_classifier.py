"""The classifier judges what it is given, whatever its strides, and refuses any model that is not whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.classifier import Classifier, Judging
from models.errors import InputError, ModelError
from models.focusmap import Cause
from models.onnx_classifier import load_classifier

Reference = Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float32]]]


def picture(height: int = 100, width: int = 140, seed: int = 1, top: int = 120) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, top, (height, width)).astype(np.uint8)


def test_a_frame_is_judged_tile_by_tile(tiny: Path, reference: Reference) -> None:
    classifier: Classifier = load_classifier(tiny, unsigned=True)
    luma = picture()
    found = classifier.judge(luma, Judging(), frame_id=7, exposed_ns=11)
    assert (found.grid.rows, found.grid.columns, found.grid.width) == (3, 4, 32)
    assert (found.frame_id, found.exposed_ns) == (7, 11)
    assert (found.model_name, found.model_sha256) == (classifier.name, classifier.sha256)
    assert np.allclose(found.p_in_focus, reference(luma)["cumulative"][..., 1], atol=1e-4)
    assert (found.cause == Cause.JUDGED).all()


def test_the_blur_radius_is_where_the_probability_is_one_half(tiny: Path) -> None:
    luma = np.full((32, 64), 64, np.uint8)  # the tiny model says: radius 64 / 32 = 2 px
    assert np.allclose(load_classifier(tiny, unsigned=True).judge(luma, Judging()).blur_px, 2.0, atol=0.1)


def test_dark_glare_and_smooth_tiles_are_not_judged(tiny: Path) -> None:
    luma = picture(32, 128)
    luma[:, 32:64] //= 32
    luma[:, 64:80] = 255
    luma[:, 96:] = 60
    cause = load_classifier(tiny, unsigned=True).judge(luma, Judging()).cause
    assert cause.tolist() == [[Cause.JUDGED, Cause.DARK, Cause.GLARE, Cause.NO_DETAIL]]


strides = st.sampled_from([1, 2, 3, -1, -2, -3])


@given(strides, strides, st.booleans())
def test_strided_views_are_judged_like_contiguous_copies(
    classifier: Classifier, row_stride: int, column_stride: int, transpose: bool
) -> None:
    view = picture(220, 210)[::row_stride, ::column_stride]
    view = view.T if transpose else view
    one = classifier.judge(view, Judging())
    other = classifier.judge(np.array(view, order="C"), Judging())
    assert np.array_equal(one.p_in_focus, other.p_in_focus)
    assert np.array_equal(one.blur_px, other.blur_px)


@pytest.fixture(scope="module")
def classifier(
    tmp_path_factory: pytest.TempPathFactory, tiny_bytes: bytes, tiny_values: dict[str, object]
) -> Classifier:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.onnx").write_bytes(tiny_bytes)
    (folder / "tiny.json").write_text(json.dumps(tiny_values), encoding="utf-8")
    return load_classifier(folder / "tiny.json", unsigned=True)


def test_a_read_only_view_into_a_padded_buffer_is_judged_in_place(classifier: Classifier) -> None:
    buffer = picture(96, 192)
    buffer.flags.writeable = False
    view = buffer[:, :150]
    before = buffer.copy()
    found = classifier.judge(view, Judging())
    assert (found.grid.rows, found.grid.columns) == (3, 4)
    assert np.array_equal(buffer, before)


@pytest.mark.parametrize("shape", [(31, 200), (200, 31), (1, 1), (0, 0), (0, 100)])
def test_an_image_smaller_than_a_tile_is_refused(classifier: Classifier, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="smaller than one tile; allowed: at least 32×32"):
        classifier.judge(np.zeros(shape, np.uint8), Judging())


@pytest.mark.parametrize(
    "array",
    [np.zeros((64, 64, 3), np.uint8), np.zeros(4096, np.uint8), np.zeros((64, 64), np.uint16), np.zeros((64, 64))],
)
def test_what_is_not_a_luma_plane_is_refused(classifier: Classifier, array: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="luma plane"):
        classifier.judge(array, Judging())


def test_the_golden_vectors_are_run_at_load_and_a_deviation_is_named(tiny: Path) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    values["golden"][0]["expected"]["mean_luma"][1][2] += 0.5
    tiny.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match=r"self-test failed: golden vector 1, output mean_luma is off by 0\.5"):
        load_classifier(tiny, unsigned=True)
    load_classifier(tiny, self_test=False, unsigned=True)


@pytest.mark.parametrize("expected", [[[1.0]], [[1.0, 2.0], [3.0]]])
def test_a_golden_vector_of_another_shape_fails_the_self_test(tiny: Path, expected: list[list[float]]) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    values["golden"][0]["expected"]["detectable"] = expected
    tiny.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match="output detectable is off by inf"):
        load_classifier(tiny, unsigned=True)


def test_a_golden_vector_smaller_than_a_tile_is_refused(tiny: Path) -> None:
    values = json.loads(tiny.read_text(encoding="utf-8"))
    values["tile_px"] = 128
    tiny.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match="smaller than a tile"):
        load_classifier(tiny, unsigned=True)


def with_model(tiny: Path, content: bytes) -> Path:
    """A manifest that vouches for `content`, whatever it is."""
    values = json.loads(tiny.read_text(encoding="utf-8"))
    (tiny.parent / "tiny.onnx").write_bytes(content)
    tiny.write_text(json.dumps(values | {"sha256": hashlib.sha256(content).hexdigest()}), encoding="utf-8")
    return tiny


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(1000)])
def test_a_file_that_is_no_model_is_one_line(tiny: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"model tiny: .*gate stays closed") as caught:
        load_classifier(with_model(tiny, content), unsigned=True)
    assert "\n" not in str(caught.value)


def test_another_model_in_the_place_of_the_right_one_is_not_even_parsed(
    tiny: Path, tiny_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = onnx.load_model_from_string(tiny_bytes)
    other.producer_name = "someone else"
    (tiny.parent / "tiny.onnx").write_bytes(other.SerializeToString())
    parsed: list[object] = []
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *a, **_: parsed.append(a))
    with pytest.raises(ModelError, match="not the model of its manifest"):
        load_classifier(tiny, unsigned=True)
    assert parsed == []


def renamed(content: bytes, old: str, new: str) -> bytes:
    """The same graph with one input or output under another name."""
    model = onnx.load_model_from_string(content)
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for entry in [*model.graph.input, *model.graph.output]:
        entry.name = new if entry.name == old else entry.name
    result: bytes = model.SerializeToString()
    return result


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("luma", "picture", "one uint8 plane named luma"), ("saturated", "glare", "no output saturated")],
)
def test_a_model_with_other_inputs_or_outputs_is_refused(
    tiny: Path, tiny_bytes: bytes, old: str, new: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load_classifier(with_model(tiny, renamed(tiny_bytes, old, new)), unsigned=True)


def test_a_model_that_fails_while_running_is_one_line(tiny: Path, tiny_bytes: bytes) -> None:
    model = onnx.load_model_from_string(tiny_bytes)
    edges = next(entry for entry in model.graph.initializer if entry.name == "edges")
    edges.CopyFrom(onnx.numpy_helper.from_array(np.ones((7, 11, 5), np.float32), "edges"))  # fits no grid of tiles
    classifier = load_classifier(with_model(tiny, model.SerializeToString()), self_test=False, unsigned=True)
    with pytest.raises(ModelError, match="failed on a frame") as caught:
        classifier.judge(picture(), Judging())
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model manifest"):
        load_classifier(tmp_path / "none.json", unsigned=True)


@pytest.mark.parametrize("threads", [0, -1])
def test_less_than_one_thread_is_refused(tiny: Path, threads: int) -> None:
    with pytest.raises(InputError, match="threads"):
        load_classifier(tiny, threads=threads, unsigned=True)
