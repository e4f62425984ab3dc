"""What judging costs on this machine, against what nothing can beat (a memcpy) and what everybody uses (a Laplacian).

All contestants take turns in one process and one thread, so that a busy machine slows them alike: absolute times
drift, ratios hold.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from device.clock import Clock
from device.decision import evidence_of
from device.gate import GateState, Inputs, step
from models.baselines.architecture import REPORT_CNN
from models.baselines.runtime import load_session, probabilities
from models.classifier import Judging
from models.errors import ModelError, one_line
from models.focusmap import Luma
from models.onnx_classifier import OnnxClassifier, load_classifier
from models.verdict import DEFAULT_PERCENT

WIDTH_PX, HEIGHT_PX = 2592, 1944  # the full frame of the OV5647
SEED = 20
WARM_UP_ROUNDS = 3
SELDOM_EVERY, SELDOM_TURNS = 10, 3  # what takes seconds takes turn in every tenth round, until it had three
MEMORY_CALLS = 10
MEMORY_LIMIT_S = 120.0
MIB = 1 << 20

MEMCPY = "memcpy of the frame"
FAST_LAPLACIAN = "variance of Laplacian, fastest OpenCV form"
USUAL_LAPLACIAN = "variance of Laplacian, as usually written"
BARE = "bare ONNX Runtime call"
JUDGE = "judge: frame to focus map"
WHOLE = "whole loop: frame to gate state"
REPORT = "the report's CNN, on 128 px tiles"

BARE_OVER_MEMCPY = 12.0
LAPLACIAN_OVER_BARE = 2.5
FASTEST_LAPLACIAN_OVER_BARE = 2.0
WHOLE_OVER_BARE = 1.1
REPORT_OVER_BARE = 400.0
ADDED_MIB = 64.0


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant; ratios are of medians."""

    name: str
    turns: int
    median_ms: float
    min_ms: float
    to_memcpy: float
    to_bare: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a fresh process that holds one frame and has imported everything, MiB.

    before    with no model yet
    after     with the model loaded, self-tested and MEMORY_CALLS frames judged
    peak      the highest it ever was up to then
    """

    before_mib: float
    after_mib: float
    peak_mib: float

    @property
    def added_mib(self) -> float:
        """By the peak, not by what is left in the end: the board must have room for it."""
        return self.peak_mib - self.before_mib


@dataclass(frozen=True, slots=True)
class Goal:
    """What the product promises. `met` is None where it could not be measured."""

    name: str
    limit: str
    found: str
    met: bool | None


def texture_frame(seed: int = SEED) -> Luma:
    """A full frame with detail of every size and a slope of light; no method here takes a short cut on any content."""
    rng = np.random.default_rng(seed)
    frame = np.full((HEIGHT_PX, WIDTH_PX), 110.0, np.float32) + np.linspace(-30, 30, WIDTH_PX, dtype=np.float32)
    for scale in (1, 4, 16):
        coarse = rng.normal(0.0, 12.0, (HEIGHT_PX // scale + 1, WIDTH_PX // scale + 1)).astype(np.float32)
        frame += cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    return np.clip(frame, 0.0, 255.0).astype(np.uint8)


def whole_loop(classifier: OnnxClassifier, clock: Clock, percent: int = DEFAULT_PERCENT) -> Callable[[Luma], GateState]:
    """What the device does with each frame, from its pixels to the state of the gate, as one function."""
    state, frame_id, inputs, judging = GateState(), 0, Inputs(), Judging()

    def run(luma: Luma) -> GateState:
        nonlocal state, frame_id
        frame_id += 1
        found = classifier.judge(luma, judging, frame_id=frame_id, exposed_ns=clock.now_ns())
        state = step(state, evidence_of(found, percent), inputs, clock.now_ns())
        return state

    return run


def fastest_laplacian(luma: Luma, tile_px: int) -> list[float]:
    """Variance of Laplacian in 16-bit integers, tile by tile: each stays in the cache between its two passes."""
    return [cv2.meanStdDev(cv2.Laplacian(tile, cv2.CV_16S))[1].item() ** 2 for tile in _tiles(luma, tile_px)]


def usual_laplacian(luma: Luma, tile_px: int) -> list[float]:
    """`cv2.Laplacian(tile, cv2.CV_64F).var()`, as a thousand programs have it."""
    return [float(cv2.Laplacian(tile, cv2.CV_64F).var()) for tile in _tiles(luma, tile_px)]


def _tiles(luma: Luma, tile_px: int) -> Iterator[Luma]:
    for top in range(0, luma.shape[0] - tile_px + 1, tile_px):
        for left in range(0, luma.shape[1] - tile_px + 1, tile_px):
            yield luma[top : top + tile_px, left : left + tile_px]


def contestants(classifier: OnnxClassifier, frame: Luma, clock: Clock) -> dict[str, Callable[[], object]]:
    """What is timed, each on the same frame."""
    copy = np.empty_like(frame)
    whole, tile_px, judging = whole_loop(classifier, clock), classifier.tile_px, Judging()
    return {
        MEMCPY: lambda: np.copyto(copy, frame),
        FAST_LAPLACIAN: lambda: fastest_laplacian(frame, tile_px),
        USUAL_LAPLACIAN: lambda: usual_laplacian(frame, tile_px),
        BARE: lambda: classifier.bare(frame),
        JUDGE: lambda: classifier.judge(frame, judging),
        WHOLE: lambda: whole(frame),
    }


def report_cnn(frame: Luma, model: bytes) -> Callable[[], object]:
    """The report's network, as ONNX, on every whole tile of the frame. Raises ModelError if it cannot be loaded."""
    session = load_session(model)
    return lambda: probabilities(session, np.stack(list(_tiles(frame, REPORT_CNN.input_px))))


def interleaved(
    functions: Mapping[str, Callable[[], object]],
    now_ns: Callable[[], int],
    keep_on: Callable[[int], bool],
    seldom: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, list[int]]:
    """Durations (ns) per function: rounds in which each runs once, in an order of their own.

    In a fixed order each would always find the caches as the same other one left them.
    `keep_on(rounds)` says whether to begin one more round; warm-up rounds come first and are not counted. `seldom`
    warm up once and take part in every SELDOM_EVERY-th round from the first on, SELDOM_TURNS times.
    """
    order = np.random.default_rng(SEED)
    everything = {**functions, **(seldom or {})}
    durations: dict[str, list[int]] = {name: [] for name in everything}
    for name, function in everything.items():
        for _ in range(WARM_UP_ROUNDS if name in functions else 1):
            function()
    rounds = 0
    while keep_on(rounds):
        turn, between = divmod(rounds, SELDOM_EVERY)
        taking_part = everything if not between and turn < SELDOM_TURNS else functions
        for name in order.permutation(list(taking_part)).tolist():
            begun_ns = now_ns()
            everything[name]()
            durations[name].append(now_ns() - begun_ns)
        rounds += 1
    return durations


def rows_of(durations: Mapping[str, list[int]]) -> list[Row]:
    """The table; ratios to the medians of MEMCPY and BARE."""
    median_ns = {name: statistics.median(values) for name, values in durations.items()}
    return [
        Row(
            name=name,
            turns=len(durations[name]),
            median_ms=median / 1e6,
            min_ms=min(durations[name]) / 1e6,
            to_memcpy=median / median_ns[MEMCPY],
            to_bare=median / median_ns[BARE],
        )
        for name, median in median_ns.items()
    ]


def goals_of(rows: list[Row], memory: Memory | None) -> list[Goal]:
    """What was promised against what was found."""
    by_name = {row.name: row for row in rows}

    def at_most(name: str, found: float, limit: float) -> Goal:
        return Goal(name, f"≤ {limit:g} ×", f"{found:.2f} ×", found <= limit)

    def at_least(name: str, found: float, limit: float) -> Goal:
        return Goal(name, f"≥ {limit:g} ×", f"{found:.2f} ×", found >= limit)

    added = None if memory is None else memory.added_mib
    cnn = by_name.get(REPORT)
    return [
        at_most("bare call against memcpy", by_name[BARE].to_memcpy, BARE_OVER_MEMCPY),
        at_least(
            "Laplacian as usually written against bare call", by_name[USUAL_LAPLACIAN].to_bare, LAPLACIAN_OVER_BARE
        ),
        at_least(
            "Laplacian in its fastest form against bare call",
            by_name[FAST_LAPLACIAN].to_bare,
            FASTEST_LAPLACIAN_OVER_BARE,
        ),
        at_most("whole loop against bare call", by_name[WHOLE].to_bare, WHOLE_OVER_BARE),
        Goal(
            "memory added by the model, at its peak",
            f"≤ {ADDED_MIB:g} MiB",
            "not measured here" if added is None else f"{added:.1f} MiB",
            None if added is None else added <= ADDED_MIB,
        ),
        *([] if cnn is None else [at_least("the report's CNN against bare call", cnn.to_bare, REPORT_OVER_BARE)]),
    ]


def measure_memory(manifest: Path | None) -> Memory | None:
    """Added memory, measured in a fresh process; None where the system does not tell (only Linux does).

    Raises ModelError if that process fails.
    """
    if not Path("/proc/self/status").exists():
        return None
    arguments = [sys.executable, "-m", "device.benchmark", *([] if manifest is None else [str(manifest)])]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=MEMORY_LIMIT_S, check=True)
        return Memory(**json.loads(done.stdout))
    except subprocess.CalledProcessError as error:
        reason = one_line(error.stderr[-200:])
        raise ModelError(f"the memory of the model could not be measured ({reason}); run it again") from None
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"the memory of the model was not measured within {MEMORY_LIMIT_S:g} s; run it again"
        ) from None


def memory_here(manifest: Path | None) -> Memory:
    """Load the model and judge frames in this process; meaningful in a fresh one only."""
    frame = np.random.default_rng(SEED).integers(0, 256, (HEIGHT_PX, WIDTH_PX), dtype=np.uint8)  # made without a peak
    before_mib = _resident_mib("VmRSS")
    classifier = load_classifier(manifest, unsigned=True)  # verified, or not, by who asked for this
    for _ in range(MEMORY_CALLS):
        classifier.judge(frame, Judging())
    return Memory(before_mib, _resident_mib("VmRSS"), max(_resident_mib("VmHWM"), before_mib))


def _resident_mib(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise ModelError(f"/proc/self/status has no {key}; memory cannot be measured on this system")


def machine() -> dict[str, str]:
    """What it ran on: processor and versions."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
        processor = named[0] if named else processor
    packages = {name: version(name) for name in ("onnxruntime", "opencv-python-headless", "numpy")}
    return {"processor": processor, "machine": platform.machine(), "python": platform.python_version(), **packages}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(memory_here(Path(sys.argv[1]) if len(sys.argv) > 1 else None))))
