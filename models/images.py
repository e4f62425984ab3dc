"""Robust reading of stills: 8-bit luma for the classifier, colour on demand, a clear `InputError` for what is unusable.

Pixels are taken as stored: EXIF orientation is *not* applied, so that tile (r, c) means the same pixels to everyone
who opens the file's raw raster. No colour profile is applied either.
"""

from __future__ import annotations

import io
import logging
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from models.errors import InputError, one_line
from models.focusmap import Luma

MAX_PIXELS = 100_000_000
"""Largest picture that is read (width × height): 20 full frames of the camera, 0.4 GB decoded in colour."""

MAX_FILE_BYTES = 1 << 30
"""Largest file that is read: MAX_PIXELS of uncompressed 16-bit RGB (0.6 GB) with room for metadata."""

WHITE_SHARE = 0.999
"""Share of the pixels of a 16-bit picture that stay below white: hot pixels may saturate, tissue may not."""

WHITE_FLOOR = 255
"""16-bit pictures are never amplified beyond their own numbers: 8-bit data in 16-bit files stay as they are."""

MID_GREY = (128, 128, 128, 255)
"""What shows through transparent pixels: as far from black as from white, so that no edge against it is strongest."""

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".pgm", ".ppm", ".pnm"}
)
"""What `list_images` takes for an image, in any case of letters."""

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM")
_READABLE = "readable are JPEG, PNG, TIFF, BMP, WebP, GIF and PNM stills"
_GREY_16_BIT_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_COLOUR_MODES = frozenset({"P", "RGB", "RGBX", "YCbCr", "CMYK"})

logging.getLogger("PIL").setLevel(logging.CRITICAL)  # its decoders log what is here told in one line

# What Pillow's decoders are known to raise on damaged files, beside its own UnidentifiedImageError.
_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """One still. `luma` is uint8 (height, width), BT.601 full range, read-only; `note` tells of a conversion."""

    path: Path
    width: int
    height: int
    luma: Luma
    note: str | None
    _encoded: bytes = field(repr=False)

    def rgb(self) -> NDArray[np.uint8]:
        """The same pixels in colour, uint8 RGB (height, width, 3), read-only; decoded anew from the bytes first read.

        Raises InputError if the colour cannot be decoded.
        """
        with _decoding(self.path, self._encoded) as picture:
            return _array(_flattened(picture, self.path)[0].convert("RGB"))


def read_image(path: Path) -> LoadedImage:
    """Read one still of at most `MAX_PIXELS`.

    The luma of a JPEG is its Y plane as decoded, without a detour through RGB. Alpha is laid over mid grey, palettes
    and CMYK go through RGB, of 16-bit colour the upper eight bits count, and 16-bit grey is scaled linearly from 0 to
    its 99.9th percentile (`WHITE_SHARE`), which keeps noise in proportion to signal.

    Raises InputError (one line: what, where, what is allowed, what to do) if the file is missing, unreadable, empty,
    damaged, cut short, not a picture, of several pictures, too large, or of a kind of pixel that has no luma.
    """
    encoded = _read_bytes(path)
    with _decoding(path, encoded) as picture:
        if picture.format in {"JPEG", "MPO"} and picture.mode == "RGB":
            picture.draft("L", None)  # type: ignore[no-untyped-call,unused-ignore]  # asks the decoder for the Y plane
        flat, note = _flattened(picture, path)
        luma = _array(flat.convert("L"))
    return LoadedImage(path, luma.shape[1], luma.shape[0], luma, note, encoded)


read_luma = read_image
"""The name for callers who want the luma only: colour is not decoded until asked for."""


def list_images(folder: Path) -> list[Path]:
    """The images of one folder (not of its sub-folders, not hidden ones) by suffix, in natural order: 2 before 10.

    Raises InputError if the folder cannot be listed or holds no image.
    """
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"{shown(folder)}: cannot be listed ({error.strerror}); give a folder that exists and is readable"
        ) from error
    images = [
        entry
        for entry in entries
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()
    ]
    if not images:
        known = " ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{shown(folder)}: the folder holds no image; expected are files that end in {known}")
    return sorted(images, key=lambda image: (natural_key(image.name), image.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorting key by which numbers inside names count as numbers and case does not matter."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if position % 2 else (1, 0, part) for position, part in enumerate(parts)]


def shown(path: Path | str) -> str:
    """A path as it can be printed: on one line, with control characters and undecodable bytes escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(path)
    )


def _read_bytes(path: Path) -> bytes:
    where = shown(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{where}: is a folder, not an image; name an image inside it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{where}: is a device or a pipe, not a file; save the image as a file first")
        if status.st_size == 0:
            raise InputError(f"{where}: the file is empty (0 bytes); copy it again from its source")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{where}: has {status.st_size >> 20} MiB; allowed are {MAX_FILE_BYTES >> 20}; save a single image"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{where}: no such file; check the spelling of the path") from error
    except PermissionError as error:
        raise InputError(f"{where}: no permission to read it; allow this user to (chmod, chown)") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise InputError(f"{where}: cannot be read ({one_line(error, 80)}); copy it again from its source") from error


@contextmanager
def _decoding(path: Path, encoded: bytes) -> Iterator[Image.Image]:
    """Pillow's view of the file inside the block, with whatever it raises or warns of turned into an InputError."""
    where = shown(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the bomb warning and metadata warnings; the checks below are stricter
        try:
            with Image.open(io.BytesIO(encoded), formats=_FORMATS) as picture:
                _check(picture, where)
                yield picture
        except UnidentifiedImageError as error:
            raise InputError(
                f"{where}: not an image, without pixels, or its header is damaged; {_READABLE}; leave it out"
            ) from error
        except Image.DecompressionBombError as error:
            raise InputError(_too_large(where, f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6}")) from error
        except _DECODER_ERRORS as error:
            reason = one_line(error, 80) or type(error).__name__
            raise InputError(f"{where}: damaged or cut short ({reason}); copy it again from its source") from error


def _check(picture: Image.Image, where: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(where, f"{width} × {height} px = {width * height / 1e6:.0f}"))
    pictures = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    if pictures > 1:
        raise InputError(
            f"{where}: holds {pictures} pictures (animation or pages); allowed is one; save the one to judge alone"
        )


def _too_large(where: str, megapixels: str) -> str:
    return (
        f"{where}: the image has {megapixels} megapixels; allowed are {MAX_PIXELS // 10**6}; "
        "crop it (shrinking it would change the blur)"
    )


def _flattened(picture: Image.Image, path: Path) -> tuple[Image.Image, str | None]:
    """The picture as 8-bit L or RGB, and a note on what was done to it."""
    deep = any(
        "16" in str(tile.args) for tile in getattr(picture, "tile", ())
    )  # the decoder's raw mode, such as RGB;16B
    picture.load()
    mode = picture.mode
    if mode in _ALPHA_MODES or "transparency" in picture.info:
        return _over_mid_grey(picture)
    if mode in {"1", "L"}:
        return picture.convert("L"), None
    if mode in _GREY_16_BIT_MODES:
        return _scaled_to_8_bit(np.asarray(picture), path)
    if mode in _COLOUR_MODES:
        note = "CMYK converted without a colour profile" if mode == "CMYK" else None
        note = "16-bit colour: the upper 8 bits used" if deep else note
        return picture.convert("RGB"), note
    raise InputError(
        f"{shown(path)}: pixels of kind {mode} have no defined luma; allowed are 8-bit grey, RGB, palette, CMYK "
        "and 16-bit grey; convert the image to one of these"
    )


def _over_mid_grey(picture: Image.Image) -> tuple[Image.Image, str | None]:
    layered = picture.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered.convert("RGB"), None
    ground = Image.new("RGBA", layered.size, MID_GREY)
    return Image.alpha_composite(ground, layered).convert("RGB"), "transparency laid over mid grey"


def _scaled_to_8_bit(values: NDArray[np.generic], path: Path) -> tuple[Image.Image, str]:
    """Linear from 0 to the 99.9th percentile (at least `WHITE_FLOOR`), by counting: repeatable everywhere.

    Without a tone curve or a black level: docs/decisions/0006-sixteen-bits-stay-linear.md has what either would give.
    """
    levels = np.asarray(values, dtype=np.int64)
    if levels.min() < 0 or levels.max() > np.iinfo(np.uint16).max:
        raise InputError(
            f"{shown(path)}: grey values from {levels.min()} to {levels.max()}; allowed are 0 to 65535; "
            "save it as 16-bit grey"
        )
    cumulative = np.cumsum(np.bincount(levels.ravel(), minlength=1 << 16))
    white = max(int(np.searchsorted(cumulative, WHITE_SHARE * levels.size)), WHITE_FLOOR)
    table = np.minimum(np.round(np.arange(1 << 16) * (255.0 / white)), 255.0).astype(np.uint8)
    return Image.fromarray(table[levels]), f"16-bit grey: 0 to {white} became 0 to 255"


def _array(picture: Image.Image) -> NDArray[np.uint8]:
    array = np.asarray(picture, dtype=np.uint8)
    array.flags.writeable = False
    return array
