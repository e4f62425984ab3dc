"""Configurations that are wrong in every way that we could think of: none starts, and one line says what is wrong."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from device import app
from device.cli import main
from device.config import Entry, explain, load_config
from models.errors import ExitCode, InputError

CONFIGS, CONFIGS_IN_FULL = 84, 560
NEEDED: dict[str | None, dict[str, Any]] = {
    "files": {"path": "photos"},
    "servo": {"f_numbers": [2.0, 4.0], "positions": [1000.0, 2000.0]},
    "stepper": {"f_numbers": [2.0, 4.0], "positions": [100.0, 200.0], "highest": 900.0, "longest_steps": 1000},
}
WHOLE = """\
[camera]
kind = "v4l2"
device = 0
width = 2592
[gate]
percent = 95
passes_to_open = 4
[model]
threads = 2
[pins]
kind = "rpi"
capture = 5
override = 6
[aperture]
kind = "servo"
f_numbers = [2.0, 2.8, 4.0]
positions = [1000.0, 1500.0, 2000.0]
[store]
folder = "captures"
"""


@dataclass(frozen=True)
class Bad:
    """A file that is wrong, and what its message must name; `value` and `allowed` None: there is none to name."""

    content: bytes
    key: str | None
    value: str | None
    allowed: str | None


def toml(values: dict[str, Any]) -> bytes:
    """Sections of values that are TOML already; JSON's texts, numbers and lists are."""
    lines = []
    for section, inside in values.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in inside.items()]
    return ("\n".join(lines) + "\n").encode()


def section_of(entry: Entry, value: str, name: str | None = None) -> dict[str, Any]:
    """A whole section of the entry's kind with its key set to `value`, written as TOML."""
    section, key = entry.key.split(".")
    inside: dict[str, Any] = {} if entry.kind is None else {"kind": json.dumps(entry.kind)}
    inside |= {each: json.dumps(needed) for each, needed in NEEDED.get(entry.kind, {}).items()}
    return {section: inside | {name or key: value}}


def bounds(entry: Entry) -> tuple[float | None, float | None]:
    found = {word: float(number) for word, number in re.findall(r"(from|above|to|below) (-?[\d.]+)", entry.allowed)}
    return found.get("from", found.get("above")), found.get("to", found.get("below"))


def out_of_range(entries: list[Entry], chance: random.Random) -> Bad:
    entry = chance.choice([each for each in entries if "number" in each.allowed and bounds(each) != (None, None)])
    low, high = bounds(entry)
    beyond = [low - step for step in (1, 2, 1000, 0.5)] if low is not None else []
    beyond += [high + step for step in (1, 2, 1000, 1e9)] if high is not None else []
    number = chance.choice(beyond)
    whole = "whole number" in entry.allowed
    text = str(int(number) if whole and number == int(number) else float(number))
    if entry.allowed.startswith("list of"):
        text = f"[{text}, {text}]"
    return Bad(toml(section_of(entry, text)), entry.key, text.strip("[]").split(",")[0], entry.allowed)


def wrong_type(entries: list[Entry], chance: random.Random) -> Bad:
    entry = chance.choice([each for each in entries if not each.key.endswith(".kind")])
    junk = {"number": ['"90"', "true", "[]", "1979-05-27", '"nan"'], "text": ["7", "true", "0.5", "[]"]}
    kinds = [each for word, each in junk.items() if word in entry.allowed]
    text = chance.choice(kinds[0] if kinds else ['"yes"', "7", "0.5", "[1]", "1979-05-27"])
    if entry.allowed.startswith("list of"):
        text = chance.choice(("7", '"2.0"', '["a", "b"]', "[true, false]", "[]", "[[1.0], [2.0]]"))
    value = None if text[0] in "[1" else text.replace('"', "'").replace("true", "True")
    return Bad(toml(section_of(entry, text)), entry.key, value, entry.allowed)


def fraction_of_a_percentage(entries: list[Entry], chance: random.Random) -> Bad:
    entry = chance.choice([each for each in entries if each.key.endswith("percent")])
    text = chance.choice(("0.9", "0.4", "0.95", "1", "9", "90.0", "95.5", "101", "900", "1e2", "inf", "nan"))
    if entry.key.endswith("judged_percent"):
        text = chance.choice(("0.9", "0.4", "9", "40.0", "101", "nan"))
    shown = str(float(text)) if "e" in text else text
    return Bad(toml(section_of(entry, text)), entry.key, shown, entry.allowed)


def unknown_key(entries: list[Entry], chance: random.Random) -> Bad:
    entry = chance.choice(entries)
    section, key = entry.key.split(".")
    wrong = chance.choice((key.upper(), key + "s", key[:-1] or "x", f"{key}_s", key.replace("_", "-") + "x", "prcent"))
    value = entry.kind if key == "kind" and entry.kind else "90"
    content = toml(section_of(entry, value if value == "90" else json.dumps(value), wrong))
    return Bad(content, f"{section}.{wrong}", value, "allowed: ")


def unknown_section(entries: list[Entry], chance: random.Random) -> Bad:
    name = chance.choice(("gates", "Gate", "cameras", "camera2", "x", "view", "percent"))
    return Bad(f"[{name}]\npercent = 90\n".encode(), name, "90", "camera, gate, model")


def no_section(entries: list[Entry], chance: random.Random) -> Bad:
    name = chance.choice(("gate", "model", "store", "profile", "assist"))
    text = chance.choice(("90", '"all"', "true", "[90]"))
    return Bad(f"{name} = {text}\n".encode(), name, text.strip('"').replace("true", "True"), "write it as a table")


def unknown_kind(entries: list[Entry], chance: random.Random) -> Bad:
    section = chance.choice(("camera", "pins", "aperture"))
    text = chance.choice(('"webcam"', '"Rpi"', "7", '""', '"picamera"', "[]"))
    return Bad(
        f"[{section}]\nkind = {text}\n".encode(), section, text.strip('"'), None if text == '""' else "allowed: '"
    )


def missing_key(entries: list[Entry], chance: random.Random) -> Bad:
    kind = chance.choice(("files", "servo", "stepper"))
    left = chance.choice(list(NEEDED[kind]))
    section = "camera" if kind == "files" else "aperture"
    inside = {"kind": json.dumps(kind)} | {
        name: json.dumps(value) for name, value in NEEDED[kind].items() if name != left
    }
    return Bad(toml({section: inside}), f"{section}.{left}", None, None)


def blank_text(entries: list[Entry], chance: random.Random) -> Bad:
    entry = chance.choice([each for each in entries if each.allowed == "text"])
    text = chance.choice(('""', '"  "', '"a\\u0000b"', '"a\\nb"', '"a\\u001b[31m"', '"\\t"'))
    return Bad(toml(section_of(entry, text)), entry.key, text.strip('" ').split("\\")[0], "text on one line")


def line_wanted_twice(entries: list[Entry], chance: random.Random) -> Bad:
    lines = [each.key.split(".")[1] for each in entries if each.kind == "rpi" and "27" in each.allowed]
    first, second = chance.sample(lines, 2)
    bcm = chance.choice([each for each in range(2, 28) if each not in (5, 6, 12, 13, 19, 24, 26)])
    inside: dict[str, Any] = {"kind": '"rpi"', first: str(bcm), second: str(bcm)}
    return Bad(toml({"pins": inside}), f"pins.{first}", f"GPIO{bcm}", "from 2 to 27")


def line_of_the_aperture(entries: list[Entry], chance: random.Random) -> Bad:
    wanted = chance.choice((5, 6, 12, 13, 19, 24, 26))
    inside = {"kind": '"servo"', "enable": str(wanted)} | {
        name: json.dumps(each) for name, each in NEEDED["servo"].items()
    }
    return Bad(
        toml({"pins": {"kind": '"rpi"'}, "aperture": inside}), "aperture.enable", f"GPIO{wanted}", "from 2 to 27"
    )


def table_that_is_none(entries: list[Entry], chance: random.Random) -> Bad:
    f_numbers, positions, key = chance.choice(
        (
            ([4.0, 2.0], [1000.0, 2000.0], "aperture.f_numbers"),
            ([2.0, 2.0], [1000.0, 2000.0], "aperture.f_numbers"),
            ([2.0, 4.0, 8.0], [1000.0, 2000.0], "aperture.table"),
            ([2.0, 4.0, 8.0], [1000.0, 2000.0, 1500.0], "aperture.positions"),
            ([2.0, 4.0], [1000.0, 2500.0], "aperture.positions"),
        )
    )
    inside = {"kind": '"servo"', "f_numbers": json.dumps(f_numbers), "positions": json.dumps(positions)}
    return Bad(toml({"aperture": inside}), key, None, "allowed: ")


def torn(entries: list[Entry], chance: random.Random) -> Bad:
    """Cut in the midst of a line. A file that was cut between two lines is a whole one; it cannot be told."""
    content = WHOLE.encode()
    while True:
        part = content[: chance.randrange(len(content))]
        line = part.rsplit(b"\n", 1)[-1]
        if not part.strip() or (line and not is_whole(line)):
            return Bad(part, None, None, None)


def is_whole(line: bytes) -> bool:
    """Whether this much of a line of WHOLE is a line by itself: a section, or a number with fewer digits."""
    return line.endswith(b"]") or re.fullmatch(rb"\w+ = (\d+|\".*\")", line) is not None


def no_toml(entries: list[Entry], chance: random.Random) -> Bad:
    content = WHOLE.encode()
    at = chance.randrange(len(content))
    wrong = chance.choice(
        (
            bytes(chance.randrange(1, 4096)),
            content[:at] + bytes(chance.randrange(1, 512)) + content[at:],
            chance.randbytes(chance.randrange(8, 400)) + b"\xff",
            b"\xff\xfe" + content.decode().encode("utf-16-le"),
            b"\xef\xbb\xbf\xef\xbb\xbf" + content,
            content + b"[gate]\npercent = 90\n",
            b"[gate]\npercent = 90\npercent = 91\n",
            b"[gate]\npercent = " + b"9" * chance.randrange(5000, 20_000),
            b"a = " + b"[" * chance.randrange(2000, 50_000),
            b"{" * chance.randrange(1, 5000),
            b"percent: 90\n",
            b'{"gate": {"percent": 90}}',
            b"",
            b" \n\t\n",
        )
    )
    return Bad(wrong, None, None, None)


MAKERS = (
    out_of_range,
    wrong_type,
    fraction_of_a_percentage,
    unknown_key,
    unknown_section,
    no_section,
    unknown_kind,
    missing_key,
    blank_text,
    line_wanted_twice,
    line_of_the_aperture,
    table_that_is_none,
    torn,
    no_toml,
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every device that was built: none should be."""
    built: list[object] = []

    def build(config: object, *_rest: object, **_named: object) -> None:
        built.append(config)
        raise InputError("it has started")

    monkeypatch.setattr(app, "build", build)
    return built


def test_no_wrong_configuration_starts_and_each_is_told_in_one_line(
    tmp_path: Path,
    started: list[object],
    capsys: pytest.CaptureFixture[str],
    promise: Callable[..., None],
    so_far: Callable[[float], None],
    *,
    full: bool,
) -> None:
    entries, chance = list(explain()), random.Random(14)
    configs, kinds, wrong = (CONFIGS_IN_FULL if full else CONFIGS), Counter[str](), []
    path = tmp_path / "focusgate.toml"
    for number in range(configs):
        make = MAKERS[number % len(MAKERS)]
        bad = make(entries, chance)
        path.write_bytes(bad.content)
        code = main(["run", "--config", str(path), "--seconds", "1", "--instant", "--store", str(tmp_path / "store")])
        said = capsys.readouterr().err
        named = [str(path), *(each for each in (bad.key, bad.value, bad.allowed) if each is not None)]
        missing = [each for each in named if each not in said]
        if code != ExitCode.USAGE or started or said.count("\n") != 1 or missing or not said[:-1].isprintable():
            wrong.append(f"{make.__name__}: {bad.content[:200]!r}: exit {code}, not named: {missing}: {said[-400:]}")
        started.clear()
        kinds[make.__name__] += 1
        so_far((number + 1) / configs)
    promise(
        "configuration: wrong in one of 14 ways",
        configs,
        f"{len(wrong)} started or not told in one line",
        "0",
        met=not wrong,
    )
    assert "\n".join(wrong) == ""
    assert len(kinds) == len(MAKERS)


def test_the_file_that_is_made_wrong_is_right(tmp_path: Path) -> None:
    (path := tmp_path / "focusgate.toml").write_text(WHOLE, encoding="utf-8")
    assert load_config(path).gate.percent == 95
