"""The working folder of a calibration: each step writes its part alone, so that any can be repeated."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.calibrating.rig import RigInfo
from device.store.files import POSIX, storage_errors, write_durably
from models.errors import InputError, one_line

FILE = "calibration.json"
SCHEMA = 1
STEPS = ("field", "scale", "noise", "aperture", "threshold")
"""In the order in which they must be done: each builds upon those before."""

BUILT_UPON = {"field": ("scale", "noise", "aperture", "threshold"), "scale": ("threshold",)}
"""Steps that use what this one found."""

HOW = {step: f"run 'focusgate calibrate {step}' first" for step in STEPS}


def default_work() -> Path:
    """Where calibrations are prepared: below XDG_STATE_HOME (XDG base directory specification 0.8)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "focusgate" / "calibration"


class Work:
    """One device's calibration in progress; `parts` are the finished steps. Raises InputError, StorageError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._values = self._read()

    def _read(self) -> dict[str, Any]:
        path = self.folder / FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"schema": SCHEMA, "parts": {}}
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); name another folder with --work") from None
        except ValueError as error:
            raise InputError(
                f"{path}: torn or not ours ({one_line(error, 60)}); take it away and calibrate anew"
            ) from None
        if not isinstance(values, dict) or values.get("schema") != SCHEMA or not isinstance(values.get("parts"), dict):
            raise InputError(f"{path}: not the working file of a calibration; name another folder with --work")
        return values

    def claim(self, info: RigInfo) -> None:
        """This folder is for that device. Raises InputError if it holds the parts of another one."""
        owner = {"serial": info.serial, "camera_id": info.camera_id, "width": info.width, "height": info.height}
        held = self._values.get("device")
        if held is not None and held != owner:
            raise InputError(
                f"{self.folder}: holds the calibration of device {held.get('serial')}, camera {held.get('camera_id')}; "
                f"this is {info.serial}, {info.camera_id}: name another folder with --work"
            )
        self._values |= {"device": owner, "lens": info.lens, "tone": info.tone}

    @property
    def parts(self) -> Mapping[str, dict[str, Any]]:
        parts: dict[str, dict[str, Any]] = self._values["parts"]
        return parts

    @property
    def device(self) -> dict[str, Any]:
        """Whose it is: serial, camera_id, width, height. Raises InputError if no step was done."""
        found: dict[str, Any] | None = self._values.get("device")
        if found is None:
            raise InputError(f"{self.folder}: nothing was measured yet; run 'focusgate calibrate run'")
        return found

    def value(self, key: str) -> Any:
        """lens or tone, as the steps were told."""
        return self._values.get(key)

    def part(self, step: str) -> dict[str, Any]:
        """What a step found. Raises InputError if it was not done."""
        if step not in self.parts:
            raise InputError(f"{self.folder}: the step {step} is missing; {HOW[step]}")
        return self.parts[step]

    def put(self, step: str, part: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Write a step's part; those that were built upon an older one are dropped, and must be done again."""
        parts = {name: held for name, held in self.parts.items() if name not in BUILT_UPON.get(step, ())}
        parts[step] = {**part, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
        self._values["parts"] = parts
        with storage_errors("write", self.folder / FILE, "the step's result is lost"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if arrays:
                buffer = io.BytesIO()
                np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
                write_durably(POSIX, self._arrays_path(step), buffer.getvalue())
            text = json.dumps(self._values, indent=1) + "\n"
            write_durably(POSIX, self.folder / FILE, text.encode())

    def arrays(self, step: str) -> dict[str, NDArray[Any]]:
        """The arrays of a step. Raises InputError if they are gone."""
        path = self._arrays_path(step)
        try:
            with np.load(path, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{path}: cannot be read ({one_line(error, 60)}); {HOW[step]}") from None

    def _arrays_path(self, step: str) -> Path:
        return self.folder / f"{step}.npz"
