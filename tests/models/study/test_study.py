from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.study import options, page, sweep, tables
from models.study.experiments import EXPERIMENTS, FULL, QUICK, seeds_of, settings_of
from models.study.running import Material, run_one
from models.study.scoring import scores, wilson
from models.study.settings import Setting
from models.study.stacks import Stacks
from models.study.study import order
from models.study.tasks import TASKS, examples, prepared, rows_of

TINY = Setting("cnn", "tiny", crop_px=16, binning=2, width=2, dense=4, steps=4, batch=4, learning_rate=1e-3)


def _nothing(done: int, total: int) -> None:
    pass


def test_a_class_is_made_of_its_planes_and_brightness_tells_nothing(plate: Stacks) -> None:
    rows = rows_of(plate, list(plate.wells), ("w1",), None, 0)
    made = examples(plate, TASKS["three"], rows, binning=2, seed=1)
    assert made.images.shape == (3 * len(rows), 32, 32)
    assert np.bincount(made.targets).tolist() == [len(rows)] * 3
    assert np.abs(made.images.mean(axis=(1, 2))).max() < 1e-3
    assert np.abs(made.images.std(axis=(1, 2)) - 1).max() < 1e-3
    first = prepared(plate.images[rows[0], 16].astype(np.float32), 2)
    assert np.array_equal(made.images[0], first)


def test_stacks_that_lack_a_plane_are_refused(plate: Stacks) -> None:
    shallow = Stacks(plate.images[:, 10:20], plate.wells, plate.stains, None, in_focus=6)
    with pytest.raises(InputError, match="no such planes"):
        examples(shallow, TASKS["four"], np.array([0]), binning=1, seed=1)


@pytest.mark.parametrize("task", ["blur", "blur-noise"])
def test_gaussian_blur_makes_detail_vanish_by_degree(plate: Stacks, task: str) -> None:
    made = examples(plate, TASKS[task], np.arange(4), binning=4, seed=1)
    detail = [np.square(np.diff(made.images[made.targets == degree], axis=1)).mean() for degree in range(3)]
    assert detail[0] > detail[1] > detail[2]


@pytest.mark.parametrize(
    "setting",
    [
        TINY,
        replace(TINY, network="features"),
        replace(TINY, network="energy", radius_px=50.0),
        replace(TINY, tested_on="blur", task="three"),
        replace(TINY, network="reduced", aperture="high-pass", radius_px=100.0, phase=True),
        replace(TINY, network="bosse", crop_px=32, binning=2, task="levels"),
        replace(TINY, network="unet", task="three", stains=("w1",)),
    ],
    ids=lambda setting: setting.network,
)
def test_a_run_tells_its_setting_seed_versions_and_result(plate: Stacks, tmp_path: Path, setting: Setting) -> None:
    result = json.loads(json.dumps(run_one(setting, 1, Material(plate, None, tmp_path), _nothing)))
    assert result["setting"]["network"] == setting.network
    assert result["seed"] == 1
    assert {"python", "torch", "numpy", "device"} <= result["versions"].keys()
    assert 0.0 <= result["accuracy"] <= 1.0
    assert result["tested"] > 0


def test_the_same_seed_gives_the_same_result_and_another_tests_other_wells(plate: Stacks, tmp_path: Path) -> None:
    material = Material(plate, None, tmp_path)
    first, second = (run_one(TINY, 1, material, _nothing) for _ in range(2))
    assert first["curve"] == second["curve"]
    assert run_one(TINY, 2, material, _nothing)["curve"] != first["curve"]


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1))
def test_scores_agree_with_what_they_count(pairs: list[tuple[int, int]]) -> None:
    found, targets = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    result = scores(found, targets, 11)
    assert result["right"] == sum(a == b for a, b in pairs)
    assert np.sum(result["confusion"]) == len(pairs)
    assert result["accuracy"] <= result["within_one"] <= 1.0


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_the_share_and_stays_in_0_to_1(right: int, more: int) -> None:
    tested = right + more
    low, high = wilson(right, tested)
    assert 0.0 <= low <= right / tested <= high <= 1.0


def test_wilsons_interval_of_all_right_of_100_is_as_in_the_tables() -> None:
    assert wilson(100, 100) == pytest.approx((0.963, 1.0), abs=5e-4)


@pytest.mark.parametrize("scale", [QUICK, FULL], ids=lambda scale: scale.name)
def test_no_two_runs_of_an_experiment_are_the_same(scale: object) -> None:
    for name in EXPERIMENTS:
        keys = [setting.key() for setting in settings_of(name, scale)]  # type: ignore[arg-type]
        assert len(set(keys)) == len(keys)
        assert len(seeds_of(name, scale)) >= 2  # type: ignore[arg-type]
        assert name in tables.COLUMNS


def test_every_experiment_runs_once_before_any_runs_twice() -> None:
    assert order(["cnn", "unet"], QUICK, 2) == [("cnn", 1), ("unet", 1), ("cnn", 2), ("unet", 2)]


def _fake(setting: Setting, seed: int) -> dict[str, object]:
    return {"key": setting.key(), "seed": seed, "accuracy": 0.5, "right": 5, "tested": 10}


def test_a_sweep_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    storage = sweep.storage_at(f"sqlite:///{tmp_path / 'study.db'}")
    settings = [replace(TINY, variant=name) for name in "ab"]
    calls = []

    def broken(setting: Setting, seed: int) -> dict[str, object]:
        calls.append((setting.variant, seed))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return _fake(setting, seed)

    with pytest.raises(KeyboardInterrupt):
        sweep.run_sweep("cnn", settings, range(1, 3), storage=storage, out=tmp_path, run=broken)
    assert sweep.run_sweep("cnn", settings, range(1, 3), storage=storage, out=tmp_path, run=_fake) == 3
    assert sweep.run_sweep("cnn", settings, range(1, 3), storage=storage, out=tmp_path, run=_fake) == 0
    assert len(sweep.read_results(tmp_path, "cnn")) == 4


def test_a_storage_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--storage") as caught:
        sweep.storage_at(f"sqlite:///{tmp_path / 'absent' / 'study.db'}")
    assert "\n" not in str(caught.value)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "cnn-abc-1.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cnn-abc-1"):
        sweep.read_results(tmp_path, "cnn")


def test_what_did_not_run_says_so_in_the_table() -> None:
    rows = tables.rows_of([TINY, replace(TINY, variant="other")], [_fake(TINY, 1)])
    text = tables.table("batches", rows)
    assert "50.0 (23.7–76.3)" in text
    assert "| other | not run |" in text


def test_tables_go_between_their_marks_and_the_rest_of_the_page_stays() -> None:
    before = "one\n<!-- table: cnn -->\nold\n<!-- end -->\ntwo\n<!-- table: sides -->\nkept\n<!-- end -->\n"
    after = page.filled(before, {"cnn": "| new |\n"})
    assert after == before.replace("old\n", "| new |\n")
    assert page.filled(after, {"cnn": "| new |\n"}) == after


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nonsense"], "nonsense"),
        (["--wells", "3"], "--wells 3"),
        (["--threads", "0"], "--threads"),
        (["--no-run"], "--page"),
        (["--stacks", "a", "--data", "b"], "--stacks"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_one_line(words: list[str], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        options.check(options.parser().parse_args(words))
    assert "\n" not in str(caught.value)
