"""Scripts of timed presses."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.script import TimedPress, load_script, parse_script
from models.errors import InputError


def test_presses_are_read_in_order_of_time_with_comments_skipped() -> None:
    text = "# a demonstration\n6 override\n\n4.5 capture 0.2  # now\n7 aperture-close"
    assert parse_script(text, "s") == (
        TimedPress(4.5, "capture", 0.2),
        TimedPress(6.0, "override", 1.7),
        TimedPress(7.0, "aperture_close", 0.1),
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("4.5", "write SECONDS ACTION"),
        ("1 2 3 4", "write SECONDS ACTION"),
        ("4.5 shoot", "no action 'shoot'; allowed: capture, override"),
        ("soon capture", "'soon' is not a time"),
        ("-1 capture", "'-1' is not a time"),
        ("nan capture", "'nan' is not a time"),
        ("1 capture 61", "allowed: 0 to 60 seconds"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_script(f"1 capture\n{line}", "demo.txt")
    assert str(caught.value).startswith("demo.txt:2: ")
    assert said in str(caught.value)


@given(st.text())
def test_any_text_is_presses_or_one_line(text: str) -> None:
    said = ""
    presses: tuple[TimedPress, ...] = ()
    try:
        presses = parse_script(text, "s")
    except InputError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1
    assert all(press.at_s >= 0.0 for press in presses)


def test_a_script_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the script"):
        load_script(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        load_script(tmp_path / "bad")
    (tmp_path / "good").write_text("1 capture")
    assert len(load_script(tmp_path / "good")) == 1
