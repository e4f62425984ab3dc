"""Who has something to tell the audit log says it through this; without a log it is said to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from models.errors import one_line

TEXT_LIMIT = 200  # characters of a quoted text
LIST_LIMIT = 100  # items of a list
HIDDEN = "…"
_PATH = re.compile(r"(?<!\w)/(?:.*/)?\S*")  # to the last slash: names with spaces are hidden whole


class Notes(Protocol):
    """Both return at once and never raise. `data` is what JSON can hold; texts are shortened to one line.

    `trouble` is why nothing can be written now; None if it can.
    """

    trouble: str | None

    def note(self, kind: str, /, **data: object) -> None:
        """Something happened."""

    def state(self, kind: str, part: str, /, **data: object) -> None:
        """`part` is now so. Changes of one part that follow each other quickly become one record with their number."""


class Silent:
    """Tells nobody."""

    trouble: str | None = None

    def note(self, kind: str, /, **data: object) -> None:
        pass

    def state(self, kind: str, part: str, /, **data: object) -> None:
        pass


SILENT: Notes = Silent()


def plain(text: object, private: Iterable[str] = ()) -> str:
    """`text` on one line, printable, and without paths: a folder may bear the name of its user, or of a patient.

    private   strings to hide besides: paths of the configuration, which need not begin with a slash
    """
    told = str(text)
    for secret in sorted(filter(None, private), key=len, reverse=True):
        told = told.replace(secret, HIDDEN)
    flat = one_line("".join(sign if sign.isprintable() else " " for sign in told), 2 * TEXT_LIMIT)
    return one_line(_PATH.sub(HIDDEN, flat), TEXT_LIMIT)


def bounded(value: object, private: Iterable[str] = ()) -> object:
    """`value` as JSON can hold it, no larger than a record may be."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if abs(value) < float("inf") else None
        case list() | tuple():
            return [bounded(one, private) for one in value[:LIST_LIMIT]]
        case _:
            return plain(value, private)
