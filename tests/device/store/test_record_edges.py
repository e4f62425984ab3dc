"""What a record may say, at its limits, and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from device.store.records import CaptureRecord, Evidence, TileMap
from models.focusmap import Cause, FocusMap, TileGrid
from models.verdict import VerdictKind

MakeMap = Callable[..., FocusMap]
MakeRecord = Callable[..., CaptureRecord]
ROWS, COLUMNS = 50, 44  # 2200 tiles


def tiles_of(**over: Any) -> TileMap:
    count = ROWS * COLUMNS
    values = {
        "width": 8,
        "height": 8,
        "rows": ROWS,
        "columns": COLUMNS,
        "p_in_focus": b"\xff" * count,
        "cause": b"\0" * count,
        "in_focus": b"\xff" * (count // 8),
    }
    return TileMap(**(values | over))


def evidence_of(in_focus: int, judged: int, min_judged_percent: int = 40) -> Evidence:
    """Of 2200 tiles the first are judged, and the first of these in focus."""
    order = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    found = FocusMap(
        grid=TileGrid(8, 8, ROWS, COLUMNS),
        blur_px=np.ones((ROWS, COLUMNS), np.float32),
        p_in_focus=(order < in_focus).astype(np.float32),
        cause=np.where(order < judged, Cause.JUDGED, Cause.DARK).astype(np.uint8),
        criterion_px=2.5,
        threshold=0.5,
        model_name="fake",
        model_sha256="a" * 64,
        min_judged_percent=min_judged_percent,
    )
    return Evidence.of(found)


def test_a_map_of_a_thousand_tiles_is_whole() -> None:
    assert [plane.shape for plane in tiles_of().arrays()] == [(ROWS, COLUMNS)] * 3


@pytest.mark.parametrize("name", ["p_in_focus", "cause", "in_focus"])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_map_with_a_tile_too_few_or_too_many_is_refused(name: str, more: int) -> None:
    whole = getattr(tiles_of(), name)
    with pytest.raises(ValidationError, match="not one entry a tile"):
        tiles_of(**{name: whole[:-1] if more < 0 else whole + whole[-1:]})


def test_a_cause_that_does_not_exist_is_refused() -> None:
    count = ROWS * COLUMNS
    nothing = {"in_focus": b"\0" * (count // 8)}
    assert tiles_of(cause=bytes([max(Cause)] * count), **nothing).rows == ROWS
    with pytest.raises(ValidationError, match="nothing was judged"):
        tiles_of(cause=bytes([max(Cause) + 1] * count), **nothing)


@pytest.mark.parametrize("name", ["in_focus", "judged_tiles", "total"])
@pytest.mark.parametrize("more", [-1, 1])
def test_counts_that_are_not_those_of_the_tiles_are_refused(name: str, more: int) -> None:
    values = evidence_of(900, 950).model_dump()
    with pytest.raises(ValidationError, match="not those of the tile map"):
        Evidence(**(values | {name: values[name] + more}))


@pytest.mark.parametrize(
    ("in_focus", "judged", "verdict"),
    [
        (1980, 2200, VerdictKind.PASS),
        (1979, 2200, VerdictKind.FAIL),
        (880, 880, VerdictKind.PASS),
        (879, 879, VerdictKind.CANNOT_JUDGE),
        (792, 880, VerdictKind.PASS),
        (791, 880, VerdictKind.FAIL),
        (0, 0, VerdictKind.CANNOT_JUDGE),
    ],
)
def test_the_rule_is_exact_to_one_tile(in_focus: int, judged: int, verdict: VerdictKind) -> None:
    assert evidence_of(in_focus, judged).verdict(90) is verdict


def test_a_record_and_its_parts_cannot_be_changed(make_record: MakeRecord) -> None:
    record = make_record()
    assert record.evidence is not None
    for part, name in ((record, "override"), (record.evidence, "in_focus"), (record.evidence.tiles, "rows")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, 1)


@pytest.mark.parametrize(("width", "height", "fits"), [(96, 64, True), (95, 64, False), (96, 63, False)])
def test_a_tile_map_may_be_as_large_as_the_image_and_no_larger(
    make_record: MakeRecord, width: int, height: int, *, fits: bool
) -> None:
    if fits:
        assert make_record(width=width, height=height).width == width
    else:
        with pytest.raises(ValidationError, match="larger than the image"):
            make_record(width=width, height=height)


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("software", ["", "x" * 200], ["x" * 201]),
        ("required_percent", [1, 100], [0, 101]),
        ("width", [96, 65_535], [0, 65_536]),
        ("exposure_us", [0.5], [0.0, -0.5]),
    ],
)
def test_values_are_taken_up_to_their_limits(
    make_record: MakeRecord, name: str, taken: list[Any], refused: list[Any]
) -> None:
    override = {"override": True, "verdict": None, "evidence": None}
    for value in taken:
        assert getattr(make_record(**({name: value} | override)), name) == value
    for value in refused:
        with pytest.raises(ValidationError, match=name):
            make_record(**({name: value} | override))


def test_a_picture_of_one_pixel_is_a_picture(make_record: MakeRecord) -> None:
    assert make_record(width=1, height=1, override=True, verdict=None, evidence=None).width == 1


@pytest.mark.parametrize(("threshold", "is_one"), [(0.0, True), (1.0, True), (-0.5, False), (1.5, False)])
def test_a_threshold_is_a_probability(threshold: float, *, is_one: bool) -> None:
    values = evidence_of(900, 950).model_dump() | {"threshold": threshold}
    if is_one:
        assert Evidence(**values).threshold == threshold
    else:
        with pytest.raises(ValidationError, match="threshold"):
            Evidence(**values)
