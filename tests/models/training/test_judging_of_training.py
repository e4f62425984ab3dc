"""Targets, figures, budget and tables of training, on samples whose truth is set by hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")
optuna = pytest.importorskip("optuna", reason="the search needs the extra 'train'")

from models.errors import InputError
from models.training import card, search
from models.training.contact_sheet import CAPTION_PX, CELL_PX, sheet_of
from models.training.losses import targets
from models.training.network import FocusNet
from models.training.optics import EDGES_PX
from models.training.plan import Plan, parser, plan_from
from models.training.samples import UNKNOWN_RADIUS_PX, Samples
from models.training.validate import auc, figures


class Oracle(FocusNet):
    """Says of the n-th picture what it was told to say."""

    def __init__(self, at_criterion: list[float], detectable: float = 5.0) -> None:
        super().__init__(hidden=4)
        self.said = torch.tensor(at_criterion)
        self.known = detectable

    def forward(self, luma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = len(luma)
        said = self.said[:count, None, None, None].expand(count, len(EDGES_PX), 3, 3)
        return said, torch.full((count, 3, 3), self.known)


RADII = [0.5, 0.6, 6.0, 8.0]


def test_a_network_that_knows_makes_no_mistake(samples_of: Callable[..., Samples]) -> None:
    found = figures(Oracle([4.0, 3.0, -3.0, -4.0]), samples_of(RADII), 2.5)
    assert found.auc_criterion == found.auc_apart == found.balanced_accuracy == 1.0
    assert found.false_sharp_from_4_px == 0.0
    assert found.tiles == 36


def test_calling_all_sharp_shows_in_every_figure_unless_it_cannot_be_judged(samples_of: Callable[..., Samples]) -> None:
    found = figures(Oracle([3.0, 3.0, 3.0, 3.0]), samples_of(RADII), 2.5)
    assert found.false_sharp_from_4_px == 1.0
    assert found.balanced_accuracy == 0.5
    assert figures(Oracle([3.0] * 4, -5.0), samples_of(RADII), 2.5).false_sharp_from_4_px == 0.0


def test_smears_are_counted_apart(samples_of: Callable[..., Samples]) -> None:
    found = figures(Oracle([3.0, 3.0, 3.0, 3.0]), samples_of([0.5, 0.6, 6.0, 6.0], motion_px=14.0), 2.5)
    assert found.false_sharp_moved == 1.0
    assert np.isnan(found.false_sharp_from_4_px)


def test_a_tile_of_both_kinds_counts_in_neither(samples_of: Callable[..., Samples]) -> None:
    samples = samples_of([*RADII, 3.0])
    samples.within[4, ..., EDGES_PX.index(2.5)] = 0.5
    assert figures(Oracle([4.0, 3.0, -3.0, -4.0, 4.0]), samples, 2.5).tiles == 36


def test_targets_ask_for_nothing_where_nothing_could_be_seen(samples_of: Callable[..., Samples]) -> None:
    samples = samples_of([1.0, 1.0, 1.0])
    samples.detail[0] = 0.05
    samples.source[1] = 0.2
    _, weight, known = targets(samples)
    assert weight[0].max() < 0.05
    assert weight[1].max() == 0.0
    assert weight[2].min() > 0.9
    assert known[0].max() == 0.0


def test_noise_is_out_of_focus_and_cannot_be_known(samples_of: Callable[..., Samples]) -> None:
    samples = samples_of([0.5, UNKNOWN_RADIUS_PX])
    samples.visible[1] = 0.0
    _, _, known = targets(samples)
    assert known[1].max() == 0.0
    assert figures(Oracle([3.0, 3.0]), samples, 2.5).noise_called_in_focus == 1.0


def test_area_under_the_curve_counts_pairs() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8], np.float32)
    assert auc(scores, np.array([False, False, True, True])) == pytest.approx(0.75)


def test_the_shipped_plan_keeps_to_the_budget_and_the_search_knows_it() -> None:
    assert 40 < search.mmac(Plan()) < search.BUDGET_MMAC
    assert search.mmac(Plan(detectors=64)) > search.mmac(Plan(detectors=8))


def test_the_table_of_a_search_lists_the_best_trial_first() -> None:
    study = optuna.create_study()
    drawn = search.drawn(study.ask(), Plan())
    assert 1 <= drawn.filters <= 15
    for loss in (0.5, 0.3):
        trial = study.ask()
        search.drawn(trial, Plan())
        for name in ("mmac", "auc_criterion", "auc_apart", "false_sharp_from_4_px"):
            trial.set_user_attr(name, 0.5)
        study.tell(trial, loss)
    lines = search.table(study).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| 0.3000")


@pytest.mark.parametrize("words", [["--samples", "5"], ["--filters", "16"], ["--workers", "0"], ["--hidden", "0"]])
def test_a_plan_that_cannot_be_is_refused_with_what_is_allowed(words: list[str]) -> None:
    with pytest.raises(InputError, match="allowed"):
        plan_from(parser().parse_args(words))


def manifest(folder: Path) -> Path:
    found = dict.fromkeys(
        (
            "tiles", "auc_criterion", "auc_apart", "auc_apart_low_light", "false_sharp_from_4_px", "false_sharp_moved",
            "balanced_accuracy", "calibration_error", "auc_detectable", "noise_called_in_focus",
        ),
        0.25,
    )  # fmt: skip
    path = folder / "m.json"
    content = {"criterion_px": 2.5, "metrics": {"held-out synthetic tiles": found}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_document_gets_its_tables_and_keeps_its_words(tmp_path: Path) -> None:
    text = (
        "before\n<!-- figures: synthetic -->\nold\n<!-- end -->\nafter\n<!-- figures: speed -->\nkept\n<!-- end -->\n"
    )
    found, missing = card.filled(text, tmp_path, manifest(tmp_path))
    assert found.startswith("before\n<!-- figures: synthetic -->\n| held-out synthetic tiles |")
    assert "old" not in found
    assert found.endswith("after\n<!-- figures: speed -->\nkept\n<!-- end -->\n")
    assert missing == ["speed"]
    assert "25.0 %" in found


def test_unknown_figures_and_damaged_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known:"):
        card.filled("<!-- figures: nothing -->\n\n<!-- end -->", tmp_path, manifest(tmp_path))
    (tmp_path / "bench.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="make them anew"):
        card.filled("<!-- figures: speed -->\n\n<!-- end -->", tmp_path, manifest(tmp_path))


def test_numbers_are_written_as_the_tables_write_them() -> None:
    assert [card.number(value) for value in (0.9764, 1.0, 12.3456, None, -0.5)] == [
        ".976",
        "1.000",
        "12.346",
        "–",
        "-0.500",
    ]


def test_options_of_training_are_those_of_the_command() -> None:
    assert isinstance(parser(add_help=False), argparse.ArgumentParser)
    assert plan_from(parser().parse_args([])) == Plan()


def test_a_contact_sheet_shows_each_sample_once(samples_of: Callable[..., Samples]) -> None:
    assert sheet_of(samples_of([1.0, UNKNOWN_RADIUS_PX]), 3).shape == (CELL_PX + CAPTION_PX, 3 * CELL_PX)
