"""The system around the update: commands that end in time, the services, and waiting."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

TIMED_OUT = 124  # as timeout(1) has it
NO_COMMAND = 127  # as a shell has it
TAIL_CHARACTERS = 1 << 16
READABLE = 0o022  # umask of what builds a release: the service's own user runs it
SERVICE_USER = "focusgate"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended, or was ended. `out` is the end of what it said."""

    code: int
    out: str

    @property
    def last_line(self) -> str:
        return self.out.strip().rpartition("\n")[2] or f"exit code {self.code}"


class Host(Protocol):
    """Nothing here raises."""

    def run(self, *command: str | Path, limit_s: float, as_service: bool = False) -> Ran:
        """Run a command for at most `limit_s`; `as_service` with the rights of the service, where that is possible."""
        ...

    def now_s(self) -> float:
        """Monotonic."""
        ...

    def sleep(self, seconds: float) -> None: ...


class System:
    """The real one; commands are looked for in `path`."""

    def __init__(self, path: str = SYSTEM_PATH) -> None:
        self._path = path

    def run(self, *command: str | Path, limit_s: float, as_service: bool = False) -> Ran:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_ENVIRONMENT | {"PATH": self._path},
                umask=READABLE,
                start_new_session=True,  # so that what it started ends with it
                **(_service_rights() if as_service else {}),
            )
        except OSError as error:
            return Ran(NO_COMMAND, f"{command[0]}: {error.strerror}")
        with process:
            try:
                out, _ = process.communicate(timeout=limit_s)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                return Ran(TIMED_OUT, f"no answer within {limit_s:g} s")
        return Ran(process.returncode, out.decode("utf-8", "replace")[-TAIL_CHARACTERS:])

    def now_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _service_rights() -> dict[str, Any]:
    """Root tests a release with the rights of the service that will run it; another user has no rights to give up."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
