"""One frame's verdict with its reason in words; the gate, the recorder and `focusgate check` all say the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.focusmap import Cause, FocusMap

DEFAULT_PERCENT = 90
"""Share of the judged tiles, in percent, that must be in focus."""

_CAUSE_WORDS = {
    Cause.OUTSIDE: "nothing inside the field of view",
    Cause.DARK: "too dark",
    Cause.GLARE: "glare",
    Cause.NO_DETAIL: "no detail",
}


class VerdictKind(StrEnum):
    """The three answers to "is this picture in focus?"; the values are those of `check --json`."""

    PASS = "pass"  # noqa: S105 - the word, not a password
    FAIL = "fail"
    CANNOT_JUDGE = "cannot-judge"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer and why; `reason` is None only for a pass."""

    kind: VerdictKind
    reason: str | None


def verdict_of(focus_map: FocusMap, percent: int = DEFAULT_PERCENT) -> Verdict:
    """Pass, fail or cannot-judge, by the integer rule of `FocusMap.passes`; `percent` is 1 to 100.

    The percentage in a reason is rounded down, so that a frame at 89.9 % never reads "only 90 %".
    """
    if not focus_map.can_judge:
        cause = focus_map.main_cause if focus_map.total else Cause.OUTSIDE
        return Verdict(VerdictKind.CANNOT_JUDGE, f"cannot judge: {_CAUSE_WORDS[cause]}")
    if focus_map.passes(percent):
        return Verdict(VerdictKind.PASS, None)
    floored = 100 * focus_map.in_focus // focus_map.judged_tiles
    return Verdict(VerdictKind.FAIL, f"only {floored} % in focus ({percent} % needed)")
