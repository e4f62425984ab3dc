"""`focusgate bench` takes turns, counts right, and says plainly which goal is not met. Nothing here depends on time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from device import benchmark
from device.clock import FakeClock
from device.commands import bench
from device.gate import GateState, Mode
from models.baselines.architecture import REPORT_CNN
from models.errors import ExitCode, InputError, ModelError
from models.onnx_classifier import load_classifier

Capsys = pytest.CaptureFixture[str]
Small = Callable[[], None]
TILE_PX = 32


def run(*words: str) -> int:
    top = argparse.ArgumentParser()
    bench.add_parser(top.add_subparsers(required=True))
    arguments = top.parse_args(["bench", *words])
    return int(arguments.run(arguments))


@pytest.fixture
def small_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame of a few tiles, so that the command runs in no time."""
    monkeypatch.setattr(benchmark, "WIDTH_PX", 160)
    monkeypatch.setattr(benchmark, "HEIGHT_PX", 96)


def test_every_function_has_its_turn_in_every_round_and_any_may_follow_any() -> None:
    calls: list[str] = []
    functions: dict[str, Callable[[], object]] = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    clock = FakeClock()
    benchmark.interleaved(functions, clock.now_ns, lambda rounds: rounds < 40)
    counted = calls[3 * benchmark.WARM_UP_ROUNDS :]
    rounds = ["".join(counted[start : start + 3]) for start in range(0, len(counted), 3)]
    assert len(rounds) == 40
    assert set(rounds) == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_a_duration_is_what_passed_on_the_clock_during_the_call() -> None:
    clock = FakeClock()
    functions: dict[str, Callable[[], object]] = {
        "slow": lambda: clock.advance_ns(70),
        "fast": lambda: clock.advance_ns(10),
    }
    assert benchmark.interleaved(functions, clock.now_ns, lambda rounds: rounds < 2) == {
        "slow": [70, 70],
        "fast": [10, 10],
    }


def test_what_takes_seconds_has_few_turns_spread_over_the_rounds() -> None:
    calls: list[str] = []
    often: dict[str, Callable[[], object]] = {"a": lambda: calls.append("a")}
    seldom: dict[str, Callable[[], object]] = {"S": lambda: calls.append("S")}
    clock = FakeClock()
    found = benchmark.interleaved(often, clock.now_ns, lambda rounds: rounds < 60, seldom)
    assert {name: len(turns) for name, turns in found.items()} == {"a": 60, "S": benchmark.SELDOM_TURNS}
    warm_up, counted = calls[: benchmark.WARM_UP_ROUNDS + 1], "".join(calls[benchmark.WARM_UP_ROUNDS + 1 :])
    assert warm_up.count("S") == 1
    between = [len(each) for each in counted.split("S")]
    assert all(abs(each - benchmark.SELDOM_EVERY) <= 1 for each in between[1:-1])
    short = benchmark.interleaved(often, clock.now_ns, lambda rounds: rounds < 1, seldom)
    assert len(short["S"]) == 1


def durations(**over: int) -> dict[str, list[int]]:
    """Three turns of each method, in µs, that meet every goal by a hair; the outer two are outliers."""
    median_us = {
        benchmark.MEMCPY: 500,
        benchmark.FAST_LAPLACIAN: 12_000,
        benchmark.USUAL_LAPLACIAN: 15_000,
        benchmark.BARE: 6_000,
        benchmark.JUDGE: 6_100,
        benchmark.WHOLE: 6_600,
    }
    names = {name.upper(): getattr(benchmark, name.upper()) for name in over}
    median_us |= {names[name.upper()]: value for name, value in over.items()}
    return {name: [value * 900, value * 1000, value * 9000] for name, value in median_us.items()}


def test_ratios_are_those_of_the_medians() -> None:
    rows = {row.name: row for row in benchmark.rows_of(durations())}
    assert rows[benchmark.BARE].median_ms == 6.0
    assert rows[benchmark.BARE].min_ms == 5.4
    assert rows[benchmark.BARE].to_memcpy == 12.0
    assert rows[benchmark.WHOLE].to_bare == pytest.approx(1.1)


def verdicts(memory: benchmark.Memory | None, **over: int) -> list[bool | None]:
    return [goal.met for goal in benchmark.goals_of(benchmark.rows_of(durations(**over)), memory)]


def test_a_goal_at_its_limit_is_met() -> None:
    assert verdicts(benchmark.Memory(100.0, 120.0, 164.0)) == [True, True, True, True, True]


@pytest.mark.parametrize(
    ("over", "peak_mib", "goal"),
    [
        ({"memcpy": 499}, 110.0, 0),
        ({"usual_laplacian": 14_999}, 110.0, 1),
        ({"fast_laplacian": 11_999}, 110.0, 2),
        ({"whole": 6_601}, 110.0, 3),
        ({}, 164.1, 4),
    ],
)
def test_a_goal_just_missed_is_not_met(over: dict[str, int], peak_mib: float, goal: int) -> None:
    found = verdicts(benchmark.Memory(100.0, 105.0, peak_mib), **over)
    assert [index for index, met in enumerate(found) if not met] == [goal]


@pytest.mark.parametrize(("median_us", "met"), [(2_400_000, True), (2_399_999, False)])
def test_the_goal_against_the_reports_network_is_there_only_if_it_took_part(median_us: int, met: bool) -> None:
    assert len(verdicts(None)) == 5
    assert verdicts(None, report=median_us)[5:] == [met]


def test_memory_that_was_not_measured_is_neither_met_nor_missed() -> None:
    assert verdicts(None)[-1] is None


@pytest.mark.parametrize("laplacian", [benchmark.fastest_laplacian, benchmark.usual_laplacian])
def test_both_laplacians_give_the_same_variance_for_every_whole_tile(
    laplacian: Callable[[np.ndarray, int], list[float]], small_frame: None
) -> None:
    frame = benchmark.texture_frame()
    found = laplacian(frame, TILE_PX)
    assert len(found) == 3 * 5
    assert found[6] == pytest.approx(cv2.Laplacian(frame[32:64, 32:64].copy(), cv2.CV_64F).var())


def test_the_frame_is_the_same_every_time_and_full_of_detail(small_frame: None) -> None:
    frame = benchmark.texture_frame()
    assert np.array_equal(frame, benchmark.texture_frame())
    assert (frame.shape, frame.dtype) == ((96, 160), np.uint8)
    assert min(benchmark.usual_laplacian(frame, TILE_PX)) > 100


def test_the_whole_loop_opens_the_gate_after_three_passing_frames(tiny: Path) -> None:
    clock = FakeClock(10**9)
    loop = benchmark.whole_loop(load_classifier(tiny, unsigned=True), clock)
    sharp = np.random.default_rng(4).integers(10, 40, (96, 160)).astype(np.uint8)  # radius < 1 px to the tiny model
    states: list[GateState] = []
    for _ in range(3):
        clock.advance_ns(10**7)
        states.append(loop(sharp))
    assert [state.mode for state in states] == [Mode.CLOSED, Mode.CLOSED, Mode.OPEN]
    clock.advance_ns(10**7)
    assert loop(sharp + np.uint8(150)).mode is Mode.CLOSED


def test_the_table_has_every_method_and_every_goal(tiny: Path, small_frame: None, capsys: Capsys) -> None:
    threads = cv2.getNumThreads()
    assert run("--unsigned", "--model", str(tiny), "--repeats", "2") == ExitCode.OK
    shown = capsys.readouterr().out
    for name in (benchmark.MEMCPY, benchmark.FAST_LAPLACIAN, benchmark.BARE, benchmark.WHOLE, "MiB", "2 turns"):
        assert name in shown
    assert "met" in shown
    assert cv2.getNumThreads() == threads


def test_the_reports_network_takes_part_when_asked(tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    pytest.importorskip("onnx", reason="the report's network is made with the package onnx")
    monkeypatch.setattr(benchmark, "WIDTH_PX", 160)
    monkeypatch.setattr(benchmark, "HEIGHT_PX", 128)
    assert run("--unsigned", "--model", str(tiny), "--repeats", "2", "--report-cnn") == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"(1 of {benchmark.REPORT})" in " ".join(shown.split())
    assert "≥ 400 ×" in shown


def test_without_its_package_the_reports_network_is_left_out_with_a_line(
    tiny: Path, small_frame: None, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.delitem(sys.modules, "models.baselines.graph", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run("--unsigned", "--model", str(tiny), "--repeats", "1", "--report-cnn") == ExitCode.OK
    shown = capsys.readouterr()
    assert benchmark.REPORT not in shown.out
    assert (shown.err.count("\n"), "needs the package onnx" in shown.err) == (1, True)


def test_the_reports_network_looks_at_every_whole_tile() -> None:
    graph = pytest.importorskip("models.baselines.graph", reason="needs the package onnx")
    model = graph.model_of(REPORT_CNN, graph.random_weights(REPORT_CNN, 1))
    found = benchmark.report_cnn(np.zeros((300, 400), np.uint8), model)()
    assert np.shape(found) == (2 * 3, 1)


def test_json_holds_the_same_for_a_program(
    tiny: Path, small_frame: None, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "measure_memory", lambda _: benchmark.Memory(90.0, 100.0, 110.0))
    assert run("--unsigned", "--model", str(tiny), "--seconds", "0.001", "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found["rounds"] == bench.MIN_ROUNDS
    assert found["memory"]["added_mib"] == 20.0
    assert found["methods"][0]["name"] == benchmark.MEMCPY
    assert {"name", "limit", "found", "met"} == set(found["goals"][0])


@pytest.mark.parametrize("words", [("--seconds", "0"), ("--seconds", "nan"), ("--seconds", "1e9"), ("--repeats", "0")])
def test_a_duration_that_cannot_be_is_refused(tiny: Path, words: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=f"{words[0]} .* allowed"):
        run("--unsigned", "--model", str(tiny), *words)


def test_memory_is_measured_in_a_process_of_its_own(tiny: Path) -> None:
    memory = benchmark.measure_memory(tiny)
    if memory is None:
        pytest.skip("only Linux tells the memory of a process")
    assert 0 < memory.before_mib <= memory.peak_mib
    assert memory.added_mib >= 0


def test_memory_is_that_of_loading_and_judging(tiny: Path, small_frame: None) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells the memory of a process")
    memory = benchmark.memory_here(tiny)
    assert 0 < memory.before_mib <= memory.peak_mib
    assert memory.after_mib <= memory.peak_mib


def test_a_process_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells the memory of a process")
    with pytest.raises(ModelError, match="could not be measured") as caught:
        benchmark.measure_memory(tmp_path / "none.json")
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(benchmark, "MEMORY_LIMIT_S", 0.0)
    with pytest.raises(ModelError, match="within 0 s"):
        benchmark.measure_memory(tmp_path / "none.json")
