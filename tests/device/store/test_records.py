"""A record says everything of a capture, survives the file, and cannot be made to lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from device.store.jpeg import decode_record, encode
from device.store.records import CaptureRecord, Evidence, TileMap, new_capture_id
from models.focusmap import Cause, FocusMap, TileGrid
from models.verdict import VerdictKind, verdict_of

TILE = 8
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=200)
POSITIVE = st.floats(min_value=1e-6, max_value=1e6)
NS = st.integers(0, 2**63 - 1)
IDS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@st.composite
def focus_maps(draw: st.DrawFn) -> FocusMap:
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    count = rows * columns
    scores = st.floats(0, 1, width=32)
    p = draw(st.lists(scores, min_size=count, max_size=count))
    causes = draw(st.lists(st.sampled_from(Cause), min_size=count, max_size=count))
    return FocusMap(
        grid=TileGrid(TILE, TILE, rows, columns),
        blur_px=np.zeros((rows, columns), np.float32),
        p_in_focus=np.array(p, np.float32).reshape(rows, columns),
        cause=np.array(causes, np.uint8).reshape(rows, columns),
        criterion_px=draw(POSITIVE),
        threshold=draw(scores),
        model_name=draw(LINES),
        model_sha256="b" * 64,
        min_judged_percent=draw(st.integers(1, 100)),
    )


@st.composite
def records(draw: st.DrawFn) -> CaptureRecord:
    focus_map = draw(st.none() | focus_maps())
    percent = draw(st.integers(1, 100))
    verdict = verdict_of(focus_map, percent) if focus_map is not None else None
    passed = verdict is not None and verdict.kind is VerdictKind.PASS
    return CaptureRecord(
        capture_id=draw(IDS),
        session_id=draw(st.none() | IDS),
        sequence=draw(NS),
        boot_id=draw(LINES),
        exposed_ns=draw(NS),
        press_ns=draw(NS),
        wall_time=draw(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))),
        wall_synchronised=draw(st.booleans()),
        width=draw(st.integers(9 * TILE, 100)),
        height=draw(st.integers(9 * TILE, 100)),
        override=draw(st.booleans()) if passed else True,
        required_percent=percent,
        verdict=verdict.kind if verdict else None,
        reason=verdict.reason if verdict else None,
        evidence=Evidence.of(focus_map) if focus_map is not None else None,
        profile_id=draw(st.none() | LINES),
        profile_sha256=draw(st.none() | st.just("c" * 64)),
        camera_id=draw(LINES),
        exposure_us=draw(st.none() | POSITIVE),
        analogue_gain=draw(st.none() | POSITIVE),
        f_number=draw(st.none() | POSITIVE),
        software=draw(LINES),
    )


@settings(max_examples=60, deadline=None)
@given(records())
def test_every_record_comes_back_from_its_image_as_it_went_in(record: CaptureRecord) -> None:
    data = encode(np.zeros((record.height, record.width, 3), np.uint8), record)
    assert decode_record(data, "here") == record


@given(focus_maps(), st.integers(1, 100))
def test_the_verdict_worked_out_from_the_record_is_that_of_the_map(focus_map: FocusMap, percent: int) -> None:
    assert Evidence.of(focus_map).verdict(percent) is verdict_of(focus_map, percent).kind


@given(focus_maps())
def test_the_tile_map_keeps_what_was_in_focus_exactly_and_probabilities_to_one_part_in_255(
    focus_map: FocusMap,
) -> None:
    evidence = Evidence.of(focus_map)
    p, cause, in_focus = evidence.tiles.arrays()
    assert (in_focus == focus_map.sharp).all()
    assert (cause == focus_map.cause).all()
    assert np.abs(p / 255 - focus_map.p_in_focus).max() <= 0.5 / 255 + 1e-6
    assert evidence.fraction == focus_map.fraction


MakeRecord = Callable[..., CaptureRecord]
MakeMap = Callable[..., FocusMap]


def test_a_blurred_image_cannot_be_recorded_without_an_override(make_record: MakeRecord, make_map: MakeMap) -> None:
    blurred = Evidence.of(make_map(out=20))
    assert make_record(evidence=blurred, override=True, reason="blurred").verdict is VerdictKind.FAIL
    with pytest.raises(ValidationError, match="only an override"):
        make_record(evidence=blurred)


def test_a_blurred_image_cannot_be_recorded_as_passed_even_by_an_override(
    make_record: MakeRecord, make_map: MakeMap
) -> None:
    with pytest.raises(ValidationError, match="not what its evidence says"):
        make_record(evidence=Evidence.of(make_map(out=20)), verdict=VerdictKind.PASS, override=True)


@pytest.mark.parametrize("override", [False, True])
def test_a_verdict_cannot_be_recorded_without_its_evidence(make_record: MakeRecord, override: bool) -> None:
    with pytest.raises(ValidationError, match="not what its evidence says"):
        make_record(evidence=None, verdict=VerdictKind.PASS, override=override)


def test_an_override_may_be_recorded_without_any_evidence_and_then_has_no_verdict(make_record: MakeRecord) -> None:
    assert make_record(evidence=None, override=True).verdict is None
    with pytest.raises(ValidationError, match="only an override"):
        make_record(evidence=None)


@pytest.mark.parametrize("name", ["in_focus", "judged_tiles", "total"])
def test_counts_that_are_not_those_of_the_tile_map_are_refused(make_map: MakeMap, name: str) -> None:
    evidence = Evidence.of(make_map(out=1, unjudged=1))
    with pytest.raises(ValidationError, match="not those of the tile map"):
        Evidence(**(dict(evidence) | {name: getattr(evidence, name) + 1}))


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"p_in_focus": b"\0" * 23}, "one entry a tile"),
        ({"cause": b"\0" * 25}, "one entry a tile"),
        ({"in_focus": b"\0" * 4}, "one entry a tile"),
        ({"cause": b"\5" + b"\0" * 23}, "nothing was judged"),
        ({"cause": b"\2" + b"\0" * 23}, "nothing was judged"),
    ],
)
def test_a_tile_map_that_contradicts_itself_is_refused(make_map: MakeMap, over: dict[str, bytes], words: str) -> None:
    tiles = Evidence.of(make_map()).tiles
    with pytest.raises(ValidationError, match=words):
        TileMap(**(dict(tiles) | over))


@pytest.mark.parametrize(
    "over",
    [
        {"name": "a person"},
        {"capture_id": "../../etc/passwd"},
        {"capture_id": "ABCDEF" * 6},
        {"camera_id": "\x1b[2J"},
        {"camera_id": "two\nlines"},
        {"width": 95},
        {"wall_time": datetime(2026, 1, 1)},
        {"f_number": math.nan},
        {"exposure_us": math.inf},
        {"sequence": -1},
        {"override": 1},
        {"schema_version": 2},
    ],
)
def test_what_does_not_belong_into_a_record_is_refused(make_record: MakeRecord, over: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_record(**over)


def test_names_of_captures_are_random_and_never_alike() -> None:
    assert len({new_capture_id() for _ in range(1000)}) == 1000
