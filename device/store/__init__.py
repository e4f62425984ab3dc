"""Captures on disk: JPEG files that prove themselves are the truth, SQLite is their index.

`records` what is known of a capture · `jpeg` one self-proving file · `files` the system calls, in their order ·
`index` SQLite · `catalogue` reading · `writer` keeping · `deletion` deleting · `examination` which images belong
together · `space` how many more fit.
"""

from device.store.catalogue import default_store, read_listing, read_record
from device.store.records import CaptureRecord, Evidence, new_capture_id
from device.store.writer import Saved, Store

__all__ = [
    "CaptureRecord",
    "Evidence",
    "Saved",
    "Store",
    "default_store",
    "new_capture_id",
    "read_listing",
    "read_record",
]
