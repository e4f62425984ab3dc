"""`focusgate check` says of each image what the gate would say, in a table or as JSON, and draws it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device import checking
from device.commands import check
from models.classifier import Judging
from models.errors import InputError

RunCheck = Callable[..., int]
Capsys = pytest.CaptureFixture[str]

KEYS = [
    "path",
    "width",
    "height",
    "tile",
    "p_in_focus",
    "blur_px",
    "judged",
    "in_focus",
    "judged_tiles",
    "fraction",
    "verdict",
    "reason",
    "model",
]


def picture(path: Path, bright: int, dim: int = 0, black: int = 0) -> Path:
    """One row of 16 px tiles: bright ones (sharp to the stand-in), dim ones (blurred), black ones (not judged)."""
    levels = [250] * bright + [40] * dim + [0] * black
    luma = np.repeat(np.array([levels], np.uint8), 16, axis=0).repeat(16, axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(luma).save(path)
    return path


def test_the_exit_code_is_0_when_all_pass(tmp_path: Path, run_check: RunCheck) -> None:
    assert run_check(picture(tmp_path / "a.png", 10), picture(tmp_path / "b.png", 9, 1)) == 0


def test_the_exit_code_is_1_when_one_fails(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    assert run_check(picture(tmp_path / "a.png", 10), picture(tmp_path / "b.png", 62, 38)) == 1
    assert "only 62 % in focus (90 % needed)" in capsys.readouterr().out


def test_the_exit_code_is_1_when_one_cannot_be_judged(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    assert run_check(picture(tmp_path / "a.png", 3, 0, 7)) == 1
    assert "cannot judge: too dark" in capsys.readouterr().out


def test_a_bad_file_makes_the_exit_code_2_and_the_others_are_judged_all_the_same(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys
) -> None:
    good, bad = picture(tmp_path / "good.png", 10), tmp_path / "bad.jpg"
    bad.write_text("text")
    assert run_check(bad, good, tmp_path / "missing.png") == 2
    told = capsys.readouterr()
    assert "good.png" in told.out
    assert "1 image: 1 pass, 0 fail, 0 cannot be judged; 2 unusable" in told.out
    lines = told.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"focusgate: {bad}: not an image")
    assert "missing.png: no such file" in lines[1]


def test_the_json_has_exactly_the_documented_keys_and_values(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys
) -> None:
    path = picture(tmp_path / "a.png", 3, 2, 1)
    assert run_check(path, "--json") == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    record = json.loads(lines[0])
    assert list(record) == KEYS
    assert record == {
        "path": str(path),
        "width": 96,
        "height": 16,
        "tile": {"width": 16, "height": 16, "rows": 1, "columns": 6},
        "p_in_focus": [[0.9804, 0.9804, 0.9804, 0.1569, 0.1569, 0.0]],
        "blur_px": [[0.1235, 0.1235, 0.1235, 4.5, 4.5, 4.5]],
        "judged": [[True, True, True, True, True, False]],
        "in_focus": 3,
        "judged_tiles": 5,
        "fraction": 0.6,
        "verdict": "fail",
        "reason": "only 60 % in focus (90 % needed)",
        "model": {"name": "brightness", "sha256": "ab" * 32},
    }


def test_json_of_a_pass_has_no_reason_and_of_a_black_image_no_fraction(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys
) -> None:
    run_check(picture(tmp_path / "a.png", 4), picture(tmp_path / "b.png", 0, 0, 4), "--json")
    passed, black = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (passed["verdict"], passed["reason"], passed["fraction"]) == ("pass", None, 1.0)
    assert (black["verdict"], black["reason"], black["fraction"]) == ("cannot-judge", "cannot judge: too dark", None)


def test_json_lines_come_out_for_good_files_only(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    assert run_check(picture(tmp_path / "a.png", 4), tmp_path / "missing.png", "--json") == 2
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1
    assert len(told.err.splitlines()) == 1


def test_a_folder_is_judged_in_natural_order_and_each_image_once(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys
) -> None:
    for name in ("img10.png", "img9.png", "img1.png"):
        picture(tmp_path / "set" / name, 4)
    assert run_check(tmp_path / "set", tmp_path / "set" / "img9.png", "--json") == 0
    paths = [Path(json.loads(line)["path"]).name for line in capsys.readouterr().out.splitlines()]
    assert paths == ["img1.png", "img9.png", "img10.png"]


def test_the_criterion_reaches_the_classifier(tmp_path: Path, run_check: RunCheck, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked: list[Judging] = []
    judge = checking.check_image

    def spy(path, classifier, judging, percent):  # type: ignore[no-untyped-def]
        asked.append(judging)
        return judge(path, classifier, judging, percent)

    monkeypatch.setattr(checking, "check_image", spy)
    run_check(picture(tmp_path / "a.png", 4), "--criterion-px", "2.5")
    assert [judging.criterion_px for judging in asked] == [2.5]


def test_the_share_that_is_needed_can_be_chosen(tmp_path: Path, run_check: RunCheck) -> None:
    path = picture(tmp_path / "a.png", 8, 2)
    assert run_check(path, "--percent", "80") == 0
    assert run_check(path, "--percent", "81") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--percent", value) for value in ("0.9", "0", "101", "-5", "ninety", "90%", "٩٠")),
        *(("--criterion-px", value) for value in ("0", "-1", "nan", "inf", "21", "wide")),
    ],
)
def test_an_option_out_of_range_is_refused(tmp_path: Path, run_check: RunCheck, option: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{option} .*allowed") as refusal:
        run_check(picture(tmp_path / "a.png", 4), f"{option}={value}")
    assert "\n" not in str(refusal.value)


def test_a_criterion_beyond_the_model_is_refused_once_not_for_every_image(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys
) -> None:
    paths = [picture(tmp_path / name, 4) for name in ("a.png", "b.png")]
    with pytest.raises(InputError, match="knows radii up to 12 px"):
        run_check(*paths, "--criterion-px", "15")
    assert capsys.readouterr().err == ""


def test_an_image_smaller_than_a_tile_is_refused(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    assert run_check(tmp_path / "dot.png") == 2
    assert "1 × 1 px, less than one tile; allowed are at least 16 × 16" in capsys.readouterr().err


def test_a_note_on_the_pixels_is_shown_beside_the_reason(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    Image.fromarray(np.full((16, 64), 4000, np.uint16)).save(tmp_path / "deep.png")
    run_check(tmp_path / "deep.png")
    assert "16-bit grey: 0 to 4000 became 0 to 255" in capsys.readouterr().out


def test_absolute_and_relative_paths_can_be_mixed(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_check(picture(tmp_path / "a.png", 4), picture(tmp_path / "b.png", 4).relative_to(tmp_path)) == 0
    assert f"{tmp_path}/a.png" in capsys.readouterr().out.replace("\n", "")


def test_the_folder_that_images_share_is_named_once(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    run_check(picture(tmp_path / "a.png", 4), picture(tmp_path / "b.png", 4))
    assert capsys.readouterr().out.count(str(tmp_path)) == 1


def test_markup_in_a_name_is_shown_as_it_is(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    run_check(picture(tmp_path / "[bold]a[/].png", 4), tmp_path / "[red]b[/].png")
    told = capsys.readouterr()
    assert "[bold]a[/].png" in told.out
    assert "[red]b[/].png" in told.err


def test_a_line_break_in_a_name_does_not_break_the_line(tmp_path: Path, run_check: RunCheck, capsys: Capsys) -> None:
    (tmp_path / "a\nb.jpg").write_text("text")
    run_check(tmp_path / "a\nb.jpg")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_overlay_is_written_for_each_image_and_nothing_else(tmp_path: Path, run_check: RunCheck) -> None:
    paths = [picture(tmp_path / "in" / name, 4, 2) for name in ("a.png", "b.png")]
    run_check(*paths, "--overlay", tmp_path / "out" / "maps")
    written = sorted((tmp_path / "out" / "maps").iterdir())
    assert [path.name for path in written] == ["a.overlay.jpg", "b.overlay.jpg"]
    with Image.open(written[0]) as drawn:
        assert drawn.width == 96
        assert drawn.height > 16


@pytest.mark.parametrize(
    ("names", "overlays"),
    [
        (["x/a.png", "x/b.png"], ["a", "b"]),
        (["x/a.png", "y/A.png", "y/b.png"], ["x_a", "y_A", "b"]),
        (["x/set/a.png", "y/set/a.png"], ["x_set_a", "y_set_a"]),
        (["x/a.png", "x/a.bmp"], ["x_a_png", "x_a_bmp"]),
        (["x/a.png", "y/a.png", "y/x_a.png"], ["x_a", "y_a", "y_x_a"]),
        (["w/x/y/z/a.png", "v/x/y/z/a.png"], ["z_a_png", "z_a_png-2"]),
    ],
)
def test_every_image_gets_an_overlay_of_its_own(tmp_path: Path, names: list[str], overlays: list[str]) -> None:
    images = [tmp_path / name for name in names]
    targets = checking.overlay_paths(tmp_path / "out", images)
    assert [targets[image].name.removesuffix(".overlay.jpg") for image in images] == overlays
    assert len({target.name.casefold() for target in targets.values()}) == len(images)


def test_an_overlay_never_overwrites_an_image_that_is_judged(tmp_path: Path, run_check: RunCheck) -> None:
    first = picture(tmp_path / "a.png", 4)
    second = picture(tmp_path / "a.overlay.jpg", 4)
    before = second.read_bytes()
    with pytest.raises(InputError, match="would overwrite the image"):
        run_check(first, second, "--overlay", tmp_path)
    assert second.read_bytes() == before


def test_an_overlay_folder_that_is_a_file_is_refused_before_judging(tmp_path: Path, run_check: RunCheck) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match=r"--overlay .*cannot be made"):
        run_check(picture(tmp_path / "a.png", 4), "--overlay", tmp_path / "out")


def test_an_overlay_folder_without_permission_is_refused(
    tmp_path: Path, run_check: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.checking.os.access", lambda *_: False)
    with pytest.raises(InputError, match="no permission to write there"):
        run_check(picture(tmp_path / "a.png", 4), "--overlay", tmp_path / "out")


def test_a_full_disk_leaves_no_half_written_overlay(
    tmp_path: Path, run_check: RunCheck, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write_bytes(self, data[:100])
        raise OSError(28, "No space left on device")

    path = picture(tmp_path / "a.png", 4)
    monkeypatch.setattr(Path, "write_bytes", full)
    assert run_check(path, "--overlay", tmp_path / "out", "--json") == 2
    told = capsys.readouterr()
    assert "cannot be written (No space left on device)" in told.err
    assert json.loads(told.out)["verdict"] == "pass"
    assert list((tmp_path / "out").iterdir()) == []


def test_the_model_is_not_loaded_when_there_is_nothing_to_judge(tmp_path: Path) -> None:
    top = argparse.ArgumentParser()
    check.add_parser(top.add_subparsers())

    def load(_: Path | None) -> None:
        raise AssertionError("loaded")

    assert check.run(top.parse_args(["check", str(tmp_path)]), load=load) == 2  # type: ignore[arg-type]


def test_help_shows_examples_and_exit_codes(capsys: Capsys) -> None:
    top = argparse.ArgumentParser()
    check.add_parser(top.add_subparsers())
    with pytest.raises(SystemExit):
        top.parse_args(["check", "--help"])
    text = capsys.readouterr().out
    assert "focusgate check photos/ --overlay maps/" in text
    assert "exit codes:" in text
