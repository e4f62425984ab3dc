"""From nothing to a model that the product loads, on as few pictures as may be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from models.classifier import Judging
from models.errors import ExitCode, InputError
from models.onnx_classifier import load_classifier
from models.training import train
from models.training.plan import Plan, parser, plan_from

FEW = [
    "--samples",
    "100",
    "--more",
    "50",
    "--validation",
    "100",
    "--epochs",
    "1",
    "--head-epochs",
    "2",
    "--hidden",
    "4",
]


def test_it_writes_a_model_that_loads_and_says_how_it_was_made(tmp_path: Path) -> None:
    assert train.main([*FEW, "--workers", "2", "--out", str(tmp_path)]) == ExitCode.OK
    path = tmp_path / "focus-s.json"
    classifier = load_classifier(path, unsigned=True)
    assert classifier.self_test() <= 1.0
    found = classifier.judge(np.random.default_rng(1).integers(0, 256, (256, 384), np.uint8), Judging())
    assert found.p_in_focus.shape == (2, 3)
    said = json.loads(path.read_text(encoding="utf-8"))["training"]
    assert (said["samples"], said["more"], said["head_epochs"]) == (100, 50, 2)
    assert set(Plan.__dataclass_fields__) <= set(said)


@pytest.mark.parametrize("wrong", [["--more", "-1"], ["--head-epochs", "0"], ["--samples", "99"]])
def test_what_cannot_be_trained_is_refused_in_one_line(wrong: list[str]) -> None:
    with pytest.raises(InputError, match=wrong[0]):
        plan_from(parser().parse_args(wrong))
