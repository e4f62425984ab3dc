"""Everything that the device can report, each with its code: one table. Pure.

A line that begins with its code ("FG-301 the disk is full; …") goes unchanged through gate, status, log, audit and the
word to the service manager. `focusgate explain CODE` shows the page of a code (docs/faults).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from models.errors import (
    CameraError,
    ExitCode,
    FocusgateError,
    HardwareError,
    InputError,
    ModelError,
    StorageError,
    StuckError,
)


class Kind(StrEnum):
    """What the device does about it."""

    FAULT = "fault"  # the gate is closed while it lasts, the lamp says so; an override can still be saved
    NOTICE = "notice"  # told; the gate works on
    REFUSAL = "refusal"  # this one press saves nothing
    END = "end"  # the process ends, with the outputs safe


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table.

    latched     it stays until the device is started anew; else it is gone when its cause is
    exit_code   of the process that ends by it; None: the process goes on
    """

    code: str
    name: str
    kind: Kind
    latched: bool
    meaning: str
    exit_code: ExitCode | None = None


def _fault(code: str, name: str, meaning: str, *, latched: bool = False) -> Fault:
    return Fault(code, name, Kind.FAULT, latched, meaning)


def _notice(code: str, name: str, meaning: str, *, latched: bool = False) -> Fault:
    return Fault(code, name, Kind.NOTICE, latched, meaning)


def _refusal(code: str, name: str, meaning: str) -> Fault:
    return Fault(code, name, Kind.REFUSAL, latched=False, meaning=meaning)


def _end(code: str, name: str, meaning: str, exit_code: ExitCode) -> Fault:
    return Fault(code, name, Kind.END, latched=True, meaning=meaning, exit_code=exit_code)


CAMERA_SILENT = _fault("FG-101", "no frames", "the camera stopped, timed out or failed; it is opened again and again")
CAMERA_FROZEN = _fault("FG-102", "frozen picture", "three pictures in a row were the same to the bit")
CAMERA_GONE = _end("FG-103", "no camera", "there is no camera, or none for ten seconds", ExitCode.CAMERA)

MODEL_REFUSED = _fault(
    "FG-201", "model refused", "the model is missing, damaged, not signed or fails its self-test", latched=True
)
SCORES_REFUSED = _fault("FG-202", "scores refused", "the model failed on a frame, or gave what are no scores")
FOREIGN_PROFILE = _fault(
    "FG-203", "foreign calibration", "the calibration is of another camera or another model", latched=True
)
UNCALIBRATED = _notice("FG-204", "not calibrated", "no calibration of this device is in force", latched=True)
MODEL_END = _end("FG-205", "no model", "a run on simulated time has no model to judge by", ExitCode.MODEL)

PROFILE_REFUSED = _fault(
    "FG-206", "calibration refused", "the calibration is torn, expired, not signed or of another device", latched=True
)
PROFILE_AGES = _notice("FG-207", "calibration ages", "the calibration ends soon, or has ended", latched=True)
PROFILE_UNSIGNED = _notice("FG-208", "calibration not signed", "nobody trusted vouches for it", latched=True)
DRIFTING = _notice("FG-209", "scores drift", "open gates score lower than they did when the device was calibrated")

DISK_FULL = _fault("FG-301", "disk full", "the next capture would touch the reserve of the disk")
DISK_SILENT = _fault("FG-302", "disk does not answer", "the disk cannot be asked, or a save does not come to an end")
SAVING_FAILS = _fault("FG-303", "saving fails", "three images wait in memory because the disk refuses them")
STORE_CLOSED = _fault("FG-304", "no store", "the folder of captures cannot be opened; it is tried again and again")
ROOM_LOW = _notice("FG-305", "room is low", "fewer than 100 captures fit on the disk")
NOT_SAVED = _notice("FG-306", "not saved", "an image was not saved; some such wait in memory and are tried again")
IMAGE_LOST = _notice("FG-307", "image lost", "an image could not be saved, nor kept in memory any longer")
AUDIT_SILENT = _notice("FG-308", "audit log not written", "the disk does not take the audit log; captures go on")
STORE_REPAIRED = _notice("FG-309", "store repaired", "the folder of captures was put right at start", latched=True)
STORE_END = _end("FG-310", "storage ends the run", "a run on simulated time has nowhere to save", ExitCode.STORAGE)

PINS_GONE = _end("FG-401", "lines do not answer", "buttons, lamp or buzzer do not answer", ExitCode.HARDWARE)
SHUTTER_SILENT = _fault("FG-402", "no shutter guard", "the guard of the shutter line is not there; the line is low")
APERTURE_OFF = _notice("FG-403", "aperture off", "the aperture failed or is not there; it has no power", latched=True)
APERTURE_RESTS = _notice("FG-404", "aperture move refused", "this move of the aperture was not made, or failed")
CAPTURE_STUCK = _notice("FG-405", "capture button stuck", "the button was down for ten seconds; it is ignored")
OVERRIDE_STUCK = _notice("FG-406", "override button stuck", "the button was down for ten seconds; it is ignored")
GUARD_END = _end("FG-407", "shutter guard ends", "the guard cannot hold or read its line", ExitCode.HARDWARE)
UNDER_VOLTAGE = _fault("FG-408", "under-voltage", "the supply is below what the board needs")

NOT_IN_FOCUS = _refusal("FG-501", "not in focus", "the picture does not pass, or has not passed three times in a row")
CANNOT_JUDGE = _refusal("FG-502", "cannot judge", "too little of the picture can be judged")
NOT_JUDGED = _refusal("FG-503", "no fresh judgement", "no frame was judged yet, or none in the last 300 ms")
TOO_SLOW = _refusal("FG-504", "judged too slowly", "each result came later than 300 ms after its exposure")
PRESS_WAITS = _refusal("FG-505", "a press waits", "the press before is still waiting for its frame")
NO_FRAME = _refusal("FG-506", "no frame in time", "no frame that could be taken came within 500 ms of the press")
QUEUE_FULL = _refusal("FG-507", "captures wait", "more captures wait to be saved than the queue holds")

WRONG_CONFIG = _end("FG-601", "configuration refused", "a setting, option or file is not possible", ExitCode.USAGE)

THREAD_DIED = _end("FG-701", "a defect", "a thread ended by an error that nobody expected", ExitCode.INTERNAL)
THREAD_STUCK = _end("FG-702", "a thread stands still", "a thread gave no sign of life for too long", ExitCode.STUCK)
STOPPED = _end("FG-703", "stopped", "somebody, or the service manager, ended the device", ExitCode.INTERRUPTED)

TABLE: dict[str, Fault] = {row.code: row for row in tuple(globals().values()) if isinstance(row, Fault)}
"""All rows by code, in order."""

_CODE = re.compile(r"(FG-\d{3})\b")


def coded(fault: Fault, message: object) -> str:
    """One line that begins with its code; a message that has a code of the table already is left alone."""
    text = str(message)
    return text if fault_in(text) is not None else f"{fault.code} {text}"


def fault_in(line: str) -> Fault | None:
    """The row whose code `line` begins with; None if there is none."""
    found = _CODE.match(line)
    return TABLE.get(found[1]) if found else None


def latched(line: str) -> bool:
    """Whether what `line` tells stays until the device is started anew."""
    fault = fault_in(line)
    return fault is not None and fault.latched


def closes(line: str) -> bool:
    """Whether the gate is closed while this lasts: everything but a notice. A line without a code closes."""
    fault = fault_in(line)
    return fault is None or fault.kind is not Kind.NOTICE


def settled(held: str | None, seen: str | None) -> str | None:
    """What is wrong with one part, from what was (`held`) and what is seen now; None: nothing.

    What clears follows what is seen. What latches stays, whatever is seen later, so that its first cause is told.
    """
    return held if held is not None and latched(held) else seen


_ENDS: tuple[tuple[type[BaseException], Fault], ...] = (
    (CameraError, CAMERA_GONE),
    (ModelError, MODEL_END),
    (StorageError, STORE_END),
    (HardwareError, PINS_GONE),
    (StuckError, THREAD_STUCK),
    (InputError, WRONG_CONFIG),
    (FocusgateError, WRONG_CONFIG),
    (KeyboardInterrupt, STOPPED),
)


def end_of(error: BaseException) -> Fault:
    """The row of an error that ends the process; one that nobody expected is a defect."""
    return next((fault for kind, fault in _ENDS if isinstance(error, kind)), THREAD_DIED)


def end_line(error: BaseException) -> str:
    """One line for an error that ends the process: the code of the end, whatever code the message had before."""
    text = str(error) or type(error).__name__
    told = fault_in(text)
    return f"{end_of(error).code} {text.removeprefix(told.code).lstrip() if told is not None else text}"
