"""Every kind of still is read to the same luma, and everything else is refused in one line that says what to do."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models import images
from models.errors import InputError
from models.images import read_image, shown

HEIGHT, WIDTH = 48, 64
in_a_shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def picture() -> NDArray[np.uint8]:
    """A smooth colour ramp with a little texture, RGB."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(1).integers(0, 20, (HEIGHT, WIDTH))
    return np.stack([3 * x + noise, 4 * y + noise, 255 - 2 * (x + y)], axis=2).clip(0, 255).astype(np.uint8)


def luma_of(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """BT.601, full range."""
    return rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 1), (".tif", 1), (".bmp", 1), (".ppm", 1), (".jpg", 8)])
def test_luma_is_bt601_whatever_the_format(tmp_path: Path, suffix: str, tolerance: int) -> None:
    Image.fromarray(picture()).save(tmp_path / f"a{suffix}", quality=95)
    image = read_image(tmp_path / f"a{suffix}")
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert image.luma.shape == (HEIGHT, WIDTH)
    assert image.luma.dtype == np.uint8
    assert np.abs(image.luma - luma_of(picture())).max() <= tolerance
    assert image.note is None


def test_the_luma_of_a_jpeg_is_its_y_plane_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded("JPEG", quality=80))
    with Image.open(path) as decoder:
        decoder.draft("YCbCr", None)
        y_plane = np.asarray(decoder)[:, :, 0]
    assert np.array_equal(read_image(path).luma, y_plane)


def test_colour_shows_the_pixels_first_read_even_if_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    image = read_image(path)
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    assert np.array_equal(image.rgb(), picture())


def test_luma_and_colour_are_read_only(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    image = read_image(tmp_path / "a.jpg")
    for array in (image.luma, image.rgb()):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG", exif=exif))
    image = read_image(tmp_path / "a.jpg")
    assert image.luma.shape == (HEIGHT, WIDTH)
    assert image.rgb().shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGBA", "LA"])
def test_colour_and_luma_agree_in_every_mode(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(picture()).convert(mode).save(path)
    image = read_image(path)
    assert np.abs(luma_of(image.rgb()) - image.luma).max() <= 1


def test_a_jpeg_in_cmyk_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture()).convert("CMYK").save(path, quality=95)
    image = read_image(path)
    assert image.note == "CMYK converted without a colour profile"
    assert np.abs(image.luma - luma_of(picture())).mean() < 4


def test_opaque_alpha_changes_nothing_and_transparency_shows_mid_grey(tmp_path: Path) -> None:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    Image.fromarray(np.dstack([picture(), alpha])).save(tmp_path / "opaque.png")
    opaque = read_image(tmp_path / "opaque.png")
    assert opaque.note is None
    assert np.array_equal(opaque.rgb(), picture())

    alpha[:, : WIDTH // 2] = 0
    Image.fromarray(np.dstack([picture(), alpha])).save(tmp_path / "half.png")
    half = read_image(tmp_path / "half.png")
    assert half.note == "transparency laid over mid grey"
    assert (half.luma[:, : WIDTH // 2] == 128).all()
    assert np.array_equal(half.rgb()[:, WIDTH // 2 :], picture()[:, WIDTH // 2 :])


def test_a_transparent_palette_colour_shows_mid_grey(tmp_path: Path) -> None:
    indexed = Image.new("P", (WIDTH, HEIGHT), 3)
    indexed.putpalette([0, 0, 0, 10, 10, 10, 20, 20, 20, 250, 250, 250])
    indexed.save(tmp_path / "a.png", transparency=3)
    assert (read_image(tmp_path / "a.png").luma == 128).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_twelve_bits_in_sixteen_are_scaled_linearly(tmp_path: Path, suffix: str) -> None:
    values = np.linspace(0, 4095, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), values)
    image = read_image(tmp_path / f"a{suffix}")
    white = np.sort(values.ravel())[int(np.ceil(0.999 * values.size)) - 1]
    assert image.note == f"16-bit grey: 0 to {white} became 0 to 255"
    assert np.abs(image.luma - np.minimum(values * (255 / white), 255)).max() <= 0.5


def test_eight_bit_numbers_in_a_sixteen_bit_file_are_not_amplified(tmp_path: Path) -> None:
    values = np.tile(np.arange(WIDTH, dtype=np.uint16), (HEIGHT, 1))
    assert cv2.imwrite(str(tmp_path / "a.png"), values)
    assert np.array_equal(read_image(tmp_path / "a.png").luma, values)


def test_a_few_hot_pixels_do_not_darken_a_sixteen_bit_picture(tmp_path: Path) -> None:
    values = np.full((HEIGHT, WIDTH), 1000, np.uint16)
    values[0, :2] = 65535
    assert cv2.imwrite(str(tmp_path / "a.png"), values)
    assert np.median(read_image(tmp_path / "a.png").luma) == 255


def test_sixteen_bit_colour_keeps_its_upper_bits_and_says_so(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), picture()[:, :, ::-1].astype(np.uint16) * 257)
    image = read_image(tmp_path / "a.png")
    assert image.note == "16-bit colour: the upper 8 bits used"
    assert np.array_equal(image.rgb(), picture())


def test_the_preview_inside_a_camera_jpeg_does_not_make_it_two_pictures(tmp_path: Path) -> None:
    first, second = Image.fromarray(picture()), Image.fromarray(picture()).resize((16, 12))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    assert read_image(tmp_path / "a.jpg").luma.shape == (HEIGHT, WIDTH)


def nothing(path: Path) -> None:
    """The file is not there, or cannot be."""


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def several_frames(path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (0, 80, 160)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def huge(path: Path) -> None:
    Image.new("1", (20_000, 5_001)).save(path)


def beyond_pillow(path: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(path)


def zero_width(path: Path) -> None:
    path.write_bytes(b"P5 0 16 255\n")


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing.jpg", nothing, "no such file"),
    ("folder.jpg", Path.mkdir, "is a folder"),
    ("pipe.jpg", a_fifo, "a device or a pipe"),
    ("empty.jpg", Path.touch, "empty (0 bytes)"),
    ("text.jpg", lambda path: path.write_text("not a picture\n"), "not an image"),
    ("zero.pgm", zero_width, "without pixels"),
    ("cut.jpg", lambda path: path.write_bytes(encoded("JPEG")[:-200]), "cut short"),
    ("cut.png", lambda path: path.write_bytes(encoded("PNG")[:-200]), "cut short"),
    ("moving.gif", several_frames, "holds 3 pictures"),
    ("moving.png", several_frames, "holds 3 pictures"),
    ("moving.webp", several_frames, "holds 3 pictures"),
    ("pages.tif", several_frames, "holds 3 pictures"),
    ("huge.png", huge, "20000 × 5001 px = 100 megapixels; allowed are 100"),
    ("bomb.png", beyond_pillow, "megapixels; allowed are 100"),
    ("float.tif", lambda path: Image.new("F", (8, 8)).save(path), "no defined luma"),
    ("deep.tif", lambda path: Image.new("I", (8, 8), 70_000).save(path), "allowed are 0 to 65535"),
    ("a" * 300 + ".jpg", nothing, "cannot be read"),
    ("null\0.jpg", nothing, "cannot be read"),
]


@pytest.mark.parametrize(("name", "make", "words"), REFUSED, ids=[case[0][:12].replace("\0", "") for case in REFUSED])
def test_bad_input_is_refused_in_one_line(
    tmp_path: Path, name: str, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError) as refusal:
        read_image(tmp_path / name)
    message = str(refusal.value)
    assert words in message
    assert "\n" not in message
    assert message.startswith(shown(tmp_path / name))


def test_a_file_beyond_the_byte_limit_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="save a single image"):
        read_image(tmp_path / "a.jpg")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(InputError, match="no permission to read"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM"])
@in_a_shared_folder
@given(st.data())
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    whole = encoded(kind)
    path = tmp_path / "cut.bin"
    path.write_bytes(whole)
    expected = read_image(path).luma
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    try:
        found = read_image(path).luma
    except InputError:
        return
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF"])
@in_a_shared_folder
@given(st.data())
def test_flipped_bytes_never_raise_anything_but_an_input_error(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    damaged = bytearray(encoded(kind))
    places = st.integers(0, len(damaged) - 1) | st.integers(0, 60)
    for place in data.draw(st.lists(places, min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.bin"
    path.write_bytes(damaged)
    try:
        image = read_image(path)
    except InputError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 - refusing is one of two right answers
    else:
        assert image.luma.shape == (image.height, image.width)


def test_the_decoders_own_log_lines_do_not_reach_the_user(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged = bytearray(encoded("TIFF"))
    samples_per_pixel = damaged.index(b"\x15\x01\x03\x00")  # tag 277, of type SHORT, little endian
    damaged[samples_per_pixel + 8 : samples_per_pixel + 10] = b"\xff\xff"
    (tmp_path / "a.tif").write_bytes(damaged)
    with pytest.raises(InputError):
        read_image(tmp_path / "a.tif")
    assert caplog.records == []
