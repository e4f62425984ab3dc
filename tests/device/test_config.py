"""Configuration: what is wrong is said in one line, and nothing starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Config, explain, load_config, parse_config
from models.errors import InputError


def test_without_a_file_the_defaults_hold() -> None:
    assert load_config(None) == Config()
    assert Config().gate.percent == 90


def test_the_gate_gets_its_timings_in_nanoseconds() -> None:
    settings = parse_config({"gate": {"override_hold_ms": 2000}}, "x").gate.settings()
    assert settings.override_hold_ns == 2_000_000_000


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gate": {"percent": 0.9}}, "gate.percent = 0.9 is not possible; allowed: whole number from 90 to 100"),
        ({"gate": {"percent": 89}}, "gate.percent = 89 is not possible; allowed: whole number from 90 to 100"),
        ({"gate": {"percent": "90"}}, "gate.percent = '90' is not possible; allowed: whole number from 90 to 100"),
        ({"gate": {"percent": True}}, "gate.percent = True is not possible"),
        ({"gate": {"percnt": 90}}, "unknown key gate.percnt"),
        ({"gates": {}}, "unknown key gates"),
        ({"gate": 3}, "gate is not a section; write it as a table: [gate]"),
        (
            {"camera": {"kind": "webcam"}},
            "camera.kind is missing or unknown; allowed: 'simulated', 'files', 'v4l2', 'picamera2'",
        ),
        ({"camera": {"kind": "files"}}, "the key camera.path is missing"),
        (
            {"camera": {"kind": "v4l2", "device": -1}},
            "camera.device = -1 is not possible; allowed: whole number from 0",
        ),
        (
            {"model": {"criterion_px": float("nan")}},
            "model.criterion_px = nan is not possible; allowed: number above 0",
        ),
        ({"gates": {}}, "allowed: camera, gate, model, profile, pins, aperture, assist, store, calibrate;"),
        ({"gate": {"percnt": 90}}, "unknown key gate.percnt (= 90); allowed: percent, min_judged_percent,"),
        ({"gate\n\x1b[31m": 1}, "unknown key gate��[31m (= 1)"),
        ({"camera": {"kind": "webcam"}}, "{'kind': 'webcam'} is not possible"),
        ({"camera": {"kind": "picamera2", "width": 257}}, "allowed: whole number from 256 to 8192 in steps of 2"),
        ({"store": {"seal_to": ""}}, "store.seal_to = '' is not possible; allowed: text on one line, or no such key"),
        ({"profile": {"file": "a\0b"}}, r"profile.file = 'a\x00b' is not possible; allowed: text on one line"),
        ({"store": {"folder": "a\nb"}}, r"store.folder = 'a\nb' is not possible"),
        ({"pins": {"kind": "rpi", "capture": 6}}, "pins.override and pins.capture both use GPIO6; give one of them"),
        (
            {"aperture": {"kind": "servo", "f_numbers": [2.0, 4.0, 8.0], "positions": [1000.0, 2000.0]}},
            "aperture.table has 3 f-numbers and 2 positions; allowed: the same number of both",
        ),
        (
            {"aperture": {"kind": "servo", "f_numbers": [2.0, "4"], "positions": [1000.0, 2000.0]}},
            "aperture.f_numbers.1 = '4' is not possible; allowed: list of number above 0.5 to 64.0",
        ),
        ({"camera": {"kind": "picamera2", "red_gain": 1.0}}, "camera.red_gain and camera.blue_gain go together"),
        ({"gate": {"percent": 0, "passes_to_open": 0}}, "(and 1 more)"),
    ],
)
def test_what_is_wrong_is_named_with_key_value_and_range(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(values, "focusgate.toml")
    message = str(caught.value)
    assert message.startswith("focusgate.toml: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"[gate\n", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"  \n", "is empty"),
        (bytes(400), "not valid TOML"),
        (b"[gate]\npercent = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "not valid TOML"),
    ],
)
def test_a_torn_or_empty_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "focusgate.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_config(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the configuration"):
        load_config(tmp_path / "none.toml")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "focusgate.toml"
    path.write_text('[camera]\nkind = "files"\npath = "photos"\n[gate]\npercent = 95\n')
    config = load_config(path)
    assert (config.camera.kind, config.gate.percent) == ("files", 95)


def test_every_key_is_explained_with_range_and_meaning() -> None:
    entries = list(explain())
    keys = {entry.key for entry in entries}
    assert {"gate.percent", "camera.path", "camera.seed", "model.threads", "store.folder"} <= keys
    assert all(entry.allowed and entry.meaning and entry.default for entry in entries)


TABLE = {"f_numbers": [2.0, 4.0], "positions": [1000.0, 2000.0]}
NEEDED: dict[str, dict[str, object]] = {
    "files": {"path": "photos"},
    "servo": TABLE,
    "stepper": {**TABLE, "highest": 900.0, "longest_steps": 1000},
}


def _set(values: dict[str, Any], key: str, kind: str | None, value: object) -> dict[str, Any]:
    section, name = key.split(".")
    inside = dict(values.get(section, {}))
    if kind is not None:
        inside["kind"] = kind
        inside |= NEEDED.get(kind, {})
    inside[name] = value
    return {section: inside}


JUNK = st.one_of(
    st.floats(allow_nan=True),
    st.integers(max_value=-1),
    st.integers(min_value=10**6),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.binary(max_size=3),
)


@given(st.sampled_from([entry for entry in explain() if not entry.key.endswith((".kind", ".loop"))]), JUNK)
def test_junk_never_starts_and_never_tracebacks(entry: Any, junk: object) -> None:
    if isinstance(junk, float | int) and "number" in entry.allowed and "text" not in entry.allowed:
        numbers = [float(word) for word in entry.allowed.split() if word.replace(".", "").isdigit()]
        if len(numbers) == 2 and numbers[0] <= junk <= numbers[1]:
            return  # by chance it is allowed
    if entry.key == "camera.seed" and isinstance(junk, int) and junk >= 0:
        return
    if entry.allowed.startswith("list of") and isinstance(junk, list) and min(junk, default=0) > 0:
        return  # by chance it is a table
    with pytest.raises(InputError) as caught:
        parse_config(_set({}, entry.key, entry.kind, junk), "f.toml")
    message = str(caught.value)
    assert entry.key in message
    assert "\n" not in message
