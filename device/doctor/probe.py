"""The only part of the doctor that touches the system: reads files, runs commands, writes a test file."""

from __future__ import annotations

import glob
import grp
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

RUN_LIMIT_S = 20.0  # listing cameras takes some seconds on a Pi 4
TEST_BYTES = 4 << 20  # about one capture
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended, or was ended after RUN_LIMIT_S with code 124 (as timeout(1) says it)."""

    code: int
    out: str


@dataclass(frozen=True, slots=True)
class Written:
    """A test file, written and made durable."""

    mb_per_s: float
    free_bytes: int


class Probe(Protocol):
    """What the checks ask. Nothing raises but `write_test` (OSError) and `model` (ModelError)."""

    def read(self, path: str) -> str | None:
        """The text of a file without trailing zero bytes and blanks; None if it is absent or may not be read."""
        ...

    def paths(self, pattern: str) -> tuple[str, ...]: ...

    def age_days(self, path: str) -> float | None: ...

    def run(self, *command: str) -> Ran | None:
        """None: there is no such command."""
        ...

    def python(self) -> tuple[int, int]: ...

    def bits(self) -> int:
        """Of this process, which are those of the system's user space."""
        ...

    def has_module(self, name: str) -> bool: ...

    def distribution(self, name: str) -> str | None:
        """Version of an installed Python distribution; None if it is not."""
        ...

    def groups_of(self, user: str) -> frozenset[str] | None:
        """None: no such user."""
        ...

    def is_root(self) -> bool: ...

    def write_test(self, folder: Path) -> Written: ...

    def model(self, manifest: Path | None, trusted_keys: Path | None) -> str:
        """Verify, load and test the model; its name and digest."""
        ...


class SystemProbe:
    """The system that this runs on."""

    def read(self, path: str) -> str | None:
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0 \n")
        except OSError:
            return None

    def paths(self, pattern: str) -> tuple[str, ...]:
        return tuple(sorted(glob.glob(pattern)))  # noqa: PTH207 - the pattern is absolute, which Path.glob refuses

    def age_days(self, path: str) -> float | None:
        try:
            return (time.time() - Path(path).stat().st_mtime) / DAY_S
        except OSError:
            return None

    def run(self, *command: str) -> Ran | None:
        program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
        if program is None:
            return None
        try:
            ended = subprocess.run(
                [program, *command[1:]],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=RUN_LIMIT_S,
                check=False,
                env=os.environ | {"LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            return Ran(124, f"no answer within {RUN_LIMIT_S:.0f} s")
        except OSError as error:
            return Ran(126, str(error))
        return Ran(ended.returncode, (ended.stdout or ended.stderr).strip())

    def python(self) -> tuple[int, int]:
        return sys.version_info[:2]

    def bits(self) -> int:
        return sys.maxsize.bit_length() + 1

    def has_module(self, name: str) -> bool:
        try:
            return importlib.util.find_spec(name) is not None
        except ImportError:
            return False

    def distribution(self, name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def groups_of(self, user: str) -> frozenset[str] | None:
        try:
            primary = pwd.getpwnam(user).pw_gid
        except KeyError:
            return None
        return frozenset(grp.getgrgid(number).gr_name for number in os.getgrouplist(user, primary))

    def is_root(self) -> bool:
        return os.geteuid() == 0

    def write_test(self, folder: Path) -> Written:
        content = os.urandom(TEST_BYTES)  # what a compressing or deduplicating disk cannot shorten
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            begun_s = time.monotonic()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            took_s = time.monotonic() - begun_s
        return Written(TEST_BYTES / 1e6 / max(took_s, 1e-6), shutil.disk_usage(folder).free)

    def model(self, manifest: Path | None, trusted_keys: Path | None) -> str:
        from models.onnx_classifier import load_classifier  # noqa: PLC0415 - ONNX Runtime takes a second to load

        classifier = load_classifier(manifest, keys_folder=trusted_keys)
        return f"{classifier.name}, SHA-256 {classifier.sha256[:12]}…"
