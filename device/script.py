"""Timed presses for demonstrations and tests: `SECONDS ACTION [HOLD_SECONDS]`, one a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError

DEFAULT_HOLD_S = {"capture": 0.1, "override": 1.7, "aperture_open": 0.1, "aperture_close": 0.1}
LONGEST_HOLD_S = 60.0


@dataclass(frozen=True, slots=True)
class TimedPress:
    """Press `button` at `at_s` after the start, for `hold_s`."""

    at_s: float
    button: str
    hold_s: float


def parse_script(text: str, where: str) -> tuple[TimedPress, ...]:
    """The presses in `text`, in order of time. Empty lines and `#` comments are skipped.

    Raises InputError naming the line, the word and what is allowed.
    """
    presses = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if words:
            presses.append(_parse(words, f"{where}:{number}"))
    return tuple(sorted(presses, key=lambda press: press.at_s))


def load_script(path: Path) -> tuple[TimedPress, ...]:
    """`parse_script` of a file. Raises InputError if it cannot be read."""
    try:
        return parse_script(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read the script ({error.strerror}); name a text file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: the script is not UTF-8 text") from None


def _parse(words: list[str], where: str) -> TimedPress:
    if not 2 <= len(words) <= 3:
        raise InputError(f"{where}: write SECONDS ACTION [HOLD_SECONDS], such as '4.5 capture'")
    button = words[1].replace("-", "_")
    if button not in DEFAULT_HOLD_S:
        allowed = ", ".join(name.replace("_", "-") for name in DEFAULT_HOLD_S)
        raise InputError(f"{where}: no action {words[1]!r}; allowed: {allowed}")
    at_s = _seconds(words[0], where, 86_400.0)
    hold_s = _seconds(words[2], where, LONGEST_HOLD_S) if len(words) == 3 else DEFAULT_HOLD_S[button]
    return TimedPress(at_s, button, hold_s)


def _seconds(word: str, where: str, longest: float) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= longest:
        raise InputError(f"{where}: {word!r} is not a time; allowed: 0 to {longest:g} seconds")
    return value
