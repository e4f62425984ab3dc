"""The page of each code, as it ships with the program, and the index of them all (docs/faults has the same files)."""

from __future__ import annotations

import re
from importlib.resources import files

from device.supervision.faults import TABLE, Fault, Kind

_KINDS = {
    Kind.FAULT: "fault: the gate is closed, an override can still be saved",
    Kind.NOTICE: "notice: the gate works on",
    Kind.REFUSAL: "refusal: this press saves nothing",
    Kind.END: "end: the process ends",
}
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


def page_of(fault: Fault) -> str:
    """The page, Markdown."""
    return files(__package__).joinpath("pages", f"{fault.code}.md").read_text(encoding="utf-8")


def plain_page(fault: Fault) -> str:
    """The page for a terminal: what the table says of the code first, and no signs of markup."""
    title, _, rest = page_of(fault).partition("\n")
    text = _LINK.sub(r"\1", f"{title}\n{lasts(fault)}\n{rest}")
    return re.sub(r"^#+ ", "", text, flags=re.MULTILINE).replace("**", "").replace("`", "")


def lasts(fault: Fault) -> str:
    """What kind of thing this is, how long it lasts and with which exit code it ends, in one line."""
    how = f", exit code {int(fault.exit_code)}" if fault.exit_code is not None else ""
    if fault.kind in (Kind.FAULT, Kind.NOTICE):
        how = "; it stays until the device is started anew" if fault.latched else "; it is gone when its cause is"
    return _KINDS[fault.kind] + how


def index() -> str:
    """The page that lists them all, Markdown: docs/faults/README.md."""
    rows = [
        f"| [{fault.code}]({fault.code}.md) | {fault.name} | {fault.kind.value} | "
        f"{_lasts_word(fault)} | {fault.meaning} |"
        for fault in TABLE.values()
    ]
    return "\n".join(
        [
            "# What the device reports",
            "",
            "Whatever tells of a fault, a refusal or an end (log, `focusgate status`, audit, service manager) begins",
            "with a code. `focusgate explain CODE` shows its page: what happened, what the device did, what to do. A",
            "*fault* closes the gate while it lasts, and an override can still be saved; a *notice* closes nothing; a",
            "*refusal* is of one press; an *end* ends the process, with the outputs safe.",
            "",
            "| code | name | kind | lasts | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "This page is made by `focusgate explain --index`.",
            "",
        ]
    )


def _lasts_word(fault: Fault) -> str:
    if fault.exit_code is not None:
        return f"exit code {int(fault.exit_code)}"
    if fault.kind is Kind.REFUSAL:
        return "this press"
    return "until the start" if fault.latched else "as its cause"
