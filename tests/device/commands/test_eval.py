"""`focusgate eval` prints the same figures as a table, as JSON and as a page, and refuses what it cannot use."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.commands import eval as eval_command
from models.baselines.architecture import Architecture, Dense
from models.baselines.runtime import Description, write
from models.errors import ExitCode, InputError, ModelError

Capsys = pytest.CaptureFixture[str]
SHARED = Path(__file__).parents[4] / "shared" / "data"


def run(*words: str | Path) -> int:
    top = argparse.ArgumentParser()
    eval_command.add_parser(top.add_subparsers(required=True))
    arguments = top.parse_args(["eval", *map(str, words)])
    return int(arguments.run(arguments))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two scenes of one image: a square sharp to the tiny model, two blurred ones, one of these labelled wrong."""
    lines = ["path\tx\ty\tsize\tlabel"]
    rng = np.random.default_rng(8)
    for scene in ("one", "two"):
        (tmp_path / scene).mkdir()
        image = np.concatenate([rng.integers(10, 50, (64, 64)), rng.integers(130, 170, (64, 128))], axis=1)
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / scene / "a.png")
        lines += [f"{scene}/a.png\t{x}\t0\t64\t{label}" for x, label in ((0, "in"), (64, "out"), (128, "in"))]
    path = tmp_path / "tiles.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_table_shows_every_method_and_every_scene(table: Path, tiny: Path, capsys: Capsys) -> None:
    assert run(table, "--unsigned", "--model", tiny) == ExitCode.OK
    shown = capsys.readouterr().out
    for text in ("tiny 1.0", "6 squares of 2 images: 4 in, 2 out", "Tenengrad", "one", "two", "worst"):
        assert text in shown


def test_json_holds_every_figure(table: Path, tiny: Path, capsys: Capsys) -> None:
    assert (
        run(table, "--unsigned", "--model", tiny, "--json", "--criterion-px", "2.5", "--threshold", "0.6")
        == ExitCode.OK
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["criterion_px"], found["threshold"], found["crops"]) == (2.5, 0.6, False)
    model = found["methods"][0]["pooled"]
    assert (model["in"], model["out"], model["missed"], model["false_sharp"]) == (4, 2, 0.5, 0.0)


def test_the_page_is_written_beside_the_table(table: Path, tiny: Path, tmp_path: Path, capsys: Capsys) -> None:
    assert run(table, "--unsigned", "--model", tiny, "--crops", "--html", tmp_path / "page.html") == ExitCode.OK
    assert "one/a.png" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Tenengrad" in capsys.readouterr().out


@pytest.fixture
def baselines(tmp_path: Path) -> Path:
    """A folder with one untrained network of 16 px."""
    graph = pytest.importorskip("models.baselines.graph", reason="networks are made with the package onnx")
    architecture = Architecture("other", "the other network", 16, (Dense(2),), (2.5,))
    description = Description(
        name="other",
        title="the other network",
        input_px=16,
        edges_px=(2.5,),
        criterion_px=2.5,
        in_focus_classes=1,
        tiles_seen=12_345,
        held_out_auc=0.5,
        cpu_s=0.0,
        training={},
    )
    write(tmp_path / "nets", graph.model_of(architecture, graph.random_weights(architecture, 1)), description)
    return tmp_path / "nets"


def test_networks_of_others_are_methods_on_the_same_squares(
    table: Path, tiny: Path, baselines: Path, capsys: Capsys
) -> None:
    words = (table, "--unsigned", "--model", tiny, "--baselines", baselines)
    assert run(*words) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "the other network: trained on 12,345 simulated tiles, in focus = blur radius at most 2.5 px" in shown
    run(*words, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["baselines"][0]["name"] == "other"
    others = found["methods"][-2:]
    assert [method["name"] for method in others] == ["the other network", "the other network, p ≥ 0.5"]
    assert [method["threshold"] for method in others] == ["leave-one-scene-out", 0.5]
    assert [(method["pooled"]["in"], method["pooled"]["out"]) for method in others] == [(4, 2)] * 2


def test_a_folder_without_networks_is_refused_before_any_work(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no trained baselines"):
        run(table, "--model", tmp_path / "none.json", "--baselines", tmp_path)


def test_many_scenes_are_cut_short_on_the_terminal_only(
    table: Path, tiny: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eval_command, "MOST_SCENES", 1)
    run(table, "--unsigned", "--model", tiny)
    assert "and 1 more" in capsys.readouterr().out


def test_an_image_that_is_missing_is_named(table: Path, tiny: Path) -> None:
    (table.parent / "two" / "a.png").unlink()
    with pytest.raises(InputError, match=r"two.a\.png"):
        run(table, "--unsigned", "--model", tiny)


def test_a_page_in_a_folder_that_does_not_exist_is_refused_before_any_work(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its folder does not exist"):
        run(table, "--unsigned", "--model", tmp_path / "none.json", "--html", tmp_path / "no" / "page.html")


def test_a_page_that_cannot_be_written_is_one_line(table: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        run(table, "--unsigned", "--model", tiny, "--html", tmp_path / "page.html")
    assert list(tmp_path.glob(".*")) == []


def test_a_model_that_is_missing_is_one_line(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model manifest"):
        run(table, "--unsigned", "--model", tmp_path / "none.json")


@pytest.mark.parametrize(
    ("option", "value"), [("--criterion-px", "0"), ("--criterion-px", "99"), ("--threshold", "90")]
)
def test_a_limit_that_cannot_be_is_refused(table: Path, tiny: Path, option: str, value: str) -> None:
    with pytest.raises(InputError, match=r"allowed|choose"):
        run(table, "--unsigned", "--model", tiny, option, value)


def test_figures_at_other_criteria_are_shown_and_the_one_in_force_is_marked(
    table: Path, tiny: Path, capsys: Capsys
) -> None:
    words = (table, "--model", tiny, "--unsigned", "--criteria", "3,0.75")
    assert run(*words) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "at other criteria" in shown
    assert "1.5 (in force)" in shown
    assert run(*words, "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [each["criterion_px"] for each in found["criteria"]] == [0.75, 1.5, 3.0]
    assert sum(each["count"] for each in found["reliability"]) == 6


def test_criteria_that_cannot_be_are_refused_before_any_work(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--criteria '1,wide'"):
        run(table, "--model", tmp_path / "none.json", "--criteria", "1,wide")


def test_a_criterion_beyond_what_the_model_knows_is_refused(table: Path, tiny: Path) -> None:
    with pytest.raises(InputError, match="criterion of 50 px"):
        run(table, "--model", tiny, "--unsigned", "--criteria", "1,50")


def test_no_blurred_plane_of_bbbc006_passes_and_the_actin_in_focus_does_at_a_wide_criterion(capsys: Capsys) -> None:
    if not (SHARED / "bbbc006").exists():
        pytest.skip("the pictures of BBBC006 are not beside this checkout")
    assert run(SHARED / "bbbc006", "--json", "--criteria", "2.5,7") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == {"in": 14, "out": 14, "mixed": 0}
    for each in found["criteria"]:
        assert each["verdicts"]["out"]["pass"] == 0
    assert found["criteria"][-1]["verdicts"]["in"]["pass"] >= 9


def test_the_shipped_model_tells_focus_on_real_stacks(capsys: Capsys) -> None:
    if not (SHARED / "tiles_shared.tsv").exists():
        pytest.skip("the real focal stacks are not beside this checkout")
    assert run(SHARED / "tiles_shared.tsv", "--json") == ExitCode.OK
    model, _, *classical = json.loads(capsys.readouterr().out)["methods"]
    assert model["pooled"]["auc"] > 0.95
    assert model["over_scenes"]["balanced_accuracy"]["mean"] > 0.85
    assert {method["name"] for method in classical} >= {"Tenengrad", "variance of Laplacian"}
