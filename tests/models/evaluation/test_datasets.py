"""Data sets are read in three forms; whatever is wrong with one is a line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.evaluation.datasets import Label, by_image, load_dataset, load_datasets

TILES = "path\tx\ty\tsize\tlabel\tin_focus_share\n"
FIELDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\t"), max_size=8)


def table(folder: Path, text: str, name: str = "tiles.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_squares_carry_their_scene_place_and_label(tmp_path: Path) -> None:
    text = (
        TILES
        + "a/frames/1.jpg\t320\t480\t160\tout\t0.0\na/frames/1.jpg\t0\t0\t160\tin\t1\nb/2.jpg\t1\t2\t8\tmixed\t.5\n"
    )
    squares = load_dataset(table(tmp_path, text)).squares
    assert [square.scene for square in squares] == ["a", "a", "b"]
    assert [square.label for square in squares] == [Label.OUT, Label.IN, Label.MIXED]
    assert (squares[0].x, squares[0].y, squares[0].size) == (320, 480, 160)
    assert squares[0].path == tmp_path / "a/frames/1.jpg"
    assert by_image(squares) == {tmp_path / "a/frames/1.jpg": [0, 1], tmp_path / "b/2.jpg": [2]}


def test_whole_images_are_labelled_by_the_first_word_and_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    text = "path\tlabel\nz/a.tif\tout plane=00\nz/b.tif\tin\nc.jpg\tmask=truth/c.png\nd.jpg\t\n"
    dataset = load_dataset(table(tmp_path, text))
    assert [(square.label, square.size) for square in dataset.squares] == [(Label.OUT, None), (Label.IN, None)]
    assert dataset.left_out == 2


def test_a_folder_is_read_by_its_tables_of_tiles(tmp_path: Path) -> None:
    table(tmp_path, TILES + "a.jpg\t0\t0\t8\tin\t1\n", "tiles_one.tsv")
    table(tmp_path, TILES + "b.jpg\t0\t0\t8\tout\t0\n", "tiles_two.tsv")
    table(tmp_path, "path\tlabel\nc.jpg\tin\n", "images.tsv")
    dataset = load_dataset(tmp_path)
    assert [square.name for square in dataset.squares] == ["a.jpg", "b.jpg"]
    assert dataset.squares[0].scene == tmp_path.name


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("BBBC006_v1_images_z_16", Label.IN),
        ("BBBC006_v1_images_z_10", Label.OUT),
        ("BBBC006_v1_images_z_22", Label.OUT),
        ("BBBC006_v1_images_z_15", Label.MIXED),
        ("z00_w1", Label.OUT),
        ("z16_w2", Label.IN),
    ],
)
def test_the_planes_of_bbbc006_are_labelled_by_their_distance_from_focus(
    tmp_path: Path, folder: str, label: Label
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "mcf-z-stacks-03212011_k07_s2_w1abc.tif").touch()
    (tmp_path / folder / "notes.txt").touch()
    (square,) = load_dataset(tmp_path).squares
    assert (square.label, square.scene, square.size) == (label, "k07 s2 w1", None)


def test_a_folder_that_names_no_plane_is_left_out_and_counted(tmp_path: Path) -> None:
    for name in ("z_16", "aligned10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tif").touch()
    dataset = load_dataset(tmp_path)
    assert (len(dataset.squares), dataset.left_out) == (1, 1)


def test_a_folder_is_labelled_by_a_table_beside_it_before_its_planes_are_guessed(tmp_path: Path) -> None:
    folder = tmp_path / "plate"
    for plane in ("z00_w1", "zaligned10_w1", "z16_w2"):
        (folder / plane).mkdir(parents=True)
        (folder / plane / "x_a01_s1_w1_10.png").touch()
    table(
        tmp_path,
        "path\tlabel\nplate/z00_w1/x_a01_s1_w1.tif\tout plane=00\nplate/zaligned10_w1/x__a01__s1__w1_10.png"
        "\tin\nplates/b.png\tin\nother/c.png\tmask=c\nplate/d.png\tunknown\n",
        "all.tsv",
    )
    table(tmp_path, "name\tsize\nplate/z00_w1\t12\n", "sizes.tsv")
    dataset = load_dataset(folder)
    assert [(square.label, square.scene) for square in dataset.squares] == [
        (Label.OUT, "a01 s1 w1"),
        (Label.IN, "a01 s1 w1"),
    ]
    assert dataset.squares[0].path == tmp_path / "plate/z00_w1/x_a01_s1_w1.tif"
    assert dataset.left_out == 1


def test_tables_beside_a_folder_that_do_not_name_its_images_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "plate" / "z_16").mkdir(parents=True)
    (tmp_path / "plate" / "z_16" / "a.tif").touch()
    table(tmp_path, "path\tlabel\nelsewhere/a.tif\tout\n")
    (square,) = load_dataset(tmp_path / "plate").squares
    assert square.label is Label.IN


def test_a_table_of_squares_beside_a_folder_labels_it_too(tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    table(tmp_path, TILES + "ring/1.jpg\t0\t8\t16\tin\t1\npcb/1.jpg\t0\t0\t16\tout\t0\n")
    (square,) = load_dataset(tmp_path / "ring").squares
    assert (square.path, square.y, square.size, square.scene) == (tmp_path / "ring/1.jpg", 8, 16, "ring")


def test_scenes_of_several_data_sets_stay_apart(tmp_path: Path) -> None:
    one = table(tmp_path, TILES + "a/1.jpg\t0\t0\t8\tin\t1\n", "one.tsv")
    two = table(tmp_path, TILES + "a/1.jpg\t0\t0\t8\tin\t1\n", "two.tsv")
    assert [square.scene for square in load_datasets([one, two]).squares] == ["one/a", "two/a"]
    assert [square.scene for square in load_datasets([one]).squares] == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs the columns"),
        ("path\tx\n", "needs the columns"),
        (TILES, "nothing in it is labelled"),
        ("path\tlabel\na.jpg\tblurred\n", "nothing in it is labelled"),
        (TILES + "a.jpg\t0\t0\t160\tblurry\t0\n", "line 2: label 'blurry'; allowed: in, out, mixed"),
        (TILES + "a.jpg\t-1\t0\t160\tin\t0\n", "line 2: x is '-1'"),
        (TILES + "a.jpg\t0\t1.5\t160\tin\t0\n", "line 2: y is '1.5'"),
        (TILES + "a.jpg\t0\t0\t7\tin\t0\n", "line 2: size is '7'; allowed: whole numbers of px from 8"),
        (TILES + "a.jpg\t0\t0\t²\tin\t0\n", "size is '²'"),
        (TILES + "a.jpg\t0\t0\n", "line 2: has fewer fields"),
        (TILES + "\t0\t0\t160\tin\t0\n", "line 2: the path is empty"),
        ("path\tlabel\n\x00\xff", "fewer fields"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiles.tsv"
    path.write_bytes(b"path\tlabel\n\xff\xfe\xfa\tin\n")
    with pytest.raises(InputError, match="cannot be read as a table"):
        load_dataset(path)


def test_a_data_set_that_does_not_exist_or_is_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data set"):
        load_dataset(tmp_path / "none")
    with pytest.raises(InputError, match="nothing in it is labelled"):
        load_dataset(tmp_path)


@given(st.lists(st.lists(FIELDS, min_size=5, max_size=6), max_size=4))
def test_any_table_is_either_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "tiles.tsv"
    path.write_text("path\tx\ty\tsize\tlabel\n" + "\n".join("\t".join(row) for row in rows), encoding="utf-8")
    try:
        dataset = load_dataset(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert dataset.squares
