"""Where releases lie, as `systemd/install.sh` lays them out.

ROOT/releases/NAME/           a virtual environment; `complete` in it says that it was built to its end and tested
ROOT/venv -> releases/NAME    the running one: the units start what lies behind this link
ROOT/previous -> releases/…   the one before, to go back to
ROOT/trial                    one line: where `venv` must point to again, unless the new release proves itself
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from device.update.release import DISTRIBUTION

RELEASES, COMPLETE = "releases", "complete"
_TARGET = re.compile(r"releases/([A-Za-z0-9][A-Za-z0-9._+-]{0,95})")


@dataclass(frozen=True, slots=True)
class Site:
    """The folder of all releases."""

    root: Path

    @property
    def releases(self) -> Path:
        return self.root / RELEASES

    @property
    def link(self) -> Path:
        return self.root / "venv"

    @property
    def previous_link(self) -> Path:
        return self.root / "previous"

    @property
    def trial(self) -> Path:
        return self.root / "trial"

    @property
    def lock(self) -> Path:
        return self.root / "update.lock"

    def path(self, name: str) -> Path:
        return self.releases / name

    def complete(self) -> list[str]:
        """The names of all releases that were built to their end, in the order in which they were."""
        marks = self.releases.glob(f"*/{COMPLETE}")
        return [
            mark.parent.name for mark in sorted(marks, key=lambda mark: (mark.stat().st_mtime_ns, mark.parent.name))
        ]

    def incomplete(self) -> list[Path]:
        """What an update that was cut off has left."""
        found = self.releases.glob("*") if self.releases.is_dir() else ()
        return sorted(path for path in found if path.is_dir() and not (path / COMPLETE).exists())

    def current(self) -> str | None:
        """The name of the running release; None if there is none that is whole."""
        return self._named(self.link)

    def previous(self) -> str | None:
        """The release to go back to: the one before, else the newest other one; None if there is none."""
        before, current = self._named(self.previous_link), self.current()
        if before is not None and before != current:
            return before
        return next((name for name in reversed(self.complete()) if name != current), None)

    def tried(self) -> str | None:
        """The release to which a trial that never ended must go back; None if none is under way."""
        try:
            return self._whole(self.trial.read_text(encoding="ascii").strip())
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def version(self, name: str) -> str | None:
        """The version of focusgate in a release, without running it; None if it says none."""
        folders = [str(path) for path in self.path(name).glob("lib/python3*/site-packages")]
        found = distributions(name=DISTRIBUTION, path=folders) if folders else ()
        return next((one.version for one in found), None)

    def _named(self, link: Path) -> str | None:
        try:
            return self._whole(str(link.readlink()))
        except OSError:
            return None

    def _whole(self, target: str) -> str | None:
        found = _TARGET.fullmatch(target)
        return found[1] if found and (self.path(found[1]) / COMPLETE).exists() else None


def target_of(name: str) -> str:
    """What the link says for this release: relative, so that it holds wherever the root is mounted."""
    return f"{RELEASES}/{name}"
