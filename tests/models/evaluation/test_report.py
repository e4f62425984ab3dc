"""The report counts what it says it counts: every method on the same squares, thresholds never chosen on the scene."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.classifier import Judging
from models.evaluation.datasets import Label, Square, load_dataset
from models.evaluation.metrics import best_threshold, number
from models.evaluation.page import page_of, worst_mistakes, write_page
from models.evaluation.report import FIGURES, fraction_error, leave_one_scene_out, methods_of, report_of
from models.evaluation.scoring import Scored, score_squares
from models.evaluation.svg import Bars, Line, plot
from models.onnx_classifier import load_classifier
from models.sharpness import MEASURES

MODEL = {"name": "tiny", "version": "1", "sha256": "0" * 64}


@pytest.fixture
def scored(labelled: Path, tiny: Path) -> Scored:
    return score_squares(load_dataset(labelled).squares, load_classifier(tiny, unsigned=True), Judging(), crops=True)


@pytest.fixture
def report(scored: Scored, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("models.evaluation.metrics.RESAMPLES", 50)
    return report_of(scored, 3, MODEL, crops=True)


def made_up(labels: list[Label], p: list[float], scenes: list[str], images: list[str]) -> Scored:
    squares = tuple(
        Square(Path(image), image, scene, label) for label, scene, image in zip(labels, scenes, images, strict=True)
    )
    values = np.array(p)
    return Scored(squares, values, np.nan_to_num(values), values, {"one": np.nan_to_num(values)}, 1.5, 0.5)


def test_squares_are_counted_by_label_and_by_whether_they_can_be_judged(report: dict[str, Any]) -> None:
    assert report["labels"] == {"in": 28, "out": 20, "mixed": 0}
    assert report["cannot_judge"] == {"in": 0, "out": 4, "mixed": 0}
    assert report["cannot_judge_by_scene"] == {"one": 2, "two": 2}
    assert (report["images"], report["squares"], report["left_out"]) == (4, 48, 3)


def test_the_models_figures_are_those_of_the_squares_it_judges(report: dict[str, Any]) -> None:
    model = report["methods"][0]
    assert (model["name"], model["threshold"]) == ("model", 0.5)
    assert (model["pooled"]["in"], model["pooled"]["out"]) == (28, 16)
    assert model["pooled"]["false_sharp"] == 0.0
    assert model["pooled"]["missed"] == pytest.approx(4 / 28)
    assert model["pooled"]["balanced_accuracy"] == pytest.approx(1 - 4 / 28 / 2)


def test_every_classical_measure_is_judged_on_the_same_squares(report: dict[str, Any]) -> None:
    assert [method["name"] for method in report["methods"][2:]] == list(MEASURES)
    for method in report["methods"][2:]:
        assert (method["pooled"]["in"], method["pooled"]["out"]) == (28, 16)
        assert method["threshold"] == "leave-one-scene-out"
        assert set(method["scenes"]) == {"one", "two"}


def test_a_baseline_is_judged_on_the_models_squares_at_its_own_threshold_and_at_that_of_other_scenes(
    scored: Scored,
) -> None:
    scores = np.where(scored.sharp, 0.4, 0.3)  # tells all apart, and calls all out of focus
    scores[0] = np.nan
    with_baseline = replace(scored, baselines={"other": scores})
    elsewhere, own = methods_of(with_baseline)[-2:]
    assert (own.name, own.threshold) == ("other, p ≥ 0.5", 0.5)
    assert (elsewhere.name, elsewhere.threshold) == ("other", None)
    for method in (elsewhere, own):
        assert np.array_equal(method.counted, scored.judged & np.isfinite(scores))
    assert not own.called[own.counted].any()
    assert np.array_equal(elsewhere.called[elsewhere.counted] == 1.0, scored.sharp[elsewhere.counted])
    assert len(methods_of(with_baseline)) == len(methods_of(scored)) + 2


def test_a_report_is_json_without_nan(report: dict[str, Any]) -> None:
    assert json.loads(json.dumps(report, allow_nan=False)) == json.loads(json.dumps(report))
    assert set(FIGURES) <= set(report["methods"][0]["pooled"])


def test_intervals_are_given_for_pooled_figures_and_hold_them(report: dict[str, Any]) -> None:
    low, high = report["methods"][0]["pooled"]["intervals"]["missed"]
    assert low <= report["methods"][0]["pooled"]["missed"] <= high


def test_the_threshold_of_a_scene_is_chosen_on_the_others() -> None:
    rng = np.random.default_rng(3)
    scores, sharp = rng.random(60), rng.random(60) < 0.5
    scenes = np.array(["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    counted = rng.random(60) < 0.9
    called = leave_one_scene_out(scores, sharp, scenes, counted)
    for scene in "abc":
        best = best_threshold(scores[counted & (scenes != scene)], sharp[counted & (scenes != scene)])
        assert best is not None
        here = counted & (scenes == scene)
        assert np.array_equal(called[here], (scores[here] >= best[0]).astype(float))
    assert np.isnan(called[~counted]).all()


def test_a_single_scene_has_no_threshold_chosen_elsewhere() -> None:
    called = leave_one_scene_out(np.array([0.1, 0.9]), np.array([False, True]), np.array(["a", "a"]), np.ones(2, bool))
    assert np.isnan(called).all()


def test_mixed_squares_count_in_no_figure() -> None:
    found = made_up([Label.IN, Label.OUT, Label.MIXED], [0.9, 0.1, 0.5], ["a"] * 3, ["1"] * 3)
    assert [int(method.counted.sum()) for method in methods_of(found)] == [2, 2, 2]


def test_the_fraction_error_is_that_of_the_frames_with_enough_squares() -> None:
    labels = [Label.IN] * 8 + [Label.OUT] * 2 + [Label.IN]
    p = [0.9] * 5 + [0.1] * 3 + [0.1, 0.1] + [0.1]
    found = made_up(labels, p, ["a"] * 11, ["big"] * 10 + ["small"])
    assert fraction_error(found) == (pytest.approx(0.3), 1)
    assert fraction_error(made_up([Label.IN], [0.9], ["a"], ["small"])) == (None, 0)


def test_the_worst_mistakes_come_first_and_only_mistakes_are_shown() -> None:
    labels = [Label.OUT, Label.OUT, Label.OUT, Label.IN, Label.IN, Label.MIXED, Label.OUT]
    p = [0.6, 0.95, 0.2, 0.1, 0.8, 0.9, float("nan")]
    found = made_up(labels, p, ["a"] * 7, [str(n) for n in range(7)])
    false_sharp, missed = worst_mistakes(found)
    assert [mistake.square.name for mistake in false_sharp] == ["1", "0"]
    assert [mistake.square.name for mistake in missed] == ["3"]
    assert len(worst_mistakes(found, 1)[0]) == 1


def test_the_page_stands_alone_and_shows_every_method_scene_and_mistake(
    scored: Scored, report: dict[str, Any], tmp_path: Path
) -> None:
    page = page_of(report, scored)
    for text in ("<!doctype html>", "Tenengrad", "scene", "one/0.png", "two/1.png"):
        assert text in page
    assert page.count("<svg") == 4
    assert page.count("data:image/jpeg;base64,") == 4  # the square labelled wrong in each image
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    write_page(tmp_path / "e.html", page)
    assert (tmp_path / "e.html").read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_names_are_escaped_in_the_page(scored: Scored, report: dict[str, Any]) -> None:
    report["model"]["name"] = "<script>alert(1)</script>"
    assert "<script>" not in page_of(report, scored)


def test_a_figure_that_is_not_defined_is_a_dash() -> None:
    assert (number(None), number(0.12345)) == ("–", "0.123")


def test_a_plot_stays_inside_its_frame_and_names_its_parts() -> None:
    drawn = plot("T & t", "x", "y", [Line("a<b", [(0, -1), (2, 0.5)], marks=True), Bars("bars", [0.5, 2])], upright=0.3)
    assert "T &amp; t" in drawn
    assert "a&lt;b" in drawn
    assert drawn.count("<circle") == 2
    assert "-" not in "".join(part.split('"')[0] for part in drawn.split('points="')[1:])


def test_bars_carry_their_labels_and_ticks_are_written_where_they_belong() -> None:
    drawn = plot("T", "x", "y", [Bars("bars", [0.5, 0.0], ["7 & 8", ""])], x_ticks=[(0.0, "none"), (1.0, "5 px")])
    assert "7 &amp; 8" in drawn
    assert ">none</text>" in drawn
    assert ">5 px</text>" in drawn
    assert drawn.count("0.75") == 1  # on the y axis only
