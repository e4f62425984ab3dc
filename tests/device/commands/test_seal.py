"""`focusgate seal`: keys are made, captures opened at the clinic, and what cannot be opened is one line each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.commands import captures, seal
from device.store.records import CaptureRecord, new_capture_id
from device.store.sealing import load_recipient
from device.store.writer import Saved, Store
from models.errors import ExitCode, InputError

Run = Callable[..., int]


@pytest.fixture
def run() -> Run:
    def run(*words: object) -> int:
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers()
        seal.add_parser(commands)
        captures.add_parser(commands)
        arguments = parser.parse_args([str(word) for word in words])
        return int(arguments.run(arguments))

    return run


@pytest.fixture
def keys(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run("seal", "keygen", "--out", tmp_path / "keys") == ExitCode.OK
    assert "off the device" in capsys.readouterr().out
    return tmp_path / "keys"


@pytest.fixture
def saved(tmp_path: Path, keys: Path) -> list[Saved]:
    store = Store.open(tmp_path / "store", recipient=load_recipient(keys / seal.PUBLIC))
    try:
        return [
            store.save(
                np.full((32, 32, 3), 99, np.uint8),
                CaptureRecord(
                    capture_id=new_capture_id(),
                    sequence=store.next_sequence(),
                    boot_id="boot",
                    exposed_ns=1,
                    press_ns=1,
                    wall_time=datetime(2026, 3, 4, tzinfo=UTC),
                    wall_synchronised=True,
                    width=32,
                    height=32,
                    override=True,
                    required_percent=90,
                    verdict=None,
                    reason=None,
                    evidence=None,
                    software="test",
                ),
            )
            for _ in range(3)
        ]
    finally:
        store.close()


def test_exported_captures_are_opened_at_the_clinic(
    run: Run, keys: Path, saved: list[Saved], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("captures", "export", tmp_path / "usb", "--store", tmp_path / "store") == ExitCode.OK
    opening = ("seal", "open", tmp_path / "usb", "--key", keys / seal.PRIVATE, "--out", tmp_path / "images")
    assert run(*opening) == ExitCode.OK
    images = sorted((tmp_path / "images").iterdir())
    assert [path.read_bytes()[:3] for path in images] == [b"\xff\xd8\xff"] * 3
    assert {path.stat().st_mode & 0o777 for path in images} == {0o600}
    assert "3 of 3 captures opened" in capsys.readouterr().out
    assert run(*opening) == ExitCode.OK
    assert "0 of 3 captures opened into" in capsys.readouterr().out


def test_a_damaged_capture_does_not_keep_the_others_from_being_opened(
    run: Run, keys: Path, saved: list[Saved], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(saved[1].path.read_bytes())
    data[len(data) // 2] ^= 1
    saved[1].path.write_bytes(data)
    out = tmp_path / "images"
    assert run("seal", "open", tmp_path / "store", "--key", keys / seal.PRIVATE, "--out", out) == ExitCode.STORAGE
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "2 of 3 captures opened" in told.out
    assert "1 could not be opened" in told.out


def test_another_clinics_key_opens_nothing(
    run: Run, keys: Path, saved: list[Saved], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("seal", "keygen", "--out", tmp_path / "others")
    key, out = tmp_path / "others" / seal.PRIVATE, tmp_path / "images"
    assert run("seal", "open", saved[0].path, "--key", key, "--out", out) == ExitCode.USAGE
    assert list(out.iterdir()) == []
    assert "take its clinic's key" in capsys.readouterr().err


def test_a_wrong_path_and_a_folder_without_captures_are_one_line(run: Run, keys: Path, tmp_path: Path) -> None:
    rest = ("--key", keys / seal.PRIVATE, "--out", tmp_path / "images")
    with pytest.raises(InputError, match="no such file or folder"):
        run("seal", "open", tmp_path / "absent", *rest)
    with pytest.raises(InputError, match="no sealed captures there"):
        run("seal", "open", keys, *rest)


def test_show_tells_the_card_of_a_sealed_capture_and_where_to_open_it(
    run: Run, saved: list[Saved], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("captures", "show", saved[0].record.capture_id, "--store", tmp_path / "store") == ExitCode.OK
    shown = capsys.readouterr().out
    assert saved[0].record.capture_id in shown
    assert "focusgate seal open" in shown
