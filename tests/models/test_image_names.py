"""Folders are listed as people count, and any name can be printed on one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.images import list_images, natural_key, shown


def test_a_folder_is_listed_in_natural_order_without_what_is_no_image(tmp_path: Path) -> None:
    for name in ("img10.jpg", "img2.JPG", "IMG1.png", "notes.txt", "._img1.png", "b.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "sub.jpg").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["b.tiff", "IMG1.png", "img2.JPG", "img10.jpg"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="the folder holds no image"):
        list_images(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be listed"):
        list_images(tmp_path / "nowhere")


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_names_can_be_put_in_natural_order(names: list[str]) -> None:
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered, key=natural_key) == ordered


@given(st.text())
def test_any_path_is_shown_on_one_printable_line(name: str) -> None:
    line = shown(name)
    assert line.isprintable()
    line.encode()


def test_an_undecodable_byte_in_a_name_can_be_printed() -> None:
    assert shown(os.fsdecode(b"caf\xe9.jpg")).encode() == b"caf\\udce9.jpg"
