"""`focusgate check --json` against measured truth: real focal stacks with a mask for every frame.

A tile's truth, by the rule of the data set: known if at least 60 % of its mask pixels are judged (0 or 255, not 128);
of those, in focus if at least 90 % are 255, out of focus if at most 10 % are; anything between counts for nothing.
Balanced accuracy is the mean of the shares of truly sharp tiles called sharp and of truly blurred tiles called blurred,
over the tiles that the model judges.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from device.commands import check
from models.onnx_classifier import load_classifier

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the focal stacks are not part of the project")

KNOWN_SHARE = 0.6
IN_SHARE = 0.9
OUT_SHARE = 0.1


@dataclass(frozen=True)
class Score:
    """Counts over one scene. Unjudged tiles of known truth are counted, but decide nothing."""

    sharp: int
    sharp_right: int
    blurred: int
    blurred_right: int
    known: int

    @property
    def balanced_accuracy(self) -> float:
        return (self.sharp_right / self.sharp + self.blurred_right / self.blurred) / 2

    @property
    def judged_share(self) -> float:
        return (self.sharp + self.blurred) / self.known


def truth_of(mask: NDArray[np.uint8], record: dict[str, Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tiles of the record are truly in focus and which truly out of it; bool of shape (rows, columns) each."""
    tile, scale = record["tile"], mask.shape[1] / record["width"]
    inside = np.zeros((tile["rows"], tile["columns"]), bool)
    outside = np.zeros_like(inside)
    for row, column in np.ndindex(inside.shape):
        top, left = round(row * tile["height"] * scale), round(column * tile["width"] * scale)
        bottom, right = round((row + 1) * tile["height"] * scale), round((column + 1) * tile["width"] * scale)
        cell = mask[top:bottom, left:right]
        known = cell[cell != 128]
        if known.size >= KNOWN_SHARE * cell.size:
            share = np.count_nonzero(known == 255) / known.size
            inside[row, column] = share >= IN_SHARE
            outside[row, column] = share <= OUT_SHARE
    return inside, outside


def score_of(scene: str, capsys: pytest.CaptureFixture[str], *options: str) -> Score:
    """Run `focusgate check --json` on the scene's frames with the shipped model, and compare."""
    top = argparse.ArgumentParser()
    check.add_parser(top.add_subparsers())
    code = check.run(top.parse_args(["check", str(DATA / scene / "frames"), "--json", *options]))
    told = capsys.readouterr()
    assert code in {0, 1}
    assert told.err == ""
    threshold = load_classifier().manifest.threshold
    counts = np.zeros(5, int)
    for line in told.out.splitlines():
        record = json.loads(line)
        with Image.open((DATA / scene / "truth" / Path(record["path"]).name).with_suffix(".png")) as mask:
            inside, outside = truth_of(np.asarray(mask), record)
        judged = np.array(record["judged"])
        sharp = np.array(record["p_in_focus"]) >= threshold
        counts += [
            np.count_nonzero(inside & judged),
            np.count_nonzero(inside & judged & sharp),
            np.count_nonzero(outside & judged),
            np.count_nonzero(outside & judged & ~sharp),
            np.count_nonzero(inside | outside),
        ]
    return Score(*counts.tolist())


@needs_data
@pytest.mark.parametrize(
    ("scene", "least_accuracy", "least_judged"),
    [("stack_pcb_connector", 0.85, 0.6), ("stack_pcb_switch", 0.8, 0.4), ("stack_ring", 0.7, 0.6)],
)
def test_the_maps_agree_with_the_measured_truth(
    scene: str, least_accuracy: float, least_judged: float, capsys: pytest.CaptureFixture[str]
) -> None:
    score = score_of(scene, capsys)
    assert score.balanced_accuracy >= least_accuracy, score
    assert score.judged_share >= least_judged, score


@needs_data
def test_a_stricter_criterion_never_calls_more_tiles_sharp(capsys: pytest.CaptureFixture[str]) -> None:
    strict = score_of("stack_ring", capsys, "--criterion-px", "1.0")
    loose = score_of("stack_ring", capsys, "--criterion-px", "4.0")
    assert strict.sharp_right <= loose.sharp_right
    assert strict.blurred_right >= loose.blurred_right


def test_the_rule_of_truth_needs_known_and_unmixed_tiles() -> None:
    mask = np.full((4, 16), 128, np.uint8)
    mask[:, 0:4] = 255
    mask[:, 4:8] = 0
    mask[:2, 8:12] = 255
    mask[2:, 8:12] = 0
    mask[:2, 12:16] = 255
    record = {"width": 64, "tile": {"width": 16, "height": 16, "rows": 1, "columns": 4}}
    inside, outside = truth_of(mask, record)
    assert inside.tolist() == [[True, False, False, False]]
    assert outside.tolist() == [[False, True, False, False]]
