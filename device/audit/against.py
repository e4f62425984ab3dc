"""The audit log against the captures: an image that was changed, or removed with every trace but the log's."""

from __future__ import annotations

from dataclasses import dataclass, field

from device.audit.chain import Record
from device.store.catalogue import SHORT_ID, Listing
from device.store.deletion import deleted


@dataclass
class Heard:
    """What a log says of captures: the seal of each that was saved, and which a person deleted."""

    saved: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def hear(self, record: Record) -> None:
        """Take in one record."""
        match record.kind, record.data:
            case "saved", {"capture_id": str(capture_id), "seal": str(seal)}:
                self.saved[capture_id] = seal
            case "deletion", {"captures": list(captures)}:
                self.removed |= set(map(str, captures))


def disagreements(heard: Heard, listing: Listing) -> tuple[list[str], int]:
    """One line for each capture that is not what the log says, and how many captures the log does not know.

    Those are no problem: made before there was a log, or in the instant of a power cut.
    """
    there = {entry.capture_id: entry.seal for entry in listing.entries}
    gone = deleted(listing.folder)[0]
    told = []
    for capture_id, seal in heard.saved.items():
        name = f"capture {capture_id[:SHORT_ID]}"
        if capture_id in there:
            if there[capture_id] != seal:
                told.append(f"{name} is not the image that was saved: the audit log has another seal of it")
        elif capture_id not in gone:
            told.append(f"{name} was saved, says the audit log, and is neither there nor deleted by a command")
        elif capture_id not in heard.removed:
            told.append(f"{name} counts as deleted, but the audit log knows of no such command")
    return told, len(there.keys() - heard.saved.keys())
