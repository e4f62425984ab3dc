"""Random worlds judged in workers: the same whatever their number, and by the criterion that is in force."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.clock import SECOND
from device.simulation.judged import (
    CYCLES,
    SceneTask,
    judge_scene,
    judge_scenes,
    moments_ns,
    settings_of,
    show,
    world_seed,
)
from device.simulation.pictured import PANE_WIDTH_PX, four_panes, jpeg_of, truth_map
from models.classifier import Judging
from models.errors import ModelError

WIDTH, HEIGHT = 192, 160
PATIENCE_S = 60


@pytest.fixture
def task(tiny: Path) -> SceneTask:
    return SceneTask(3, WIDTH, HEIGHT, 2, Judging(criterion_px=3.0, threshold=0.4), model=tiny, unsigned=True)


def test_the_figures_do_not_depend_on_the_number_of_workers(tiny: Path) -> None:
    tasks = [SceneTask(world_seed(0, n), WIDTH, HEIGHT, 1, Judging(), model=tiny, unsigned=True) for n in range(3)]
    here = [judge_scene(task) for task in tasks]
    assert list(judge_scenes(tasks, 2)) == here


def test_what_a_worker_refuses_is_told_by_its_parent(tmp_path: Path) -> None:
    tasks = [SceneTask(0, WIDTH, HEIGHT, 1, Judging(), model=tmp_path / "none.json")]
    with pytest.raises(ModelError, match=r"none\.json"):
        list(judge_scenes(tasks, 1))


ENDLESS = """
import multiprocessing, sys
from pathlib import Path
from device.simulation.judged import SceneTask, judge_scenes
from models.classifier import Judging

if __name__ == "__main__":
    tasks = [SceneTask(n, 192, 160, 1, Judging(), model=Path(sys.argv[1]), unsigned=True) for n in range(10**5)]
    for _ in judge_scenes(tasks, 1):
        print(multiprocessing.active_children()[0].pid, flush=True)
"""


def test_a_worker_does_not_outlive_its_parent(tiny: Path, tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS, encoding="utf-8")
    with subprocess.Popen([sys.executable, script, tiny], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        try:
            parent.communicate(timeout=PATIENCE_S)  # the pipe ends when the worker, which holds it too, has ended
        except subprocess.TimeoutExpired:
            os.kill(worker, signal.SIGKILL)
            raise


def test_moments_are_the_same_again_and_lie_within_the_hands_cycles(task: SceneTask) -> None:
    settings = settings_of(task)
    moments = moments_ns(settings, 50)
    assert moments == moments_ns(settings, 50)
    assert moments[:2] == moments_ns(settings, 2)
    assert 0 <= min(moments) < max(moments) <= CYCLES * settings.cycle_s * SECOND


def test_runs_of_other_seeds_share_no_world() -> None:
    assert {world_seed(0, n) for n in range(1000)}.isdisjoint({world_seed(1, n) for n in range(1000)})


def test_truth_and_model_are_held_to_the_same_criterion(task: SceneTask) -> None:
    for number, frame in enumerate(judge_scene(task)):
        judged = show(task, number).judged
        assert (judged.found.criterion_px, judged.found.threshold) == (3.0, 0.4)
        assert np.array_equal(judged.found.cause == 1, ~judged.truth.inside)
        assert frame.true_fraction == judged.truth.fraction(3.0)
        assert frame.estimated == judged.found.fraction
        assert frame.field_tiles == judged.found.total == sum(frame.causes)


def test_the_same_frame_is_counted_again_over_whole_tiles_only(task: SceneTask) -> None:
    for number, frame in enumerate(judge_scene(task)):
        judged = show(task, number).judged
        radius_px = settings_of(task).field_radius * WIDTH
        assert frame.whole is not None
        assert 0 < frame.whole.field_tiles < frame.field_tiles
        assert frame.whole.field_tiles * judged.found.grid.width**2 < np.pi * radius_px**2
        assert frame.whole.true_tiles <= frame.true_tiles
        assert frame.whole.in_focus <= frame.in_focus


def test_a_frame_is_shown_with_the_models_map_and_the_truth(task: SceneTask) -> None:
    shown = show(task, 0)
    truth = truth_map(shown.judged)
    assert truth.fraction == shown.judged.truth.fraction(3.0)
    picture = four_panes(shown)
    assert picture.shape == (2 * round(HEIGHT * PANE_WIDTH_PX / WIDTH), 2 * PANE_WIDTH_PX, 3)
    assert jpeg_of(picture).startswith(b"\xff\xd8")
