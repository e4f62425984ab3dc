"""Marks that stand for a patient, a person and a place: wherever a run could pick one up, it leaves none behind.

They are in the names of files and folders, in the pictures' own metadata, in the environment and in the host's name.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.cli import main
from device.store.catalogue import read_listing
from models.errors import ExitCode

ROOT = Path(__file__).parents[2]
PATIENT, PERSON, PLACE = "Doe-Jane-1971", "nurse-mary-smith", "ward-seven-host"
MARKS = [
    form.encode()
    for mark in (PATIENT, PERSON, PLACE)
    for form in (mark, mark.replace("-", "^"), mark.replace("-", " "))
]
MARKS += [mark.decode().encode("utf-16-le") for mark in MARKS]
SCRIPT = "0.1 override 1.7\n2.0 capture\n2.6 capture\n"


@dataclass
class Bed:
    """Where a run takes place: everything around it bears a mark."""

    folder: Path  # named after the patient
    store: Path
    temporary: Path
    status: Path

    def config(self, extra: str = "") -> Path:
        path = self.folder / f"{PERSON}.toml"
        path.write_text(f"[store]\n{extra}\n", encoding="utf-8")
        return path

    def run(self, *words: str, extra: str = "") -> int:
        (self.folder / "script.txt").write_text(SCRIPT)
        options = [
            "--seconds",
            "4",
            "--instant",
            "--script",
            str(self.folder / "script.txt"),
            "--store",
            str(self.store),
        ]
        return main(["run", "--config", str(self.config(extra)), *options, *words])


def picture(path: Path) -> None:
    """Texture, with a name in every place for words that a picture has."""
    noise = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    image = Image.fromarray(noise)
    exif = image.getexif()
    exif[0x010E], exif[0x013B], exif[0x8298] = PATIENT, PERSON, PLACE  # description, artist, copyright
    image.save(path, exif=exif, comment=PATIENT.encode(), quality=90)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    folder, temporary = tmp_path / PATIENT, tmp_path / "temporary"
    for made in (folder, temporary):
        made.mkdir()
    picture(folder / f"{PATIENT}.jpg")
    monkeypatch.chdir(folder)
    for name in ("USER", "LOGNAME", "SUDO_USER", "HOSTNAME"):
        monkeypatch.setenv(name, PERSON)
    monkeypatch.setattr("socket.gethostname", lambda: PLACE)
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    status = tmp_path / "status.json"
    monkeypatch.setenv("FOCUSGATE_STATUS", str(status))
    return Bed(folder, tmp_path / "store", temporary, status)


def leaks(*places: Path) -> list[str]:
    """Every file below these whose name, or whose content, bears a mark."""
    files = [path for place in places for path in (place, *place.rglob("*"))]
    named = [str(path) for path in files if any(mark in path.name.encode() for mark in MARKS)]
    return named + [str(path) for path in files if path.is_file() and any(mark in path.read_bytes() for mark in MARKS)]


@pytest.mark.parametrize("sealed", [False, True])
def test_nothing_that_a_run_leaves_behind_names_anybody(
    bed: Bed, tmp_path: Path, capsys: pytest.CaptureFixture[str], sealed: bool
) -> None:
    extra = ""
    if sealed:
        assert main(["seal", "keygen", "--out", str(tmp_path / "keys")]) == ExitCode.OK
        extra = f'seal_to = "{tmp_path}/keys/seal-public.pem"'
    assert bed.run("--camera", f"files:{bed.folder}", extra=extra) == ExitCode.OK
    listing = read_listing(bed.store)
    assert len(listing.entries) == 1
    assert all((listing.path(entry).suffix == ".jpg") is not sealed for entry in listing.entries)
    out = tmp_path / "exported"
    assert main(["captures", "export", str(out), "--store", str(bed.store)]) == ExitCode.OK
    assert main(["verify", "--store", str(bed.store)]) == ExitCode.OK
    assert list((bed.store / "audit").glob("*.jsonl"))
    assert leaks(bed.store, out) == []
    assert list(bed.temporary.iterdir()) == []
    said = capsys.readouterr()
    assert "override armed" in said.err
    assert not any(mark in (said.out + said.err).encode() for mark in MARKS)


def test_the_status_for_everybody_names_nobody(bed: Bed) -> None:
    words = ("--config", str(bed.config()), "--camera", f"files:{bed.folder}", "--store", str(bed.store))
    assert main(["run", *words, "--plain", "--seconds", "1"]) == ExitCode.OK
    assert bed.status.exists()
    assert leaks(bed.status, bed.store) == []


def test_a_picture_that_cannot_be_read_is_named_by_no_record(bed: Bed) -> None:
    (bed.folder / f"{PATIENT}.jpg").write_bytes(b"\xff\xd8 no picture")
    assert bed.run("--camera", f"files:{bed.folder}") != ExitCode.OK
    assert leaks(bed.store) == []


def test_a_mark_would_be_found(bed: Bed) -> None:
    assert leaks(bed.folder) == [
        str(bed.folder),
        str(bed.folder / f"{PATIENT}.jpg"),
        str(bed.folder / f"{PATIENT}.jpg"),
    ]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_a_run_leaves_behind_is_for_its_owner_alone_whatever_the_umask(
    bed: Bed, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        assert bed.run("--camera", f"files:{bed.folder}") == ExitCode.OK
        assert main(["captures", "export", str(tmp_path / "out"), "--store", str(bed.store)]) == ExitCode.OK
    finally:
        os.umask(before)
    paths = [bed.store, *bed.store.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    assert {
        stat.S_IMODE(path.stat().st_mode) for path in (*paths, *(tmp_path / "out").iterdir()) if path.is_file()
    } == {0o600}


def test_the_program_that_runs_the_model_reports_nothing_and_keeps_no_identifier(tmp_path: Path) -> None:
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    code = "import models.onnx_classifier as m; m.load_classifier(None)"
    # CI=… would keep ONNX Runtime silent by itself, and show nothing
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    subprocess.run([sys.executable, "-c", code], env=environment | places, check=True, cwd=ROOT)
    assert list(tmp_path.rglob("*")) == []
