"""Bad input to `focusgate check`: one line on stderr, exit code 2, nothing half-written, never a traceback."""

from __future__ import annotations

import argparse
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from device.commands import check
from models.classifier import Judging
from models.focusmap import Cause, FocusMap, Luma, TileGrid

SIDE = 96
Capsys = pytest.CaptureFixture[str]


class YesClassifier:
    """Finds everything sharp: what is refused here was refused before anything was judged."""

    name = "yes"
    sha256 = "0" * 64
    tile_px = 32

    def judge(self, luma: Luma, judging: Judging, *, frame_id: int = 0, exposed_ns: int = 0) -> FocusMap:
        grid = TileGrid.of(luma.shape[1], luma.shape[0], self.tile_px)
        shape = (grid.rows, grid.columns)
        return FocusMap(
            grid=grid,
            blur_px=np.zeros(shape, np.float32),
            p_in_focus=np.ones(shape, np.float32),
            cause=np.full(shape, Cause.JUDGED, np.uint8),
            criterion_px=1.5,
            threshold=0.5,
            model_name=self.name,
            model_sha256=self.sha256,
        )


def run_check(*arguments: str | Path) -> int:
    top = argparse.ArgumentParser()
    check.add_parser(top.add_subparsers())
    return check.run(top.parse_args(["check", *map(str, arguments)]), load=lambda _: YesClassifier())


def photograph() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def jpeg() -> bytes:
    buffer = io.BytesIO()
    photograph().save(buffer, "JPEG")
    return buffer.getvalue()


def truncated(path: Path) -> None:
    path.write_bytes(jpeg()[:2000])


def animated(path: Path) -> None:
    frames = [Image.new("L", (SIDE, SIDE), level) for level in (0, 90, 180)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def folder_without_images(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("nothing to see")


def nothing(path: Path) -> None:
    """The file is not there."""


UNUSABLE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.jpg", nothing, "no such file"),
    "truncated": ("a.jpg", truncated, "cut short"),
    "empty": ("a.jpg", Path.touch, "empty (0 bytes)"),
    "zero-size": ("a.pgm", lambda path: path.write_bytes(b"P5 0 96 255\n"), "without pixels"),
    "1×1": ("a.png", lambda path: Image.new("RGB", (1, 1)).save(path), "1 × 1 px, less than one tile"),
    "animated GIF": ("a.gif", animated, "holds 3 pictures"),
    "animated WebP": ("a.webp", animated, "holds 3 pictures"),
    "pages": ("a.tif", animated, "holds 3 pictures"),
    "huge": ("a.png", lambda path: Image.new("1", (14_000, 14_000)).save(path), "megapixels; allowed are 100"),
    "text named .jpg": ("a.jpg", lambda path: path.write_text("hello"), "not an image"),
    "folder without images": ("set", folder_without_images, "holds no image"),
    "floating point": ("a.tif", lambda path: Image.new("F", (SIDE, SIDE)).save(path), "no defined luma"),
    "pipe": ("a.jpg", os.mkfifo, "a device or a pipe"),
    "program": ("a.png", lambda path: path.write_bytes(b"\x7fELF" + bytes(500)), "not an image"),
    "sound": ("a.webp", lambda path: path.write_bytes(b"RIFF\x10\0\0\0WAVEfmt "), "not an image"),
}

ODD_BUT_USABLE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "greyscale": ("a.jpg", lambda path: photograph().convert("L").save(path)),
    "alpha": ("a.png", lambda path: photograph().convert("RGBA").save(path)),
    "CMYK": ("a.jpg", lambda path: photograph().convert("CMYK").save(path)),
    "palette": ("a.gif", lambda path: photograph().convert("P").save(path)),
    "black and white": ("a.tif", lambda path: photograph().convert("1").save(path)),
    "16-bit grey": ("a.png", lambda path: cv2.imwrite(str(path), np.full((SIDE, SIDE), 3000, np.uint16))),
    "16-bit colour": ("a.png", lambda path: cv2.imwrite(str(path), np.full((SIDE, SIDE, 3), 3000, np.uint16))),
    "one tile": ("a.png", lambda path: Image.new("RGB", (32, 32)).save(path)),
    "wrong suffix": ("a.png", lambda path: path.write_bytes(jpeg())),
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("form", ["table", "json"])
def test_an_unusable_image_is_one_line_and_exit_code_2(tmp_path: Path, kind: str, form: str, capsys: Capsys) -> None:
    name, make, words = UNUSABLE[kind]
    make(tmp_path / name)
    maps = tmp_path / "maps"
    assert run_check(tmp_path / name, "--overlay", maps, *(["--json"] if form == "json" else [])) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert told.err.startswith(f"focusgate: {tmp_path / name}: ")
    assert words in told.err
    assert list(maps.iterdir()) == []


def test_one_unusable_image_in_a_folder_does_not_keep_the_others_from_being_judged(
    tmp_path: Path, capsys: Capsys
) -> None:
    for number in (1, 3):
        photograph().save(tmp_path / f"{number}.png")
    truncated(tmp_path / "2.jpg")
    maps = tmp_path / "maps"
    assert run_check(tmp_path, "--json", "--overlay", maps) == 2
    told = capsys.readouterr()
    assert [Path(json.loads(line)["path"]).name for line in told.out.splitlines()] == ["1.png", "3.png"]
    assert len(told.err.splitlines()) == 1
    assert sorted(path.name for path in maps.iterdir()) == ["1.overlay.jpg", "3.overlay.jpg"]


@pytest.mark.parametrize("kind", ODD_BUT_USABLE)
def test_an_odd_image_is_judged_without_a_word_on_stderr(tmp_path: Path, kind: str, capsys: Capsys) -> None:
    name, make = ODD_BUT_USABLE[kind]
    make(tmp_path / name)
    assert run_check(tmp_path / name, "--json", "--overlay", tmp_path / "maps") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] == "pass"
    assert told.err == ""
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["a.overlay.jpg"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_jpeg_cut_or_garbled_anywhere_is_judged_or_refused_in_one_line(
    tmp_path: Path, capsys: Capsys, data: st.DataObject
) -> None:
    whole = jpeg()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)), label="cut at")])
    if damaged:
        places = st.integers(0, len(damaged) - 1)
        for place in data.draw(st.lists(places, max_size=6), label="garbled bytes"):
            damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.jpg"
    path.write_bytes(damaged)
    code = run_check(path, "--json")
    told = capsys.readouterr()
    assert code in {0, 2}
    assert len(told.out.splitlines()) == (1 if code == 0 else 0)
    assert len(told.err.splitlines()) == (1 if code == 2 else 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_in_one_line(tmp_path: Path, capsys: Capsys, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert run_check(path) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
