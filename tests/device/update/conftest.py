"""A board that is a folder, a clock that is a number, and services that do as their release was made to do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.update.build import Board
from device.update.bundle import MANIFEST, SIGNATURE, WHEELS
from device.update.disk import PosixDisk
from device.update.host import TIMED_OUT, Ran
from device.update.release import sign
from device.update.site import COMPLETE, Site
from device.update.switch import GATE
from models.signing import Keys, TrustedKey, key_id

OLD = "0.1.0-00000000"
GOOD: dict[str, Any] = {
    "says": None,  # the version that it says it has; None: that of its manifest
    "installs": True,
    "starts": True,
    "model": 0,  # exit code of `model verify`
    "hangs": False,
    "config": 0,
    "doctor": "ok",
    "ready": "soon",  # or "never", or "fails"
    "crashes_after_s": None,
}


class PowerCutError(BaseException):
    """The power is gone: nothing that would run afterwards runs."""


@dataclass
class Steps:
    """Counts every step on disk and host; cuts the power before the one that is named."""

    cut_before: int | None = None
    cut: type[BaseException] = PowerCutError
    taken: list[str] = field(default_factory=list)

    def take(self, what: str) -> None:
        if self.cut_before is not None and len(self.taken) >= self.cut_before:
            raise self.cut(what)
        self.taken.append(what)


class FakeDisk(PosixDisk):
    """The real disk without its waiting, with faults on demand."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.free = 10 << 30
        self.failing: dict[str, int] = {}  # errno by step

    def _step(self, what: str) -> None:
        self.steps.take(what)
        if what in self.failing:
            raise OSError(self.failing[what], os.strerror(self.failing[what]))

    def write(self, path: Path, data: bytes) -> None:
        self._step(f"write {path.name}")
        super().write(path, data)

    def link(self, target: str, path: Path) -> None:
        self._step(f"link {path.name}")
        super().link(target, path)

    def remove(self, path: Path) -> None:
        self._step(f"remove {path.name}")
        super().remove(path)

    def make_folder(self, path: Path, *, private: bool) -> None:
        self._step("make folder")
        super().make_folder(path, private=private)

    def remove_tree(self, path: Path) -> None:
        self._step("remove tree")
        super().remove_tree(path)

    def sync_tree(self, path: Path) -> None:
        self._step("sync tree")

    def free_bytes(self, path: Path) -> int:
        return self.free


@dataclass
class FakeHost:
    """Installs fake wheels, which are JSON, and runs what they say."""

    root: Path
    steps: Steps
    now: float = 0.0
    board: str = "3.11 aarch64 64"
    running: str | None = OLD
    since: float = 0.0
    switched_s: list[float] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def now_s(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, *command: str | Path, limit_s: float, as_service: bool = False) -> Ran:
        words = tuple(map(str, command))
        self.commands.append(words)
        self.steps.take(" ".join(Path(word).name for word in words[:3]))
        self.now += 0.01
        if words[0] == "systemctl":
            return self._systemctl(words[1], words[-1], limit_s)
        if words[1] == "-c":
            return Ran(0, f"{self.board}\n")
        if words[1:3] == ("-m", "venv"):
            Path(words[-1], "bin").mkdir()
            return Ran(0, "")
        if "pip" in words:
            return self._pip(Path(words[0]).parents[1], Path(words[-1]))
        return self._focusgate(Path(words[0]).parents[1], words[1:], limit_s)

    def _pip(self, folder: Path, requirements: Path) -> Ran:
        for line in requirements.read_text().splitlines():
            url, digest = line.split(" --hash=sha256:")
            wheel = Path(url.removeprefix("file://"))
            assert hashlib.sha256(wheel.read_bytes()).hexdigest() == digest
            if wheel.name.startswith("focusgate-"):
                put_release(folder, json.loads(wheel.read_bytes()), wheel.name.split("-")[1])
        if not behaviour(folder)["installs"]:
            return Ran(1, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n")
        return Ran(0, "")

    def _focusgate(self, folder: Path, words: tuple[str, ...], limit_s: float) -> Ran:
        does = behaviour(folder)
        if does["hangs"]:
            self.now += limit_s
            return Ran(TIMED_OUT, f"no answer within {limit_s:g} s")
        if not does["starts"]:
            return Ran(1, "Traceback (most recent call last):\nModuleNotFoundError: No module named 'device'\n")
        match words:
            case ("--version",):
                return Ran(0, f"focusgate {does['says'] or does['version']}\n")
            case ("model", "verify"):
                return Ran(does["model"], "focusgate: golden vector 0 deviates by 300 %; gate stays closed\n")
            case ("config", "check", _):
                return Ran(does["config"], "focusgate: unknown key gate.percentage\n")
            case ("doctor", "--json", *_):
                checks = ("system", "python", "configuration", "model", "camera")
                states = dict.fromkeys(checks, "ok") | {"camera": "failure", "model": does["doctor"]}
                findings = [{"check": check, "state": states[check], "what": f"{check} is so"} for check in checks]
                said = "" if does["doctor"] == "silent" else json.dumps({"findings": findings})
                return Ran(1, f"{said}\n")
        raise AssertionError(words)

    def _systemctl(self, verb: str, unit: str, limit_s: float) -> Ran:
        if verb == "show":
            if unit != GATE:
                return Ran(0, "ActiveState=active\nNRestarts=0\n")
            crashed = self.running and behaviour(self.root / "releases" / self.running)["crashes_after_s"]
            restarts = int(type(crashed) is float and self.now - self.since > crashed)
            return Ran(0, f"ActiveState={'active' if self.running else 'failed'}\nNRestarts={restarts}\n")
        if verb != "restart" or unit != GATE:
            return Ran(0, "")
        name = (self.root / "venv").readlink().name
        if not self.switched_s:
            self.switched_s.append(self.now)
        self.running = None
        match behaviour(self.root / "releases" / name)["ready"]:
            case "never":
                self.now += limit_s
                return Ran(TIMED_OUT, "")
            case "fails":
                self.now += 1.0
                return Ran(1, "Job for focusgate.service failed because the control process exited with error code.\n")
        self.now += 5.0
        self.running, self.since = name, self.now
        return Ran(0, "")


def behaviour(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "behaviour.json").read_text()))


def put_release(folder: Path, does: dict[str, Any], version: str) -> None:
    """What pip would leave of a fake wheel."""
    info = folder / "lib" / "python3.11" / "site-packages" / f"focusgate-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: focusgate\nVersion: {version}\n")
    (folder / "behaviour.json").write_text(json.dumps(GOOD | does | {"version": version}))


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def keys(key: Ed25519PrivateKey) -> Keys:
    return {key_id(key.public_key()): TrustedKey(key.public_key(), Path("trusted.pem"))}


@dataclass
class Bench:
    """One board in a folder, and releases for it."""

    board: Board
    disk: FakeDisk
    host: FakeHost
    steps: Steps
    said: list[str]
    folder: Path
    key: Ed25519PrivateKey
    site: Site

    def manifest(self, wheels: dict[str, bytes], version: str, **over: object) -> bytes:
        listed = [
            {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in wheels.items()
        ]
        values = {"schema": 1, "name": "focusgate", "version": version, "python": "3.11", "machine": "aarch64"}
        return json.dumps(values | {"wheels": listed} | over).encode()

    def wheels(self, version: str = "0.2.0", **does: object) -> dict[str, bytes]:
        return {
            f"focusgate-{version}-py3-none-any.whl": json.dumps(does).encode(),
            "numpy-1.26.4-cp311-cp311-manylinux_2_17_aarch64.whl": bytes(range(256)) * 9,
        }

    def release(self, version: str = "0.2.0", over: dict[str, object] | None = None, **does: object) -> Path:
        """A release file as it should be; `does` goes into its fake wheel, `over` into its manifest."""
        wheels = self.wheels(version, **does)
        return self.archive(self.manifest(wheels, version, **(over or {})), wheels)

    def archive(
        self,
        text: bytes,
        wheels: dict[str, bytes],
        *,
        key: Ed25519PrivateKey | None = None,
        extra: tuple[tuple[tarfile.TarInfo, bytes], ...] = (),
    ) -> Path:
        path = self.folder / "new.release"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            signature = sign(text, key or self.key)
            for name, content in {MANIFEST: text, SIGNATURE: signature}.items():
                add(archive, name, content)
            for info, content in extra:
                archive.addfile(info, io.BytesIO(content))
            for name, content in wheels.items():
                add(archive, WHEELS + name, content)
        return path

    def leftovers(self) -> set[str]:
        """What lies beside the complete releases."""
        names = {path.name for folder in (self.site.releases, self.site.root) for path in folder.iterdir()}
        return names - {*self.site.complete(), "releases", "venv", "previous", "update.lock"}


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def make_bench(tmp_path: Path, key: Ed25519PrivateKey) -> Callable[..., Bench]:
    def make(name: str = "board", cut_before: int | None = None) -> Bench:
        folder = tmp_path / name
        root = folder / "root"
        put_release(root / "releases" / OLD, {}, "0.1.0")
        (root / "releases" / OLD / COMPLETE).touch()
        (root / "venv").symlink_to(f"releases/{OLD}")
        config = folder / "focusgate.toml"
        config.write_text("[gate]\n")
        steps = Steps(cut_before)
        disk, host, said = FakeDisk(steps), FakeHost(root, steps), list[str]()
        board = Board(Site(root), host, disk, Path("/usr/bin/python3"), config, said.append)
        return Bench(board, disk, host, steps, said, folder, key, board.site)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
