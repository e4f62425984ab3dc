"""The pages are held to the code: what they name exists."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from device.cli import parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _commands() -> dict[str, str]:
    """Every sub-command with its own help text."""
    actions = [action for action in parser()._actions if action.choices]
    return {name: sub.format_help() for action in actions for name, sub in dict(action.choices).items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_named_in_a_page_exists(page: Path) -> None:
    names = set(re.findall(r"`((?:device|models|calibration)(?:\.[a-z_0-9]+)+)`", page.read_text(encoding="utf-8")))
    missing = [name for name in sorted(names) if find_spec(name) is None]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_named_in_a_page_exists(page: Path) -> None:
    commands = _commands()
    for line in re.findall(r"focusgate ([a-z]+[^`\n]*)", page.read_text(encoding="utf-8")):
        name, *words = line.split()
        if name not in commands:
            assert not re.search(rf"`focusgate {name}", page.read_text(encoding="utf-8")), f"no command {name}"
            continue
        for option in (word.strip(".,;:)|[]") for word in words if word.startswith("--")):
            assert option in commands[name], f"focusgate {name} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_linked_from_a_page_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_named_in_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
    assert named <= targets


def test_every_command_has_an_example() -> None:
    for name, text in _commands().items():
        assert f"focusgate {name}" in text.split("examples:")[-1], name
