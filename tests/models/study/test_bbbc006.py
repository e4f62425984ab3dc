from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.study import bbbc006, stacks


def _picture(path: Path, level: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 24), level, np.uint16))


def test_planes_of_one_field_are_paired_whatever_their_random_ids(tmp_path: Path) -> None:
    for plane, unique in ((10, "a571d43d-5554"), (16, "0d9c2b11-77aa")):
        name = f"mcf-z-stacks-03212011_a01_s1_w1{unique}.tif"
        _picture(tmp_path / f"BBBC006_v1_images_z_{plane}" / name, plane)
    plate = bbbc006.read_plate(tmp_path)
    (key,) = plate.with_planes([10, 16])
    assert key == bbbc006.FieldKey("a01", 1, "w1")
    assert bbbc006.read_planes(plate, key, [16, 10])[:, 0, 0].tolist() == [16, 10]


def test_an_id_that_begins_with_a_digit_is_not_taken_for_part_of_the_stain(tmp_path: Path) -> None:
    _picture(tmp_path / "BBBC006_v1_images_z_16" / "mcf-z-stacks-03212011_a19_s2_w12703a47b-7574-461a.tif")
    assert list(bbbc006.read_plate(tmp_path).files) == [bbbc006.FieldKey("a19", 2, "w1")]


def test_a_plate_that_lacks_planes_says_what_to_download_and_where(tmp_path: Path) -> None:
    _picture(tmp_path / "BBBC006_v1_images_z_16" / "mcf-z-stacks-03212011_a01_s1_w1aa.tif")
    with pytest.raises(InputError, match=r"BBBC006_v1_images_z_10\.zip.*https://data\.broadinstitute\.org") as caught:
        bbbc006.require_complete(bbbc006.read_plate(tmp_path), [10, 16])
    assert "\n" not in str(caught.value)
    assert "1 planes wholly" in str(caught.value)


def test_two_pictures_of_one_plane_are_refused(tmp_path: Path) -> None:
    for unique in ("aa", "bb"):
        _picture(tmp_path / "BBBC006_v1_images_z_16" / f"mcf-z-stacks-03212011_a01_s1_w1{unique}.tif")
    with pytest.raises(InputError, match="keep one"):
        bbbc006.read_plate(tmp_path)


@pytest.mark.parametrize("there", [False, True])
def test_an_absent_or_empty_folder_says_what_to_download(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "plate"
    if there:
        folder.mkdir()
    with pytest.raises(InputError, match="34 archives"):
        bbbc006.read_plate(folder)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "BBBC006_v1_images_z_16" / "mcf-z-stacks-03212011_a01_s1_w1aa.tif"
    path.parent.mkdir()
    path.write_bytes(b"II*\0 no picture")
    plate = bbbc006.read_plate(tmp_path)
    with pytest.raises(InputError, match=r"w1aa\.tif"):
        bbbc006.read_planes(plate, plate.with_planes([16])[0], [16])


@given(st.sets(st.sampled_from(bbbc006.WELLS), min_size=4), st.integers(0, 99))
def test_no_well_is_on_both_sides_of_the_split_and_none_is_lost(wells: set[str], seed: int) -> None:
    train, test = bbbc006.split_wells(wells, seed)
    assert not set(train) & set(test)
    assert set(train) | set(test) == wells
    assert train
    assert test


def test_the_simulated_plate_written_as_published_is_read_back(tmp_path: Path) -> None:
    written = stacks.write_published(stacks.PlateSize(1, 32), (32, 32), tmp_path, (5, 16))
    plate = bbbc006.read_plate(tmp_path)
    assert written == 8
    assert plate.planes == (5, 16)
    assert len(plate.with_planes([5, 16])) == 4


def test_other_stacks_are_aligned_at_their_sharpest_plane(tmp_path: Path) -> None:
    for name, count, sharpest in (("one", 5, 2), ("two", 4, 1)):
        for plane in range(count):
            _picture(tmp_path / name / f"{plane}.png", 100 + plane - sharpest)
        (tmp_path / name / "focus.txt").write_text(f"{sharpest}\n", encoding="utf-8")
    found = stacks.folder_stacks(tmp_path, 16)
    assert found.images.shape == (2, 4, 16, 16)
    assert (found.images[:, found.in_focus] == 100).all()


def test_the_real_samples_are_read_where_they_are() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "bbbc006"
    if not folder.is_dir():
        pytest.skip("the real samples of BBBC006 are not here")
    plate = bbbc006.read_plate(folder)
    assert len(plate.with_planes([0], ["w1"])) == 14
    assert len(plate.with_planes([16], ["w2"])) == 9
    key = plate.with_planes([0])[0]
    assert bbbc006.read_planes(plate, key, [0]).shape == (1, 520, 696)
