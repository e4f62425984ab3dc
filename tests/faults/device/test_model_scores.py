"""A model that answers with what are no scores, or too late: the gate does not open, nor stay open."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from device.clock import MS, SECOND
from models.classifier import Judging
from models.errors import ModelError
from models.manifest import OUTPUT_NAMES
from models.onnx_classifier import OnnxClassifier
from models.verdict import VerdictKind, verdict_of

ROWS, COLUMNS, EDGES = 2, 3, 5  # tiles of the test camera's frame, and edges of the tiny model
LUMA = np.zeros((64, 96), np.uint8)
NO_SCORES = {
    "NaN": np.nan,
    "-NaN": -np.nan,
    "infinity": np.inf,
    "-infinity": -np.inf,
    "the largest": np.finfo(np.float32).max,
    "the lowest": np.finfo(np.float32).min,
    "1e9": 1e9,
    "256.1": 256.1,
    "a little below 0": -0.01,
    "-1": -1.0,
    "-255": -255.0,
}
ABOVE_ONE = {"1.001": 1.001, "1.5": 1.5, "2": 2.0, "255": 255.0}  # no probability or share, but a luma
ZEROS = {"-0": -0.0, "the smallest denormal": 1e-45, "a denormal": 1e-40}
DELAYS_MS = (*range(0, 400, 50), *range(400, 10_001, 2_400))
DELAYS_MS_IN_FULL = (*range(0, 400, 4), *range(400, 10_001, 24))
RANDOM_RUNS, RANDOM_RUNS_IN_FULL = 3, 60
EVIDENCE_NS = 300 * MS


def scores() -> list[Any]:
    """Outputs of a frame that passes."""
    tiles = (ROWS, COLUMNS)
    cumulative = np.tile(np.array([0.6, 0.9, 0.95, 0.97, 0.99], np.float32), (*tiles, 1))
    return [cumulative, *(np.full(tiles, value, np.float32) for value in (0.9, 90.0, 0.0))]


class Told:
    """In the place of an inference session: gives what it is told to."""

    def __init__(self) -> None:
        self.outputs: Callable[[], Any] = scores

    def run(self, _names: object, _feed: object) -> Any:
        return self.outputs()


@pytest.fixture
def told(sharp_classifier: Any) -> tuple[OnnxClassifier, Told]:
    session = Told()
    return OnnxClassifier(sharp_classifier.manifest, session), session  # type: ignore[arg-type]


def passes(classifier: OnnxClassifier) -> bool:
    """Whether the frame passes."""
    try:
        found = classifier.judge(LUMA, Judging())
    except ModelError:
        return False
    return verdict_of(found).kind is VerdictKind.PASS


def special_cases() -> list[tuple[str, Any]]:
    """Every special value at every place of every output, and in all places at once."""
    cases = []
    for output, name in enumerate(OUTPUT_NAMES):
        values = NO_SCORES if name == "mean_luma" else NO_SCORES | ABOVE_ONE
        for word, value in values.items():
            for place in [*np.ndindex(scores()[output].shape), ...]:
                outputs = scores()
                outputs[output][place] = value
                cases.append((f"{word} in {name} at {place}", outputs))
    return cases


def wrong_forms() -> list[tuple[str, Any]]:
    """Every output in every shape and type but its own, and too many or too few of them."""
    changes: dict[str, Callable[[Any], Any]] = {
        "transposed": lambda found: np.swapaxes(found, 0, 1),
        "flat": np.ravel,
        "one row less": lambda found: found[1:],
        "one column less": lambda found: found[:, 1:],
        "one row more": lambda found: np.concatenate([found, found[:1]]),
        "a batch of one": lambda found: found[None],
        "one axis more": lambda found: found[..., None],
        "without axes": lambda found: np.float32(found.flat[0]),
        "an array without axes": lambda found: np.array(found.flat[0]),
        "empty": lambda found: found[:0],
        "of the size of the frame": lambda _found: np.ones(LUMA.shape, np.float32),
        "a list": lambda found: found.tolist(),
        "none": lambda _found: None,
        "text": lambda _found: "0.9",
        **{
            kind: lambda found, kind=kind: found.astype(kind)
            for kind in ("float16", "float64", "int8", "uint8", "int32", "int64", "bool", "object", "complex64", "U4")
        },
        "of the other byte order": lambda found: found.astype(">f4"),
    }
    cases = []
    for output, name in enumerate(OUTPUT_NAMES):
        for word, change in changes.items():
            outputs = scores()
            outputs[output] = change(outputs[output])
            cases.append((f"{name} {word}", outputs))
    cases += [(f"{count} outputs", (scores() * 2)[:count]) for count in (0, 1, 2, 3, 5, 8)]
    whole = scores()
    cases += [("outputs in another order", [whole[0], whole[2], whole[1], whole[3]])]
    cases += [
        ("one edge less", [whole[0][..., :-1], *whole[1:]]),
        ("one edge more", [np.pad(whole[0], ((0, 0), (0, 0), (0, 1)), "edge"), *whole[1:]]),
    ]
    cases += [("edges that fall", [whole[0][..., ::-1].copy(), *whole[1:]])]
    return cases


@pytest.mark.parametrize("cases", [special_cases, wrong_forms], ids=["special floats", "wrong shapes and types"])
def test_what_are_no_scores_never_passes(
    told: tuple[OnnxClassifier, Told], promise: Callable[..., None], cases: Callable[[], list[tuple[str, Any]]]
) -> None:
    classifier, session = told
    assert passes(classifier)
    opened, tried = [], cases()
    for name, outputs in tried:
        session.outputs = lambda outputs=outputs: outputs
        if passes(classifier):
            opened.append(name)
    kind = "special floats, at every place" if cases is special_cases else "wrong shapes, types and numbers"
    promise(f"model: outputs with {kind}", len(tried), f"{len(opened)} frames pass", "0", met=not opened)
    assert opened == []


def test_zeros_of_every_kind_are_zero(told: tuple[OnnxClassifier, Told], promise: Callable[..., None]) -> None:
    classifier, session = told
    tried, wrong = 0, []
    for output, name in enumerate(OUTPUT_NAMES):
        for word, value in ZEROS.items():
            for place in [*np.ndindex(scores()[output].shape), ...]:
                answers = []
                for each in (0.0, value):
                    outputs = scores()
                    outputs[output][place] = each
                    session.outputs = lambda outputs=outputs: outputs
                    answers.append(passes(classifier))
                tried += 1
                if answers[0] is not answers[1]:
                    wrong.append(f"{word} in {name} at {place}")
    promise("model: outputs of -0 and denormals", tried, f"{len(wrong)} judged unlike 0", "0", met=not wrong)
    assert wrong == []


@pytest.mark.parametrize("good_between", [0, 1, 2])
def test_a_model_that_fails_now_and_then_does_not_open_the_gate(
    make_world: Callable[..., Any],
    told: tuple[OnnxClassifier, Told],
    promise: Callable[..., None],
    good_between: int,
    *,
    full: bool,
) -> None:
    classifier, session = told
    bad = [outputs for _, outputs in special_cases() + wrong_forms()]
    random.Random(good_between).shuffle(bad)
    bad = bad if full else bad[:40]
    left, count = list(bad), 0

    def next_outputs() -> Any:
        nonlocal count
        count += 1
        return scores() if count % (good_between + 1) or not left else left.pop()

    session.outputs = next_outputs
    world = make_world(classifier=classifier)
    end_ns = world.clock.now_ns() + 100 * MS * len(bad) * (good_between + 1)
    world.run(end_ns)
    spans = world.open_spans(end_ns)
    promise(
        f"model: {good_between} good frames between bad outputs",
        len(bad),
        f"opened {len(spans)} times",
        "0",
        met=not spans,
    )
    assert world.failures == []
    assert spans == []
    assert len(left) < 5


def oldest_under_open_gate(world: Any, run_ns: int) -> tuple[int, int]:
    """The age of the evidence, at most, while the gate was open (ns), and how many steps that was looked at."""
    oldest_ns = steps = 0

    def look() -> None:
        nonlocal oldest_ns, steps
        if world.gate.enabled or world.pins.shutter_is_high():
            oldest_ns = max(oldest_ns, world.clock.now_ns() - world.gate.evidence.exposed_ns)
            steps += 1

    world.ticked = look
    world.run(world.clock.now_ns() + run_ns)
    assert world.failures == []
    return oldest_ns, steps


def test_a_classifier_that_takes_from_nothing_to_ten_seconds_keeps_nothing_stale_open(
    make_world: Callable[..., Any], promise: Callable[..., None], so_far: Callable[[float], None], *, full: bool
) -> None:
    delays_ms, oldest_ns, slowest_ms, opened = (DELAYS_MS_IN_FULL if full else DELAYS_MS), 0, 0, 0
    for delay_ms in delays_ms:
        world = make_world(delay_ns=lambda delay_ms=delay_ms: delay_ms * MS)
        age_ns, steps = oldest_under_open_gate(world, SECOND + 5 * delay_ms * MS // 4)
        oldest_ns = max(oldest_ns, age_ns)
        opened += steps > 0
        slowest_ms = max(slowest_ms, delay_ms if steps else 0)
        so_far(delay_ms / delays_ms[-1])
    met = oldest_ns <= EVIDENCE_NS and slowest_ms < 300
    promise(
        "model: delays of 0 to 10 s, the same for each frame",
        len(delays_ms),
        f"open on evidence of {oldest_ns / MS:.0f} ms at most",
        "300 ms",
        met=met,
    )
    assert met
    assert opened >= 1


def test_a_classifier_that_is_sometimes_slow_keeps_nothing_stale_open(
    make_world: Callable[..., Any], promise: Callable[..., None], so_far: Callable[[float], None], *, full: bool
) -> None:
    runs, oldest_ns, looked = (RANDOM_RUNS_IN_FULL if full else RANDOM_RUNS), 0, 0
    for seed in range(runs):
        chance = random.Random(seed)
        world = make_world(
            delay_ns=lambda chance=chance: (
                chance.choice((5, 10, 40, 90, chance.randrange(400), chance.choice((0, 9_000)))) * MS
            )
        )
        age_ns, steps = oldest_under_open_gate(world, 30 * SECOND)
        oldest_ns, looked = max(oldest_ns, age_ns), looked + steps
        so_far((seed + 1) / runs)
    promise(
        "model: delays that change from frame to frame, runs of 30 s",
        runs,
        f"open on evidence of {oldest_ns / MS:.0f} ms at most",
        "300 ms",
        met=oldest_ns <= EVIDENCE_NS,
    )
    assert oldest_ns <= EVIDENCE_NS
    assert looked > 0
