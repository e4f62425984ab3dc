"""What runs on a board is listed, with its digests; and not to know of a vulnerability is not to know of none."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SBOM = ROOT / "docs" / "security" / "sbom.json"
LOCKS = sorted((ROOT / "systemd" / "requirements").glob("*.lock"))
Listed = dict[tuple[str, str], tuple[set[str], set[str]]]  # (name, version): digests, locks


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    return dict(json.loads(SBOM.read_text(encoding="ascii")))


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_audit", ROOT / "docs" / "security" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def locked() -> Listed:
    found: Listed = {}
    for lock in LOCKS:
        for line in lock.read_text(encoding="ascii").replace("\\\n", "").splitlines():
            name, version = re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", line)[0]
            digests, locks = found.setdefault((name, version), (set(), set()))
            digests |= set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
            locks.add(lock.name)
    return found


def test_the_list_holds_every_locked_package_with_its_digests_and_nothing_else(sbom: dict[str, Any]) -> None:
    found: Listed = {}
    for one in sbom["components"]:
        if one["type"] == "library":
            digests = {digest["content"] for digest in one["externalReferences"][0]["hashes"]}
            found[one["name"], one["version"]] = digests, {named["value"] for named in one["properties"]}
    assert found == locked(), "the locks have changed: run make sbom"
    assert all(digests for digests, _ in found.values())


def test_the_list_is_of_this_version_with_the_shipped_model(sbom: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = sbom["metadata"]["component"]
    assert (root["name"], root["version"]) == ("focusgate", project["version"])
    (model,) = [one for one in sbom["components"] if one["type"] == "machine-learning-model"]
    shipped = (ROOT / "models" / "weights" / "focus-s.onnx").read_bytes()
    assert model["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(shipped).hexdigest()}], (
        "the model has changed: run make sbom"
    )


def test_every_package_of_the_run_time_is_locked(sbom: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.findall(r"^[a-z0-9-]+", one)[0] for one in project["dependencies"]}
    assert named <= {one["name"] for one in sbom["components"]}


@pytest.mark.parametrize(
    ("dependencies", "code", "line"),
    [
        ([], 75, "not known"),
        ([{"name": "numpy", "skip_reason": "no answer"}], 75, "not known: 1 of 1"),
        ([{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "x"}], 75, "not known: 1 of 2"),
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 packages, no known vulnerability"),
        (
            [
                {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]},
                {"name": "b", "skip_reason": ""},
            ],
            1,
            "a 1: X-1, fixed in 2",
        ),
    ],
)
def test_only_a_package_that_was_asked_for_counts_as_clean(
    audit: ModuleType, dependencies: list[dict[str, Any]], code: int, line: str
) -> None:
    found, lines = audit.judged(dependencies)
    assert found == code
    assert line in lines[0]
