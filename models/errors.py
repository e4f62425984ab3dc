"""One kind of error reaches the user: a single line that says what, where, what is allowed, and what to do."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command; documented in the README."""

    OK = 0
    NOT_PASSED = 1  # at least one image was judged and does not pass
    USAGE = 2  # wrong input, argument or configuration
    CAMERA = 3
    MODEL = 4
    STORAGE = 5
    HARDWARE = 6  # pins, aperture, shutter line
    INTERNAL = 70  # a defect of focusgate itself (EX_SOFTWARE of sysexits.h)
    STUCK = 71  # a thread gave no sign of life (EX_OSERR)
    INTERRUPTED = 130  # 128 + SIGINT


class FocusgateError(Exception):
    """Something the user can understand and act on. `str(error)` is the whole message, one line, no traceback."""

    exit_code = ExitCode.USAGE


class InputError(FocusgateError):
    """An image, a folder, an argument or a configuration value that cannot be used."""


class ModelError(FocusgateError):
    """The model is missing, damaged, of another version, or gave scores that are not scores."""

    exit_code = ExitCode.MODEL


class CameraError(FocusgateError):
    """The camera is absent, vanished, or delivers what is not a picture."""

    exit_code = ExitCode.CAMERA


class StorageError(FocusgateError):
    """A capture could not be made durable."""

    exit_code = ExitCode.STORAGE


class HardwareError(FocusgateError):
    """A pin, a lamp, the actuator or the shutter line does not answer."""

    exit_code = ExitCode.HARDWARE


class StuckError(FocusgateError):
    """A thread of the running device stands still."""

    exit_code = ExitCode.STUCK


def one_line(text: object, limit: int = 300) -> str:
    """`text` on one line, at most `limit` characters: for quoting foreign messages inside our own."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
