"""What a check answers: a state, what was found, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Only a failure makes the exit code other than 0."""

    OK = "ok"
    WARNING = "warning"  # it works, with a limit that the line names
    FAILURE = "failure"
    SKIPPED = "skipped"  # nothing to check here, or it cannot be known; the line says which


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `focusgate doctor`. `mend` is what to type or do; None when nothing is to be done."""

    check: str
    state: State
    what: str
    mend: str | None = None


def ok(check: str, what: str) -> Finding:
    return Finding(check, State.OK, what)


def warning(check: str, what: str, mend: str) -> Finding:
    return Finding(check, State.WARNING, what, mend)


def failure(check: str, what: str, mend: str) -> Finding:
    return Finding(check, State.FAILURE, what, mend)


def skipped(check: str, why: str, mend: str | None = None) -> Finding:
    return Finding(check, State.SKIPPED, why, mend)
