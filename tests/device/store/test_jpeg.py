"""The file of a capture: pixels kept, readable by other programs, and every changed byte found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from io import BytesIO
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image

from device.store.jpeg import MAX_XMP_BYTES, NAMESPACE, decode_record, encode
from device.store.records import CaptureRecord, Evidence
from models.errors import InputError, StorageError
from models.focusmap import FocusMap, TileGrid

Rgb = NDArray[np.uint8]
MakeRecord = Callable[..., CaptureRecord]
MakeMap = Callable[..., FocusMap]


def decoded(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_the_saved_pixels_are_those_of_the_frame(rgb: Rgb, make_record: MakeRecord) -> None:
    with decoded(encode(rgb, make_record())) as image:
        pixels = np.asarray(image).astype(int)
    assert np.abs(pixels - rgb).max() <= 6
    assert np.abs(pixels - rgb).mean() < 1


def test_colour_is_kept_at_full_resolution(make_record: MakeRecord) -> None:
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = (200, 60, 60)
    stripes[:, 1::2] = (60, 60, 200)
    with decoded(encode(stripes, make_record())) as image:
        assert np.abs(np.asarray(image).astype(int) - stripes).mean() < 6


def test_other_programs_can_read_when_and_how_it_was_taken(rgb: Rgb, make_record: MakeRecord) -> None:
    record = make_record(exposure_us=12_500.0, analogue_gain=2.0, f_number=5.6)
    with decoded(encode(rgb, record)) as image:
        exif = image.getexif()
        values = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif[ExifTags.Base.Software] == "focusgate test"
    assert values[ExifTags.Base.DateTimeOriginal] == "2026:03:04 05:06:07"
    assert values[ExifTags.Base.OffsetTimeOriginal] == "+00:00"
    assert float(values[ExifTags.Base.ExposureTime]) == pytest.approx(0.0125)
    assert float(values[ExifTags.Base.FNumber]) == pytest.approx(5.6)
    assert values[ExifTags.Base.ISOSpeedRatings] == 200
    assert values[ExifTags.Base.ImageUniqueID] == record.capture_id
    assert values[ExifTags.Base.UserComment] == b"ASCII\0\0\0focusgate: pass"


def test_the_comment_tells_of_an_override_and_of_a_clock_that_was_not_set(rgb: Rgb, make_record: MakeRecord) -> None:
    record = make_record(evidence=None, override=True, wall_synchronised=False)
    with decoded(encode(rgb, record)) as image:
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert comment == b"ASCII\0\0\0focusgate: not judged, override, clock not set"


def test_the_xmp_packet_is_well_formed_whatever_the_text(rgb: Rgb, make_record: MakeRecord) -> None:
    record = make_record(camera_id='<a href="x">&amp;]]> µ \u2028 \U0001f52c')
    with decoded(encode(rgb, record)) as image:
        packet = image.info["xmp"]
    found = ET.fromstring(packet).find(f".//{{{NAMESPACE}}}record")  # noqa: S314 - our own packet
    assert found is not None
    assert found.text is not None
    assert CaptureRecord.model_validate_json(found.text) == record


@pytest.mark.parametrize("tile", [96, 128])
def test_the_tile_map_of_a_full_frame_takes_little_of_the_xmp_limit(make_record: MakeRecord, tile: int) -> None:
    grid = TileGrid.of(2592, 1944, tile)
    assert len(encode_map(make_record, grid, 2592, 1944)) < MAX_XMP_BYTES / 8


def test_27_by_27_tiles_fit(make_record: MakeRecord) -> None:
    assert len(encode_map(make_record, TileGrid(8, 8, 27, 27), 216, 216)) < MAX_XMP_BYTES / 8


def test_a_tile_map_too_large_for_xmp_is_refused_in_one_line(make_record: MakeRecord) -> None:
    with pytest.raises(InputError, match=r"use larger tiles$"):
        encode_map(make_record, TileGrid(1, 1, 200, 200), 200, 200)


def encode_map(make_record: MakeRecord, grid: TileGrid, width: int, height: int) -> bytes:
    """The XMP packet of a capture with this grid."""
    shape = (grid.rows, grid.columns)
    focus_map = FocusMap(
        grid=grid,
        blur_px=np.zeros(shape, np.float32),
        p_in_focus=np.random.default_rng(1).random(shape, np.float32),
        cause=np.zeros(shape, np.uint8),
        criterion_px=1.5,
        threshold=0.0,
        model_name="fake",
        model_sha256="a" * 64,
    )
    record = make_record(evidence=Evidence.of(focus_map), width=width, height=height)
    data = encode(np.zeros((height, width, 3), np.uint8), record)
    assert decode_record(data, "here") == record
    with decoded(data) as image:
        packet: bytes = image.info["xmp"]
    return packet


@pytest.mark.parametrize("shape", [(64, 95, 3), (96, 64, 3), (64, 96), (64, 96, 4)])
def test_pixels_of_another_size_than_the_judged_frame_are_refused(
    make_record: MakeRecord, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match="nothing was saved"):
        encode(np.zeros(shape, np.uint8), make_record())


def test_pixels_that_are_not_bytes_are_refused(make_record: MakeRecord) -> None:
    with pytest.raises(InputError, match="float32"):
        encode(np.zeros((64, 96, 3), np.float32), make_record())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_in_the_file_is_found(
    rgb: Rgb, make_record: MakeRecord, where: float, bit: int
) -> None:
    data = bytearray(encode(rgb, make_record(capture_id="0" * 32)))
    data[int(where * len(data))] ^= 1 << bit
    with pytest.raises(StorageError):
        decode_record(bytes(data), "here")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_or_ending_in_zeros_is_found(rgb: Rgb, make_record: MakeRecord, where: float) -> None:
    data = encode(rgb, make_record(capture_id="0" * 32))
    kept = int(where * (len(data) - 2))
    for torn in (data[:kept], data[:kept] + bytes(len(data) - kept)):
        with pytest.raises(StorageError):
            decode_record(torn, "here")


def test_a_whole_file_of_another_version_is_told_from_a_damaged_one(rgb: Rgb, make_record: MakeRecord) -> None:
    data = encode(rgb, make_record())
    digest = re.search(rb"sha256>([0-9a-f]{64})<", data)
    assert digest is not None
    newer = data.replace(b'"schema_version":1', b'"schema_version":2').replace(digest[1], b"0" * 64)
    newer = newer.replace(b">" + b"0" * 64, b">" + hashlib.sha256(newer).hexdigest().encode())
    with pytest.raises(StorageError, match="not of this version"):
        decode_record(newer, "here")


@pytest.mark.parametrize("value", [1e-300, 1e300])
def test_values_that_exif_cannot_hold_do_not_cost_the_image(rgb: Rgb, make_record: MakeRecord, value: float) -> None:
    record = make_record(exposure_us=value, analogue_gain=value, f_number=value)
    data = encode(rgb, record)
    assert decode_record(data, "here") == record
    with decoded(data) as image:
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ImageUniqueID] == record.capture_id


@settings(max_examples=100)
@given(st.binary(max_size=2000))
def test_what_is_no_capture_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(StorageError, match=r"^here: not a capture.*$"):
        decode_record(data, "here")
