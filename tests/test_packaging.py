"""The wheel holds the three packages and nothing else at its top level, with weights and type markers inside."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from device.supervision.faults import TABLE

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of the wheel, built from a copy so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the files of the distribution are not known")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", ".ci/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "setuptools" in done.stderr and "No matching distribution" in done.stderr:
        pytest.skip("the build back end cannot be had without a package index")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return wheel.namelist()


def test_the_top_level_is_exactly_the_three_packages(names: list[str]) -> None:
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"device", "models", "calibration"}


def test_the_weights_travel_with_their_manifest_its_signature_and_the_public_key(names: list[str]) -> None:
    weights = {name for name in names if name.startswith("models/weights/")}
    assert any(name.endswith(".onnx") for name in weights)
    stems = {name.removesuffix(".onnx") for name in weights if name.endswith(".onnx")}
    assert {stem + ending for stem in stems for ending in (".json", ".json.sig")} <= weights
    assert any(name.startswith("models/trust/") and name.endswith(".pem") for name in names)


def test_every_package_says_that_it_is_typed(names: list[str]) -> None:
    assert {f"{package}/py.typed" for package in ("device", "models", "calibration")} <= set(names)


def test_every_code_of_the_device_travels_with_its_page(names: list[str]) -> None:
    pages = {name.removeprefix("device/supervision/pages/") for name in names if "supervision/pages/" in name}
    assert pages == {f"{code}.md" for code in TABLE}
