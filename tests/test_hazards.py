"""Every hazard has tests that show what is safe; a row without any, or with one that never runs, fails here."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "risk" / "hazards.toml"
IDS = [f"H{number:02}" for number in range(1, 37)]
KEYS = {"id", "hazard", "safe", "tests"}
ROWS: list[dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))["hazard"]
NEVER = {"skip", "xfail"}  # marks that take a test out whatever the machine


@cache
def found_in(path: str) -> dict[str, str | None]:
    """The tests of a file, each with what keeps it from ever running: a mark, on it or on its file; None if nothing."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    of_file = next(filter(None, map(_file_mark, tree.body)), None)
    return {
        node.name: of_file or next(filter(None, map(_never, node.decorator_list)), None) or _skips_first(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _file_mark(node: ast.stmt) -> str | None:
    """A `pytestmark = pytest.mark.skip`, or a `pytest.skip(...)` of the whole file."""
    if isinstance(node, ast.Assign) and any(getattr(target, "id", None) == "pytestmark" for target in node.targets):
        marks = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        return next(filter(None, map(_never, marks)), None)
    return _skip_call(node)


def _never(mark: ast.expr) -> str | None:
    """The name of a mark that has no condition and takes the test out."""
    name = ast.unparse(mark.func if isinstance(mark, ast.Call) else mark)
    if not name.startswith("pytest.mark."):
        return None
    conditional = isinstance(mark, ast.Call) and bool(mark.args) and not isinstance(mark.args[0], ast.Constant)
    last = name.rpartition(".")[2]
    always = last == "skipif" and not conditional
    return name if (last in NEVER and not conditional) or always else None


def _skips_first(node: ast.FunctionDef) -> str | None:
    """`pytest.skip()` as the first thing that a test does."""
    body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return _skip_call(body[0]) if body else "nothing"


def _skip_call(node: ast.stmt) -> str | None:
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func)
    return "pytest.skip" if called == "pytest.skip" else None


def test_every_hazard_has_its_row_in_order() -> None:
    assert [row["id"] for row in ROWS] == IDS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_row_says_what_is_safe_and_names_tests(row: dict[str, Any]) -> None:
    assert set(row) == KEYS
    assert row["hazard"]
    assert row["safe"]
    assert row["tests"]
    assert len(set(row["tests"])) == len(row["tests"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_test_that_a_row_names_exists_and_runs(row: dict[str, Any]) -> None:
    for named in row["tests"]:
        path, _, name = named.partition("::")
        assert (ROOT / path).is_file(), f"{row['id']}: no file {path}"
        found = found_in(path)
        assert name in found, f"{row['id']}: {path} has no {name}"
        assert found[name] is None, f"{row['id']}: {name} never runs ({found[name]})"


@pytest.mark.parametrize(
    ("text", "kept_by"),
    [
        ("def test_a():\n    assert True\n", None),
        ("@pytest.mark.slow\ndef test_a():\n    assert True\n", None),
        ("@pytest.mark.skip\ndef test_a():\n    assert True\n", "pytest.mark.skip"),
        ("@pytest.mark.skip(reason='later')\ndef test_a():\n    assert True\n", "pytest.mark.skip"),
        ("@pytest.mark.xfail\ndef test_a():\n    assert True\n", "pytest.mark.xfail"),
        ("@pytest.mark.skipif(True, reason='x')\ndef test_a():\n    assert True\n", "pytest.mark.skipif"),
        ("@pytest.mark.skipif(no_gpio(), reason='x')\ndef test_a():\n    assert True\n", None),
        ("pytestmark = pytest.mark.skip\ndef test_a():\n    assert True\n", "pytest.mark.skip"),
        ("pytestmark = [pytest.mark.slow, pytest.mark.skip]\ndef test_a():\n    assert True\n", "pytest.mark.skip"),
        ("pytest.skip('x', allow_module_level=True)\ndef test_a():\n    assert True\n", "pytest.skip"),
        ("def test_a():\n    '''words'''\n    pytest.skip('x')\n", "pytest.skip"),
        ("def test_a():\n    '''words'''\n", "nothing"),
    ],
)
def test_a_test_that_never_runs_is_found(tmp_path: Path, text: str, kept_by: str | None) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(text)
    assert found_in(str(path)) == {"test_a": kept_by}
