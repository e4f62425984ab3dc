"""Every code has its page and every page its code; the pages say what a person needs, in the same three parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.cli import main
from device.supervision.faults import TABLE, Kind
from device.supervision.pages import index, page_of, plain_page
from models.errors import ExitCode

DOCS = Path(__file__).parents[3] / "docs" / "faults"
PARTS = ["What happened", "What the device did", "What to do"]
Capture = pytest.CaptureFixture[str]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in DOCS.glob("FG-*.md")} == set(TABLE)


def test_the_index_is_the_one_that_the_table_gives() -> None:
    assert (DOCS / "README.md").read_text(encoding="utf-8") == index()


@pytest.mark.parametrize("code", TABLE)
def test_the_page_that_ships_is_the_one_of_the_documents(code: str) -> None:
    assert page_of(TABLE[code]) == (DOCS / f"{code}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", TABLE)
def test_a_page_has_its_title_and_the_three_parts_with_words_in_each(code: str) -> None:
    page = page_of(TABLE[code])
    assert page.splitlines()[0] == f"# {code}: {TABLE[code].name}"
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == PARTS
    assert all(len(part.split()) > 5 for part in re.split(r"^## .+$", page, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("code", [code for code, fault in TABLE.items() if fault.kind is Kind.END])
def test_the_page_of_an_end_names_its_exit_code(code: str) -> None:
    assert f"exit code {int(TABLE[code].exit_code or 0)}" in " ".join(page_of(TABLE[code]).split())


@pytest.mark.parametrize("code", [code for code, fault in TABLE.items() if fault.kind is Kind.FAULT])
def test_the_page_of_a_fault_says_what_the_lamp_shows(code: str) -> None:
    assert "lamp" in page_of(TABLE[code])


@pytest.mark.parametrize("code", TABLE)
def test_codes_named_in_a_page_exist(code: str) -> None:
    assert set(re.findall(r"FG-\d{3}", page_of(TABLE[code]))) <= set(TABLE)


@pytest.mark.parametrize("named", ["FG-301", "fg-301", "301"])
def test_explain_shows_the_page_without_markup(capsys: Capture, named: str) -> None:
    assert main(["explain", named]) == ExitCode.OK
    told = capsys.readouterr().out
    assert told == plain_page(TABLE["FG-301"])
    assert told.splitlines()[0] == "FG-301: disk full"
    assert "**" not in told
    assert "](" not in told
    assert [part for part in PARTS if part in told.splitlines()] == PARTS


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("FG-101", "it is gone when its cause is"),
        ("FG-201", "it stays until the device is started anew"),
        ("FG-501", "refusal: this press saves nothing"),
        ("FG-702", "end: the process ends, exit code 71"),
    ],
)
def test_explain_says_first_how_long_it_lasts(capsys: Capture, code: str, said: str) -> None:
    assert main(["explain", code]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines()[1].endswith(said)


def test_explain_lists_all_codes_one_a_line(capsys: Capture) -> None:
    assert main(["explain", "--list"]) == ExitCode.OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(TABLE)


def test_explain_makes_the_index(capsys: Capture) -> None:
    assert main(["explain", "--index"]) == ExitCode.OK
    assert capsys.readouterr().out == index()


@pytest.mark.parametrize("named", ["FG-999", "", "lamp", "FG-"])
def test_a_code_that_does_not_exist_is_one_line(capsys: Capture, named: str) -> None:
    assert main(["explain", named]) == ExitCode.USAGE
    assert "no such code; 'focusgate explain --list'" in capsys.readouterr().err
