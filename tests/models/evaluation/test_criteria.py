"""The figures at several criteria are those that a run of its own at each of them would give."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.classifier import Judging
from models.errors import InputError
from models.evaluation.criteria import (
    DEFAULT_CRITERIA_PX,
    MOST_CRITERIA,
    default_criteria,
    figures_by_criterion,
    parse_criteria,
)
from models.evaluation.criteria_page import criteria_plot, criteria_rows, criteria_table, reliability_plot
from models.evaluation.datasets import Label, Square, load_dataset
from models.evaluation.report import report_of
from models.evaluation.scoring import Scored, score_squares
from models.onnx_classifier import load_classifier
from models.verdict import VerdictKind, verdict_of

MODEL = {"name": "tiny", "version": "1", "sha256": "0" * 64}
CRITERIA = (0.75, 1.1, 5.0)


@pytest.fixture
def whole_images(tmp_path: Path) -> tuple[Square, ...]:
    """Noise around mean lumas of 16, 64 and 112 (0.5, 2 and 3.5 px to the tiny model), and a flat image."""
    rng = np.random.default_rng(4)
    squares = []
    for number, (mean, label) in enumerate([(16, Label.IN), (64, Label.IN), (112, Label.OUT), (112, Label.MIXED)]):
        pixels = np.clip(mean + rng.integers(-15, 16, (64, 96)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        squares.append(Square(tmp_path / f"{number}.png", f"{number}.png", "a", label))
    Image.fromarray(np.full((64, 96), 100, np.uint8)).save(tmp_path / "flat.png")
    return (*squares, Square(tmp_path / "flat.png", "flat.png", "b", Label.OUT))


@pytest.mark.parametrize("crops", [False, True])
def test_each_criterion_has_the_figures_of_a_run_of_its_own(labelled: Path, tiny: Path, crops: bool) -> None:
    squares, classifier = load_dataset(labelled).squares, load_classifier(tiny, unsigned=True)
    several = score_squares(squares, classifier, Judging(), crops=crops, criteria_px=CRITERIA)
    assert [each.criterion_px for each in several.at] == [0.75, 1.1, 1.5, 5.0]
    for each in several.at:
        alone = score_squares(squares, classifier, Judging(criterion_px=each.criterion_px), crops=crops)
        assert np.array_equal(each.p_judged, alone.p_judged, equal_nan=True)
        (figures,) = figures_by_criterion(alone)
        model = report_of(alone, 0, MODEL, crops=crops)["methods"][0]["pooled"]
        assert figures in figures_by_criterion(several)
        assert {name: figures[name] for name in ("auc", "missed", "false_sharp", "balanced_accuracy")} == {
            name: model[name] for name in ("auc", "missed", "false_sharp", "balanced_accuracy")
        }


def test_the_criterion_in_force_is_among_them_and_rules_everything_else(labelled: Path, tiny: Path) -> None:
    squares, classifier = load_dataset(labelled).squares, load_classifier(tiny, unsigned=True)
    alone = score_squares(squares, classifier, Judging(criterion_px=1.1, threshold=0.7))
    several = score_squares(squares, classifier, Judging(criterion_px=1.1, threshold=0.7), criteria_px=(6.0, 0.75))
    assert (several.criterion_px, several.threshold) == (1.1, 0.7)
    assert np.array_equal(several.p_judged, alone.p_judged, equal_nan=True)
    assert np.array_equal(several.p_any, alone.p_any, equal_nan=True)
    assert np.array_equal(several.blur_px, alone.blur_px, equal_nan=True)


def test_whole_images_are_counted_by_the_products_own_verdict(whole_images: tuple[Square, ...], tiny: Path) -> None:
    classifier = load_classifier(tiny, unsigned=True)
    scored = score_squares(whole_images, classifier, Judging(), criteria_px=(2.5,))
    for at in scored.at:
        for square, verdict in zip(whole_images, at.verdicts, strict=True):
            luma = np.asarray(Image.open(square.path))
            assert verdict is verdict_of(classifier.judge(luma, Judging(criterion_px=at.criterion_px))).kind
    strict, lax = (each["verdicts"] for each in figures_by_criterion(scored))
    assert strict["in"] == {"pass": 1, "fail": 1, "cannot-judge": 0}
    assert lax["in"] == {"pass": 2, "fail": 0, "cannot-judge": 0}
    assert lax["out"] == {"pass": 0, "fail": 1, "cannot-judge": 1}
    assert lax["mixed"] == {"pass": 0, "fail": 1, "cannot-judge": 0}
    assert (strict["false_sharp"], strict["missed"]) == (0.0, 0.5)
    assert (lax["false_sharp"], lax["missed"]) == (0.0, 0.0)


def test_an_image_that_cannot_be_judged_and_should_pass_is_missed(tmp_path: Path, tiny: Path) -> None:
    Image.fromarray(np.full((64, 96), 100, np.uint8)).save(tmp_path / "flat.png")
    flat = Square(tmp_path / "flat.png", "flat.png", "a", Label.IN)
    (found,) = figures_by_criterion(score_squares((flat,), load_classifier(tiny, unsigned=True), Judging()))
    assert found["verdicts"]["in"][VerdictKind.CANNOT_JUDGE] == 1
    assert (found["in"], found["missed"], found["verdicts"]["missed"]) == (0, None, 1.0)


def test_squares_of_a_larger_image_have_no_verdict(labelled: Path, tiny: Path) -> None:
    scored = score_squares(load_dataset(labelled).squares, load_classifier(tiny, unsigned=True), Judging())
    assert all(each["verdicts"] is None for each in figures_by_criterion(scored))


def test_a_wider_criterion_never_lowers_a_probability(labelled: Path, tiny: Path) -> None:
    scored = score_squares(
        load_dataset(labelled).squares, load_classifier(tiny, unsigned=True), Judging(), criteria_px=CRITERIA
    )
    for narrow, wide in zip(scored.at, scored.at[1:], strict=False):
        known = np.isfinite(narrow.p_judged)
        assert (narrow.p_judged[known] <= wide.p_judged[known] + 1e-6).all()


def test_the_table_marks_the_criterion_in_force_and_shows_verdicts_only_of_whole_images(
    whole_images: tuple[Square, ...], labelled: Path, tiny: Path
) -> None:
    classifier = load_classifier(tiny, unsigned=True)
    images = report_of(score_squares(whole_images, classifier, Judging(), criteria_px=(2.5,)), 0, MODEL, crops=False)
    headings, rows = criteria_rows(images)
    assert headings[-2:] == ["images in: pass/fail/cannot-judge", "images out: pass/fail/cannot-judge"]
    assert [row[0] for row in rows] == ["1.5 (in force)", "2.5"]
    assert rows[1][-2:] == ["2/0/0", "0/1/1"]
    assert "images: missed" in criteria_plot(images)
    squares = report_of(score_squares(load_dataset(labelled).squares, classifier, Judging()), 0, MODEL, crops=False)
    assert len(criteria_rows(squares)[0]) == 6
    assert "images" not in criteria_table(squares) + criteria_plot(squares)


def test_the_reliability_diagram_shows_counts_and_the_calibration_error(labelled: Path, tiny: Path) -> None:
    scored = score_squares(load_dataset(labelled).squares, load_classifier(tiny, unsigned=True), Judging(), crops=True)
    report = report_of(scored, 0, MODEL, crops=True)
    counts = [each["count"] for each in report["reliability"]]
    assert (len(counts), sum(counts)) == (10, 44)
    drawn = reliability_plot(report)
    assert all(f">{count}</text>" in drawn for count in counts if count)
    error = report["methods"][0]["pooled"]["calibration_error"]
    assert f"expected calibration error {error:.3f}" in drawn
    gaps = [
        each["count"] * abs(each["mean_probability"] - each["share_in_focus"])
        for each in report["reliability"]
        if each["count"]
    ]
    assert error == pytest.approx(sum(gaps) / 44)


def test_a_report_without_a_single_judged_square_can_still_be_drawn() -> None:
    nothing = Scored((), *(np.array([]) for _ in range(3)), {}, 1.5, 0.5)
    report = report_of(nothing, 0, MODEL, crops=False)
    assert criteria_plot(report) == ""
    assert "<svg" in reliability_plot(report)


def test_the_default_criteria_are_those_that_the_model_can_answer() -> None:
    assert default_criteria((0.75, 7.0)) == DEFAULT_CRITERIA_PX
    assert default_criteria((0.5, 1.25)) == (1.0, 1.5, 2.0, 2.5)


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=MOST_CRITERIA))
def test_criteria_are_read_rising_and_once_each(values: list[float]) -> None:
    assert parse_criteria(",".join(map(repr, values))) == tuple(sorted(set(values)))


@given(st.text(max_size=12))
def test_whatever_is_written_is_criteria_or_refused_in_one_line(text: str) -> None:
    try:
        found = parse_criteria(text)
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - refusing is one of two right answers
    else:
        assert all(0.0 < each < math.inf for each in found)


@pytest.mark.parametrize("text", ["", "1,", "nan", "0", "-1", "inf", "1;2", ",".join(["1"] * (MOST_CRITERIA + 1))])
def test_criteria_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="blur radii in px, above 0"):
        parse_criteria(text)
