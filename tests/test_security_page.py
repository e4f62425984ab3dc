"""SECURITY.md: what it says of tests, files and commands is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
ROW = re.compile(r"^\| (T\d+) \| ([A-Z, ]+): .+ \| (.+?) \| .+ \| `tests/.+` \|$", re.MULTILINE)


@pytest.mark.parametrize("name", TESTS)
def test_every_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {function or 'test_'}" in text


def test_every_threat_has_a_kind_an_asset_or_boundary_and_a_test() -> None:
    rows = ROW.findall(PAGE)
    assert [name for name, _, _ in rows] == [f"T{number}" for number in range(1, len(rows) + 1)]
    assert len(rows) == len(re.findall(r"^\| T\d", PAGE, re.MULTILINE)) > 10
    known = set(re.findall(r"^\| ([AB]\d) \|", PAGE, re.MULTILINE))
    touched = {one for _, _, where in rows for one in where.split(", ")}
    assert touched <= known
    assert {name for name in known if name.startswith("A")} <= touched
    assert set("STRIDE") == {kind for _, kinds, _ in rows for kind in kinds.split(", ")}


def test_everything_it_links_to_exists() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGE)
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"^#+(.*)", PAGE, re.M)
    }
    for target in targets:
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists() if path else anchor in headings, target


def test_it_names_no_person_and_no_address() -> None:
    assert "@" not in PAGE
    assert "http" not in PAGE
