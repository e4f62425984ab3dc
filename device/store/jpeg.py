"""A capture as one JPEG file that proves itself: pixels, EXIF for other programs, and the record in XMP.

The XMP packet also carries the SHA-256 of the whole file, taken with that field itself set to zeros. So a torn or
rotten file is told from a whole one without any database.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from datetime import UTC
from xml.sax.saxutils import escape, unescape

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from pydantic import ValidationError

from device.store.records import CaptureRecord
from models.errors import InputError, StorageError

QUALITY = 95
FULL_CHROMA = 0  # Pillow's name for 4:4:4
NAMESPACE = "https://focusgate.invalid/ns/1.0/"
MAX_SEGMENT_BYTES = 65_533  # of one JPEG marker, less its length field
MAX_XMP_BYTES = MAX_SEGMENT_BYTES - len(b"http://ns.adobe.com/xap/1.0/\0")
HEAD_BYTES = 16_384  # the record with 1,000 tiles, and all before it
MAX_HEAD_BYTES = 3 * (MAX_SEGMENT_BYTES + 4)  # JFIF, EXIF and XMP come before all else
END_OF_IMAGE = b"\xff\xd9"  # cannot stand in the picture itself: there, 0xFF is followed by 0 or a restart marker
ISO_AT_UNIT_GAIN = 100  # nominal, as Raspberry Pi's own software writes it
MAX_HUNDREDTHS = 2**32 - 1  # of an f-number, as EXIF can hold them

_NO_DIGEST = b"0" * 64
_PACKET = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" xmlns:focusgate="{NAMESPACE}">'
    "<focusgate:sha256>{digest}</focusgate:sha256><focusgate:record>{record}</focusgate:record>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
# The packet is our own and plain ASCII: found by its tags, it needs no XML parser, and so no defence of one.
_FIELDS = re.compile(
    rb"<focusgate:sha256>([0-9a-f]{64})</focusgate:sha256><focusgate:record>([^<]*)</focusgate:record>"
)


def encode(rgb: NDArray[np.uint8], record: CaptureRecord) -> bytes:
    """The JPEG file of `rgb` (uint8, shape (H, W, 3)) with `record` inside.

    Raises InputError if the pixels are not of the size and kind that the record states, or the tile map is too large
    for one XMP packet (64 KiB: about 20,000 tiles).
    """
    if rgb.dtype != np.uint8 or rgb.shape != (record.height, record.width, 3):
        raise InputError(
            f"the colour image is {rgb.dtype} of shape {rgb.shape}, the judged frame {record.width}×{record.height}; "
            f"nothing was saved; check the camera"
        )
    packet = _packet(record)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=QUALITY, subsampling=FULL_CHROMA, exif=_exif(record), xmp=packet)
    data = buffer.getvalue()
    start = data.index(packet) + packet.index(_NO_DIGEST)
    digest = hashlib.sha256(data).hexdigest().encode()
    return b"".join((data[:start], digest, data[start + len(digest) :]))


def decode_record(data: bytes, where: object) -> CaptureRecord:
    """The record in the bytes of a capture file. Raises StorageError unless every byte is as it was written."""
    return unsealed(data, where)[0]


def unsealed(data: bytes, where: object) -> tuple[CaptureRecord, str]:
    """As `decode_record`, with the digest that the file carries, its seal."""
    fields = _fields(data, where)
    whole = hashlib.sha256(memoryview(data)[: fields.start(1)])
    whole.update(_NO_DIGEST)
    whole.update(memoryview(data)[fields.end(1) :])
    if whole.hexdigest().encode() != fields[1]:
        raise StorageError(f"{where}: damaged, its checksum does not match; restore it from an export")
    return _record(fields, where)


def seal_of(data: bytes, where: object) -> str:
    """The seal that the bytes of a capture carry, unchecked. Raises StorageError if they carry none."""
    return _fields(data, where)[1].decode("ascii")


def glance(head: bytes, tail: bytes, where: object) -> tuple[CaptureRecord, str]:
    """Record and seal by the first MAX_HEAD_BYTES (or fewer, if the record is in them) and the last two bytes.

    Finds a file that was cut off or never filled to its end, for no JPEG has its end marker inside; finds no damage in
    the middle, which is `unsealed`'s to find. Raises StorageError.
    """
    fields = _fields(head, where)
    if tail != END_OF_IMAGE:
        raise StorageError(f"{where}: cut off, it has no end; restore it from an export")
    return _record(fields, where)


def _fields(data: bytes, where: object) -> re.Match[bytes]:
    fields = _FIELDS.search(data, 0, MAX_HEAD_BYTES)
    if fields is None:
        raise StorageError(f"{where}: not a capture of focusgate, or cut off; it is left alone and not listed")
    return fields


def _record(fields: re.Match[bytes], where: object) -> tuple[CaptureRecord, str]:
    try:
        return CaptureRecord.model_validate_json(unescape(fields[2].decode("ascii"))), fields[1].decode("ascii")
    except (ValidationError, UnicodeDecodeError):
        raise StorageError(f"{where}: its record is not of this version of focusgate; update focusgate") from None


def _packet(record: CaptureRecord) -> bytes:
    # ASCII only: then no character of the record can be one that XML forbids
    text = json.dumps(record.model_dump(mode="json"), separators=(",", ":"))
    packet = _PACKET.format(digest=_NO_DIGEST.decode(), record=escape(text))
    if len(packet) > MAX_XMP_BYTES:
        raise InputError(f"the tile map needs {len(packet)} bytes, XMP has {MAX_XMP_BYTES}; use larger tiles")
    return packet.encode("ascii")


def _exif(record: CaptureRecord) -> Image.Exif:
    """What other programs read. EXIF cannot say that a clock was wrong, so the comment does."""
    utc = record.wall_time.astimezone(UTC)
    seen = record.verdict or "not judged"
    comment = f"focusgate: {seen}{', override' if record.override else ''}"
    clock = "" if record.wall_synchronised else ", clock not set"
    values: dict[int, object] = {
        ExifTags.Base.DateTimeOriginal: utc.strftime("%Y:%m:%d %H:%M:%S"),
        ExifTags.Base.OffsetTimeOriginal: "+00:00",
        ExifTags.Base.ImageUniqueID: record.capture_id,
        ExifTags.Base.UserComment: b"ASCII\0\0\0" + f"{comment}{clock}".encode("ascii"),
    }
    if record.exposure_us is not None:
        values[ExifTags.Base.ExposureTime] = IFDRational(round(record.exposure_us), 1_000_000)
    if record.f_number is not None:
        values[ExifTags.Base.FNumber] = IFDRational(round(min(100 * record.f_number, MAX_HUNDREDTHS)), 100)
    if record.analogue_gain is not None:
        values[ExifTags.Base.ISOSpeedRatings] = round(min(ISO_AT_UNIT_GAIN * record.analogue_gain, 65_535))
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = record.software
    exif[ExifTags.IFD.Exif] = values
    return exif
