"""Installing: into a folder, twice, and away again; the locks; and the wiring page against the pins of the code."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from device.pins.reserve import PinMap

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "systemd"
LOCKS = sorted((SYSTEMD / "requirements").glob("requirements-board-*.lock"))


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SYSTEMD / name, *arguments], capture_output=True, text=True, check=False)


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text("latin-1") for p in sorted(folder.rglob("*")) if p.is_file()}


def test_staging_puts_every_file_where_the_system_looks_for_it(tmp_path: Path) -> None:
    ran = script("install.sh", "--root", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    put = set(tree(tmp_path)) - {"etc/systemd/system/focusgate.service.d/back-off.conf"}  # only where systemd is new
    assert put == {
        "etc/focusgate/board.env",
        "etc/focusgate/focusgate.toml",
        "etc/systemd/system/focusgate-guard.service",
        "etc/systemd/system/focusgate-recover.service",
        "etc/systemd/system/focusgate.service",
        "etc/systemd/system.conf.d/focusgate-watchdog.conf",
        "etc/sysusers.d/focusgate.conf",
        "etc/tmpfiles.d/focusgate.conf",
        "etc/udev/rules.d/60-focusgate.rules",
        "opt/focusgate/doc/board.md",
        "opt/focusgate/doc/images/wiring.png",
        "opt/focusgate/doc/images/wiring.svg",
        "opt/focusgate/recover.sh",
    }


def test_installing_again_changes_nothing_and_leaves_the_configuration_as_it_was_edited(tmp_path: Path) -> None:
    script("install.sh", "--root", str(tmp_path))
    config = tmp_path / "etc/focusgate/focusgate.toml"
    config.write_text("# mine\n", encoding="utf-8")
    before = tree(tmp_path)
    ran = script("install.sh", "--root", str(tmp_path))
    assert ran.returncode == 0
    assert "stays as it is" in ran.stdout
    assert tree(tmp_path) == before


@pytest.mark.parametrize("ends_at", ["sync", "mv"])
def test_a_configuration_is_there_whole_or_not_at_all_wherever_its_writing_ends(tmp_path: Path, ends_at: str) -> None:
    tools, root = tmp_path / "tools", tmp_path / "root"
    tools.mkdir()
    (tools / ends_at).write_text("#!/bin/sh\nkill -KILL $PPID\n")
    (tools / ends_at).chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    command = [SYSTEMD / "install.sh", "--root", str(root)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode != 0
    assert not (root / "etc/focusgate/focusgate.toml").exists()
    assert script("install.sh", "--root", str(root)).returncode == 0
    config = root / "etc/focusgate/focusgate.toml"
    assert config.read_bytes() == (SYSTEMD / "focusgate.toml").read_bytes()
    assert [path.name for path in config.parent.iterdir() if path.name.endswith(".new")] == []


def test_uninstalling_keeps_captures_and_configuration_and_says_where_they_are(tmp_path: Path) -> None:
    script("install.sh", "--root", str(tmp_path))
    capture = tmp_path / "var/lib/focusgate/captures/one.jpg"
    capture.parent.mkdir(parents=True)
    capture.write_text("a capture", encoding="utf-8")
    ran = script("uninstall.sh", "--root", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert set(tree(tmp_path)) == {
        "etc/focusgate/board.env",
        "etc/focusgate/focusgate.toml",
        "var/lib/focusgate/captures/one.jpg",
    }
    assert "/var/lib/focusgate" in ran.stdout
    assert "/etc/focusgate" in ran.stdout


def test_uninstalling_twice_is_no_error(tmp_path: Path) -> None:
    assert script("uninstall.sh", "--root", str(tmp_path)).returncode == 0
    assert script("uninstall.sh", "--root", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("arguments", [("--nonsense",), ("--root",), ("--wheels", "")])
def test_a_wrong_option_installs_nothing(arguments: tuple[str, ...]) -> None:
    ran = script("install.sh", *arguments)
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1].startswith("focusgate install: ")


def test_every_file_that_the_installer_puts_exists() -> None:
    text = (SYSTEMD / "install.sh").read_text(encoding="utf-8")
    named = re.findall(r'^\s+put(?:_new)? "\$here/([\w./-]+)"', text, re.MULTILINE)
    assert len(named) >= 8
    assert [name for name in named if not (SYSTEMD / name).is_file()] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_lock_holds_every_dependency_of_the_project_in_a_version_that_it_allows(lock: Path) -> None:
    held = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", lock.read_text(encoding="utf-8"), re.MULTILINE))
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for requirement in map(Requirement, wanted):
        assert requirement.name in held, requirement.name
        assert requirement.specifier.contains(held[requirement.name]), (requirement, held[requirement.name])


@pytest.mark.parametrize("lock", [*LOCKS, SYSTEMD / "requirements/requirements-build.lock"], ids=lambda path: path.stem)
def test_a_lock_is_versions_and_hashes_and_nothing_else(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    package, digest = r"[a-z0-9-]+==[\w.]+ \\", r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    assert [line for line in lines if not re.fullmatch(f"{package}|{digest}", line)] == []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "==" in line:
            assert "--hash=" in following, line


def test_both_systems_of_the_page_have_a_lock_and_bookworm_stays_with_numpy_1() -> None:
    assert [path.stem for path in LOCKS] == ["requirements-board-3.11", "requirements-board-3.13"]
    assert re.search(r"^numpy==1\.26", LOCKS[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert re.search(r"^numpy==2\.", LOCKS[1].read_text(encoding="utf-8"), re.MULTILINE)


def draw_wiring() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_wiring", ROOT / "docs/draw_wiring.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wiring_picture_is_drawn_from_the_pins_of_the_code() -> None:
    module = draw_wiring()
    assert module.PICTURE.read_text(encoding="utf-8") == module.drawing(PinMap())


def test_the_wiring_table_names_the_pins_of_the_code() -> None:
    pin_of = draw_wiring().PIN_OF
    page = (ROOT / "docs/board.md").read_text(encoding="utf-8")
    for name, words in (
        ("capture", "capture button"),
        ("override", "override button"),
        ("lamp_red", "lamp, red"),
        ("lamp_green", "lamp, green"),
        ("lamp_blue", "lamp, blue"),
        ("buzzer", "buzzer"),
        ("shutter", "shutter enable"),
    ):
        line = getattr(PinMap(), name)
        assert f"| GPIO{line} | {pin_of[line]} | {words}" in page, name


def test_the_guard_is_given_the_shutter_line_of_the_configuration() -> None:
    config = tomllib.loads((SYSTEMD / "focusgate.toml").read_text(encoding="utf-8"))
    env = (SYSTEMD / "board.env").read_text(encoding="utf-8")
    assert config["pins"]["shutter"] == PinMap().shutter
    assert f"FOCUSGATE_SHUTTER_PIN={PinMap().shutter}\n" in env


def test_the_configuration_that_is_installed_is_one_that_the_program_takes() -> None:
    from device.config import explain, load_config

    if not any(entry.key.startswith("pins.") and entry.kind not in (None, "simulated") for entry in explain()):
        pytest.skip("this program has simulated pins only")
    config = load_config(SYSTEMD / "focusgate.toml")
    assert config.camera.kind == "picamera2"
    assert config.store.folder == "/var/lib/focusgate/captures"
