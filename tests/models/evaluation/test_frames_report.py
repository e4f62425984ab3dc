"""The report of whole frames is one JSON object, and the page shows what it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.evaluation.frames import RATIOS, JudgedFrame
from models.evaluation.frames_page import Picture, page_of
from models.evaluation.frames_report import Run, report_of
from models.focusmap import Cause
from models.verdict import VerdictKind


def frame(seed: int, true_tiles: int, in_focus: int, verdict: VerdictKind) -> JudgedFrame:
    judged = 0 if verdict is VerdictKind.CANNOT_JUDGE else 60
    return JudgedFrame(
        seed=seed,
        number=0,
        at_ns=0,
        conditions={"light": 0.5 + seed},
        field_tiles=60,
        judged_tiles=judged,
        in_focus=in_focus,
        true_tiles=true_tiles,
        true_strict=true_tiles,
        true_loose=true_tiles,
        true_judged_tiles=min(true_tiles, judged),
        verdict=verdict,
        cause=Cause.JUDGED if judged else Cause.DARK,
        causes=(judged, 0, 60 - judged, 0, 0),
        called=((judged, in_focus),) + ((0, 0),) * (len(RATIOS) - 2),
    )


@pytest.fixture
def report() -> dict[str, Any]:
    frames = [
        frame(0, 60, 60, VerdictKind.PASS),
        frame(1, 30, 57, VerdictKind.PASS),
        frame(2, 60, 30, VerdictKind.FAIL),
        frame(3, 60, 0, VerdictKind.CANNOT_JUDGE),
    ]
    model = {"name": "tiny <x>", "version": "1", "sha256": "0"}
    return report_of(frames, Run(4, 1, 640, 480, 0, (2.0, 2.8), 0.06), model, 2.5, 0.5)


def test_the_report_is_plain_json_with_its_goals(report: dict[str, Any]) -> None:
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again["not_judged_frames"] == {"outside": 0, "dark": 1, "glare": 0, "no_detail": 0}
    assert again["tiles"]["judged"] == 180
    found = {goal["figure"]: (goal["found"], goal["met"]) for goal in again["goals"]}
    assert found["error"] == (pytest.approx((0.45 + 0.5) / 3), False)
    assert found["false_open"] == (1.0, False)
    assert found["false_refuse"] == (pytest.approx(2 / 3), False)
    assert found["false_refuse_judged"] == (0.5, False)
    assert [record["verdict"] for record in again["records"]] == ["pass", "pass", "fail", "cannot-judge"]


def test_a_goal_without_frames_is_neither_met_nor_missed() -> None:
    only = report_of(
        [frame(0, 60, 60, VerdictKind.PASS)], Run(1, 1, 640, 480, 0, (2.8,), 0.06), {"name": "m"}, 2.5, 0.5
    )
    assert {goal["figure"]: goal["met"] for goal in only["goals"]}["false_open"] is None


def test_the_page_shows_figures_plots_and_pictures_and_needs_no_other_file(report: dict[str, Any]) -> None:
    page = page_of(report, [Picture(b"jpeg", "scene 1 & more")], [])
    for text in (
        "tiny &lt;x&gt;",
        "not met",
        "1 of 1 frames",
        "<circle",
        "scene 1 &amp; more",
        "data:image/jpeg;base64,anBlZw==",
        "None.",
    ):
        assert text in page
    assert 'src="http' not in page
