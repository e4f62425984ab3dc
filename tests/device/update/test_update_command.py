"""A real virtual environment, a real pip, real wheels and the commands as typed; only systemctl is a script."""

from __future__ import annotations

import argparse
import os
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from device.commands import update as command
from device.update.build import Board
from device.update.disk import PosixDisk
from device.update.host import System
from device.update.site import COMPLETE, Site
from device.update.switch import UpdateError, update
from models.errors import ExitCode, InputError
from models.signing import new_key, trusted_keys

OLD = "0.1.0-00000000"

MAIN = """
import json, sys
def main():
    words = sys.argv[1:]
    if words == ["--version"]: print("focusgate VERSION")
    elif words[0] == "doctor":
        checks = ("system", "python", "configuration", "model")
        print(json.dumps({"findings": [{"check": c, "state": "ok", "what": ""} for c in checks]}))
    elif words[0] == "run": sys.exit(RUNS)
"""


def wheel(folder: Path, version: str, runs: int) -> Path:
    path = folder / f"focusgate-{version}-py3-none-any.whl"
    info = f"focusgate-{version}.dist-info"
    files = {
        "fg.py": MAIN.replace("VERSION", version).replace("RUNS", str(runs)),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: focusgate\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nfocusgate = fg:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def real(tmp_path: Path) -> Callable[..., Path]:
    """A board with real commands, whose services are what lies behind the link; returns a release for it."""
    tools, root = tmp_path / "tools", tmp_path / "root"
    tools.mkdir()
    (root / "releases" / OLD / "bin").mkdir(parents=True)
    (root / "releases" / OLD / COMPLETE).touch()
    (root / "venv").symlink_to(f"releases/{OLD}")
    old = root / "releases" / OLD / "bin" / "focusgate"
    old.write_text("#!/bin/sh\n")
    old.chmod(0o755)
    script = "#!/bin/sh\ncase $1 in\nshow) echo ActiveState=active; echo NRestarts=0;;\n"
    script += f'restart) echo "$2" >> {tmp_path}/said\n'
    script += f"[ $2 != focusgate.service ] || exec {root}/venv/bin/focusgate run;;\nesac\n"
    (tools / "systemctl").write_text(script)
    (tools / "systemctl").chmod(0o755)
    (tmp_path / "trusted").mkdir()
    new_key(tmp_path / "keys" / "private.pem", tmp_path / "trusted" / "public.pem")

    def make(version: str, runs: int) -> Path:
        wheels = tmp_path / f"wheels-{version}"
        wheels.mkdir()
        wheel(wheels, version, runs)
        path = tmp_path / f"{version}.release"
        words = [
            "release",
            "pack",
            wheels,
            "--python",
            "{}.{}".format(*sys.version_info),
            "--machine",
            os.uname().machine,
        ]
        assert run(*words, "--key", tmp_path / "keys" / "private.pem", "--out", path) == ExitCode.OK
        return path

    return make


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args([str(word) for word in words])
    return int(arguments.run(arguments))


def test_a_real_release_is_installed_tested_switched_to_and_a_bad_one_is_taken_back(
    real: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("device.update.switch.PROBATION_S", 0.0)
    monkeypatch.setattr("device.update.disk.os.sync", lambda: None)  # it waits for all that the whole machine writes
    monkeypatch.setattr("device.update.disk._sync", lambda _: None)
    monkeypatch.setattr("device.update.host.SERVICE_USER", "")  # the folders of a test are closed to others
    keys = trusted_keys(tmp_path / "trusted")
    site, said = Site(tmp_path / "root"), list[str]()
    system = System(f"{tmp_path}/tools:/usr/bin:/bin")
    board = Board(site, system, PosixDisk(), Path(sys.executable), tmp_path / "no.toml", said.append)

    good = update(real("0.2.0", runs=0), board, keys)
    assert (site.current(), site.version(good)) == (good, "0.2.0")
    assert (tmp_path / "said").read_text().split() == ["focusgate-guard.service", "focusgate.service"]
    assert stat.S_IMODE((site.path(good) / "lib").stat().st_mode) == 0o755

    with pytest.raises(UpdateError, match=f"does not reach READY.*; {good} is back and runs"):
        update(real("0.3.0", runs=1), board, keys)
    assert site.current() == good
    assert set(site.complete()) == {OLD, good}

    capsys.readouterr()
    assert run("update", "--list", "--root", site.root) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        f"{OLD:<32}{'unknown version':<18}to go back to",
        f"{good:<32}{'0.2.0':<18}running",
    ]
    assert run("release", "show", tmp_path / "0.3.0.release", "--trusted", tmp_path / "trusted") == ExitCode.OK
    assert "every package is the one that was signed" in capsys.readouterr().out


def test_a_folder_without_releases_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: no releases here"):
        run("update", "--list", "--root", tmp_path)


def test_a_release_file_is_never_written_over(real: Callable[..., Path]) -> None:
    path = real("0.2.0", runs=0)
    key = path.parent / "keys" / "private.pem"
    words = ("release", "pack", path.parent / "wheels-0.2.0", "--python", "3.11", "--key", key, "--out", path)
    with pytest.raises(InputError, match="is there already"):
        run(*words)
    with pytest.raises(InputError, match="0 wheels of focusgate here"):
        run("release", "pack", path.parent, "--python", "3.11", "--key", key)
