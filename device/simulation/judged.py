"""Frames of random worlds, judged by the model and compared with the truth; in worker processes, whatever their number.

Each world is one scene. Its frames are exposed at random moments of the hand's approach, hold and withdrawal, so that
distance and motion are what a hand brings about. The model is told the field of view, as a calibrated device is.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.clock import SECOND
from device.simulation.hand import pose_at
from device.simulation.settings import F_NUMBERS, WorldSettings
from device.simulation.world import Seen, SimulatedWorld, TrueFocus
from models.classifier import Judging
from models.errors import InputError
from models.evaluation.frames import JudgedFrame, counted, wholly_inside
from models.focusmap import Bool, Cause, FieldOfView, FocusMap
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.verdict import verdict_of

RENDERED_WITHIN = 0.06
"""Share of the radius due by which a rendered blur may be out (`render.RADII_PX`): so far the truth itself is open."""

CYCLES = 5
"""Moments are drawn over so many cycles of the hand, which finds its distance anew in each."""

SEED_SHIFT = 32
"""Scenes of different `--seed` never share a world."""

_MOMENTS = 4409
"""Keeps these draws apart from all others that begin with the same seed."""


@dataclass(frozen=True, slots=True)
class SceneTask:
    """One scene to judge; `judging` without a field, which the world gives.

    seed      of the world
    frames    how many of it
    f_numbers which apertures are drawn from
    model     manifest, None for the one shipped; `unsigned` takes it without a signature
    """

    seed: int
    width: int
    height: int
    frames: int
    judging: Judging
    f_numbers: tuple[float, ...] = F_NUMBERS
    model: Path | None = None
    unsigned: bool = False


def world_seed(seed: int, number: int) -> int:
    """The world of scene `number` of a run."""
    return (seed << SEED_SHIFT) + number


def moments_ns(settings: WorldSettings, frames: int) -> list[int]:
    """When the frames of a world are exposed: uniformly over CYCLES cycles of its hand."""
    drawn = np.random.default_rng([settings.seed, _MOMENTS]).uniform(0.0, CYCLES * settings.cycle_s, frames)
    return [round(at_s * SECOND) for at_s in drawn]


def judge_scenes(tasks: Sequence[SceneTask], workers: int) -> Iterator[list[JudgedFrame]]:
    """`judge_scene` of every task, in order, by so many processes.

    Raises InputError if a worker ends without an answer, and what `judge_scene` raises.
    """
    # Not by fork: OpenCV and ONNX Runtime have threads by now, whose locks a forked child would hold for ever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_settle) as pool:
        try:
            yield from pool.map(judge_scene, tasks)
        except BrokenProcessPool:
            raise InputError(
                "a worker was ended from outside, perhaps for want of memory; use fewer --workers"
            ) from None


def _settle() -> None:
    """A worker leaves Ctrl-C to its parent, ends when its parent ends, and has one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """A worker whose parent is killed would wait for its next task for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@lru_cache(maxsize=1)
def _classifier(model: Path | None, unsigned: bool) -> OnnxClassifier:
    """Loaded once a process."""
    return load_classifier(model, threads=1, unsigned=unsigned)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One exposure, what the model says of it, and the truth."""

    seen: Seen
    found: FocusMap
    truth: TrueFocus


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A judged frame in colour, uint8 (H, W, 3), to look at."""

    rgb: NDArray[np.uint8]
    judged: Judged


def judge_scene(task: SceneTask) -> list[JudgedFrame]:
    """Build the task's world and judge its frames. Raises InputError or ModelError as the classifier does."""
    settings = settings_of(task)
    with closing(SimulatedWorld(settings)) as world:
        return [
            _frame_of(settings, number, at_ns, _judge(world, at_ns, task), world.field_of_view)
            for number, at_ns in enumerate(moments_ns(settings, task.frames))
        ]


def show(task: SceneTask, number: int) -> Shown:
    """Frame `number` of the task's scene, made and judged again; the same to the byte."""
    settings = settings_of(task)
    with closing(SimulatedWorld(settings)) as world:
        judged = _judge(world, moments_ns(settings, task.frames)[number], task)
        return Shown(world.still(judged.seen), judged)


def settings_of(task: SceneTask) -> WorldSettings:
    """The task's world."""
    return WorldSettings.varied(task.seed, task.f_numbers, width=task.width, height=task.height)


def _judge(world: SimulatedWorld, at_ns: int, task: SceneTask) -> Judged:
    seen = world.expose(at_ns)
    judging = replace(task.judging, field=world.field_of_view)
    found = _classifier(task.model, task.unsigned).judge(seen.luma, judging, exposed_ns=at_ns)
    return Judged(seen, found, world.truth(found.grid, at_ns))


def _frame_of(settings: WorldSettings, number: int, at_ns: int, judged: Judged, field: FieldOfView) -> JudgedFrame:
    away_mm = pose_at(settings.motion, at_ns / SECOND).distance_mm - settings.focus_distance_mm
    conditions = {
        "tilt, mm": settings.tilt_mm,
        "light": settings.light,
        "gain": judged.seen.exposure.gain,
        "glare, %": settings.glare_percent,
        "motion, px": judged.truth.motion_px,
        "f-number": judged.seen.f_number,
        "out of distance, mm": abs(away_mm),
    }

    def over(found: FocusMap, inside: Bool, whole: JudgedFrame | None) -> JudgedFrame:
        counts: dict[str, Any] = counted(found, judged.truth.blur_px, inside, RENDERED_WITHIN)
        kind, cause = verdict_of(found).kind, found.main_cause
        return JudgedFrame(settings.seed, number, at_ns, conditions, verdict=kind, cause=cause, whole=whole, **counts)

    inner = judged.truth.inside & wholly_inside(field, judged.found.grid)
    within = replace(judged.found, cause=np.where(inner, judged.found.cause, Cause.OUTSIDE).astype(np.uint8))
    return over(judged.found, judged.truth.inside, over(within, inner, None) if inner.any() else None)
