"""`focusgate captures`: what was saved can be seen, checked and taken along; every mistake is one line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.commands import captures
from device.store.jpeg import encode
from device.store.records import CaptureRecord, Evidence
from device.store.writer import Saved, Store
from models.errors import ExitCode, InputError, StorageError
from models.focusmap import Cause, FocusMap, TileGrid
from models.verdict import verdict_of

Run = Callable[..., int]
Keep = Callable[..., Saved]
FIRST, SECOND = "11" * 16, "2a" * 16
_ = Cause.JUDGED
CAUSES = [[Cause.OUTSIDE, _, _, _], [Cause.DARK, _, _, _], [Cause.GLARE, _, _, _], [Cause.NO_DETAIL, _, _, _]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `captures` with these arguments on the store of this test."""

    def run(*words: str, store: Path | None = tmp_path / "store") -> int:
        parser = argparse.ArgumentParser()
        captures.add_parser(parser.add_subparsers())
        named = ["--store", str(store)] if store is not None else []
        arguments = parser.parse_args(["captures", words[0], *named, *words[1:]])
        return int(arguments.run(arguments))

    return run


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Save one capture whose first `blurred` judged tiles are out of focus."""

    def keep(capture_id: str = FIRST, blurred: int = 0, min_judged_percent: int = 40, **over: Any) -> Saved:
        cause = np.array(CAUSES, np.uint8)
        p = np.full((4, 4), 0.9, np.float32)
        flat = np.flatnonzero(cause.ravel() == Cause.JUDGED)[:blurred]
        p.ravel()[flat] = 0.1
        focus_map = FocusMap(
            grid=TileGrid(8, 8, 4, 4),
            blur_px=np.ones((4, 4), np.float32),
            p_in_focus=p,
            cause=cause,
            criterion_px=1.5,
            threshold=0.5,
            model_name="fake",
            model_sha256="a" * 64,
            min_judged_percent=min_judged_percent,
        )
        verdict = verdict_of(focus_map)
        store = Store.open(tmp_path / "store")
        try:
            values: dict[str, Any] = {
                "capture_id": capture_id,
                "sequence": store.next_sequence(),
                "boot_id": "boot 1",
                "exposed_ns": 12_345_678_900,
                "press_ns": 12_300_000_000,
                "wall_time": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
                "wall_synchronised": True,
                "width": 32,
                "height": 32,
                "override": False,
                "required_percent": 90,
                "verdict": verdict.kind,
                "reason": verdict.reason,
                "evidence": Evidence.of(focus_map),
                "software": "focusgate test",
            }
            record = CaptureRecord(**(values | over))
            return store.save_encoded(encode(np.full((32, 32, 3), 99, np.uint8), record), record)
        finally:
            store.close()

    return keep


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_list_tells_each_capture_in_one_line(run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    keep(FIRST)
    keep(SECOND, blurred=6, override=True, wall_synchronised=False)
    assert run("list") == ExitCode.OK
    head, first, second, note = lines(capsys)
    assert head.split() == ["id", "when", "(UTC)", "verdict", "in", "focus", "size"]
    assert first.split() == ["11111111", "2026-03-04", "05:06:07", "pass", "########", "100", "%", "0.0", "MB"]
    assert second == "2a2a2a2a  2026-03-04 05:06:07?  fail, OVERRIDE  ####----  50 %  0.0 MB"
    assert note.startswith("? the clock was not set")


def test_the_longest_line_fits_a_terminal_of_80_characters(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    keep(min_judged_percent=100, override=True, wall_synchronised=False).path.unlink()
    assert run("list") == ExitCode.STORAGE
    assert lines(capsys)[1] == "11111111  2026-03-04 05:06:07?  cannot-judge, OVERRIDE  ######## 100 %  MISSING"


def test_a_bar_is_full_only_at_one_hundred_percent() -> None:
    assert captures._bar(999, 1000) == "#######-  99 %"
    assert captures._bar(1000, 1000) == "######## 100 %"
    assert captures._bar(0, 1000) == "--------   0 %"
    assert captures._bar(0, 0) == captures._bar(None, None) == "-"


def test_the_list_as_json_is_one_object_a_line(run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    saved = keep(FIRST)
    keep(SECOND, evidence=None, verdict=None, override=True)
    assert run("list", "--json") == ExitCode.OK
    first, second = map(json.loads, lines(capsys))
    assert first["capture_id"] == FIRST
    assert first["seal"] in saved.path.read_bytes().decode("latin-1")
    assert first["path"] == str(saved.path)
    assert (first["verdict"], first["in_focus"], first["judged_tiles"], first["total"]) == ("pass", 12, 12, 15)
    assert (second["verdict"], second["in_focus"], second["override"]) == (None, None, True)


def test_a_lost_file_and_a_damaged_one_are_named_and_change_the_exit_code(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep(FIRST).path.unlink()
    assert run("list") == ExitCode.STORAGE
    assert "MISSING" in lines(capsys)[1]
    path = keep(SECOND).path
    (tmp_path / "store" / "index.sqlite").unlink()
    path.write_bytes(path.read_bytes()[:-1])
    assert run("list") == ExitCode.STORAGE
    assert str(path) in capsys.readouterr().err


def test_show_draws_the_tile_map_without_colour(run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    keep(blurred=1, override=True, evidence=None, verdict=None)
    keep(SECOND, blurred=1)
    assert run("show", "2A") == ExitCode.OK
    shown = lines(capsys)
    assert shown[-5:-1] == ["  . # #", "d # # #", "g # # #", "? # # #"]
    assert shown[-1].startswith("# in focus   . out of focus   not judged: d dark")
    facts = dict(line.split(maxsplit=1) for line in shown[: shown.index("")])
    assert facts["capture"] == SECOND
    assert facts["when"] == "2026-03-04 05:06:07 UTC"
    assert facts["exposed"] == "12.345679 s after boot boot 1"
    assert facts["calibration"] == "uncalibrated"
    assert facts["in"].startswith("focus     #######-  91 %   11 of 12 judged, 15 in the field")
    assert facts["rule"] == "90 % with blur ≤ 1.5 px at p ≥ 0.5, 40 % judged"
    assert facts["camera"] == "unknown: exposure unknown, gain unknown, aperture unknown"


def test_show_of_a_capture_that_was_not_judged_has_no_map(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(override=True, evidence=None, verdict=None)
    assert run("show", "1") == ExitCode.OK
    shown = lines(capsys)
    assert "verdict      not judged, OVERRIDE" in shown
    assert "" not in shown


def test_show_as_json_tells_every_tile(run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    saved = keep(blurred=1)
    assert run("show", FIRST, "--json") == ExitCode.OK
    (shown,) = map(json.loads, lines(capsys))
    tiles = shown["evidence"]["tiles"]
    assert tiles["in_focus"][0] == [False, False, True, True]
    assert [row[0] for row in tiles["cause"]] == ["outside", "dark", "glare", "no_detail"]
    assert tiles["p_in_focus"][1][1:] == [0.902] * 3
    assert (shown["sha256"], shown["wall_time"]) == (saved.sha256, "2026-03-04T05:06:07Z")


def test_show_refuses_a_damaged_capture_in_one_line(run: Run, keep: Keep) -> None:
    path = keep().path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(StorageError, match=r"^.*damaged, its checksum does not match; .*$"):
        run("show", FIRST)


def test_verify_reads_every_byte_and_names_what_has_changed(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(FIRST)
    path = keep(SECOND).path
    assert run("verify") == ExitCode.OK
    assert lines(capsys) == ["2 captures read again: every byte as it was saved"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert run("verify") == ExitCode.STORAGE
    out, err = capsys.readouterr()
    assert out == "2 captures read again: 1 problems\n"
    assert str(path) in err


def test_export_copies_all_or_those_that_are_named(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep(FIRST)
    saved = keep(SECOND)
    target = tmp_path / "out"
    assert run("export", str(target), "2a") == ExitCode.OK
    assert [path.read_bytes() for path in target.iterdir()] == [saved.path.read_bytes()]
    assert run("export", str(target)) == ExitCode.OK
    assert lines(capsys)[-1] == f"1 captures exported to {target}, 1 were there already"
    assert len(list(target.iterdir())) == 2


def test_delete_asks_with_the_numbers_and_takes_only_the_number_for_a_yes(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(FIRST, session_id="c" * 32)
    kept = keep(SECOND)
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer in ("", "y", "yes", "2"):
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: (asked.append(question), answer)[1])
        with pytest.raises(InputError, match="nothing was deleted"):
            run("delete", "11")
    assert "Delete 1 of 2 captures (1 examinations, 0.0 MB) from " in asked[0]
    monkeypatch.setattr("builtins.input", lambda _: "1")
    assert run("delete", "--session", "cc") == ExitCode.OK
    assert lines(capsys)[-1].startswith("1 of 2 captures (1 examinations, 0.0 MB) deleted from ")
    assert run("list", "--json") == ExitCode.OK
    assert [json.loads(line)["capture_id"] for line in lines(capsys)] == [SECOND]
    assert kept.path.exists()


def test_delete_does_nothing_where_nobody_can_be_asked_or_nothing_is_named(
    run: Run, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep().path
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    for words in (("delete",), ("delete", "--yes"), ("delete", "--all"), ("delete", "11"), ("delete", "--yes", "ff")):
        with pytest.raises(InputError):
            run(*words)
    assert path.exists()
    assert run("delete", "--all", "--yes") == ExitCode.OK
    assert not path.exists()


def test_one_examination_can_be_listed_and_exported(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep(FIRST, session_id="c" * 32)
    keep(SECOND, session_id="d" * 32)
    assert run("list", "--session", "D", "--json") == ExitCode.OK
    assert [json.loads(line)["capture_id"] for line in lines(capsys)] == [SECOND]
    assert run("export", str(tmp_path / "out"), "--session", "dd") == ExitCode.OK
    assert len(list((tmp_path / "out").iterdir())) == 1
    with pytest.raises(InputError, match="0 examinations begin with 'ee'"):
        run("list", "--session", "ee")


def test_a_store_that_was_never_used_has_no_captures_and_that_is_no_mistake(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSGATE_STORE", str(tmp_path / "never"))
    assert run("list", store=None) == ExitCode.OK
    assert lines(capsys) == [f"no captures in {tmp_path / 'never'}"]
    assert run("verify", store=None) == ExitCode.OK
    assert not (tmp_path / "never").exists()
    with pytest.raises(InputError, match="nothing to export"):
        run("export", str(tmp_path / "out"), store=None)


def test_a_folder_that_was_named_and_is_not_there_is_a_mistake(run: Run) -> None:
    with pytest.raises(InputError, match="no such folder"):
        run("list")


def test_an_unknown_capture_is_a_mistake(run: Run, keep: Keep) -> None:
    keep()
    for words in (("show", "ff"), ("export", "out", "ff")):
        with pytest.raises(InputError, match="no capture 'ff'"):
            run(*words)


def test_the_configuration_says_where_the_store_is(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keep()
    config = tmp_path / "focusgate.toml"
    config.write_text(f'[store]\nfolder = "{tmp_path / "store"}"\n')
    assert run("list", "--config", str(config), "--json", store=None) == ExitCode.OK
    assert json.loads(lines(capsys)[0])["capture_id"] == FIRST


def test_text_in_a_record_is_shown_as_it_is_and_not_as_markup(
    run: Run, keep: Keep, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(blurred=6, override=True, reason="[bold red]loud[/]", camera_id="[link=x]cam[/link]")
    assert run("list") == ExitCode.OK
    assert run("show", FIRST) == ExitCode.OK
    out = "\n".join(lines(capsys))
    assert "[bold red]loud[/]" in out
    assert "[link=x]cam[/link]" in out
