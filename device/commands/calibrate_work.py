"""The actions of `focusgate calibrate` that take pictures."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from calibration.drift import ChartMeasure, deviations
from calibration.optics import chart_result, surroundings_of
from calibration.profile import load_profile
from device.calibrating.camera_rig import CameraRig
from device.calibrating.light_steps import StepFunction, aperture_step, noise_step
from device.calibrating.optics_steps import Progress as Told
from device.calibrating.optics_steps import field_step, scale_step, surroundings_from
from device.calibrating.rig import Rig, Scene
from device.calibrating.threshold_step import threshold_step
from device.calibrating.unit_rig import UnitRig
from device.calibrating.work import STEPS, Work, default_work
from device.clock import MonotonicClock
from device.commands.calibrate import STEP_HELP
from device.commands.calibrate_profiles import finish_profile, profile_path, write_report
from device.commands.run import camera_config
from device.config import Config, SimulatedCameraConfig, load_config, parse_config
from models.classifier import Classifier
from models.errors import ExitCode, FocusgateError, InputError
from models.onnx_classifier import load_classifier

SMALLEST_PX, LARGEST_PX = 384, 4096


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration, with --camera laid over it."""
    config = load_config(arguments.config)
    if arguments.camera is None:
        return config
    camera = camera_config(arguments.camera, config)
    return parse_config(config.model_dump() | {"camera": camera.model_dump()}, "command line")


@contextlib.contextmanager
def opened(arguments: argparse.Namespace, config: Config) -> Iterator[tuple[Rig, Work]]:
    """The rig and the working folder."""
    rig: Rig
    if isinstance(config.camera, SimulatedCameraConfig):
        width, height = size_of(arguments.size)
        rig = UnitRig(arguments.unit_seed, width=width, height=height, tone=arguments.tone or "linear")
        folder = arguments.work or default_work() / f"unit-{arguments.unit_seed}"
    else:
        ask = _print if arguments.yes or not sys.stdin.isatty() else _wait
        widest = getattr(arguments, "widest_f", None)
        rig = CameraRig(
            config, MonotonicClock(), ask, tone=arguments.tone or "srgb", lens=arguments.lens, widest=widest
        )
        folder = arguments.work or default_work()
    try:
        yield rig, Work(folder)
    finally:
        rig.close()


def size_of(text: str) -> tuple[int, int]:
    """Width and height, px. Raises InputError for anything but WxH within limits."""
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isdigit() and SMALLEST_PX <= int(part) <= LARGEST_PX for part in parts):
        return int(parts[0]), int(parts[1])
    raise InputError(f"--size {text}: allowed is WxH, each from {SMALLEST_PX} to {LARGEST_PX}, as in 1296x972")


def _print(line: str) -> None:
    print(line)


def _wait(line: str) -> None:
    input(f"{line} Then press Enter. ")


@contextlib.contextmanager
def progress_of(name: str) -> Iterator[Told]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(name)

        def told(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield told


def classifier_of(config: Config) -> Classifier:
    """The model whose threshold is chosen: the one that will judge."""
    manifest = Path(config.model.manifest) if config.model.manifest else None
    trusted = Path(config.model.trusted_keys) if config.model.trusted_keys else None
    return load_classifier(manifest, threads=config.model.threads, keys_folder=trusted)


def do_step(step: str, rig: Rig, work: Work, config: Config, arguments: argparse.Namespace) -> None:
    """One step with its progress; prints what it found, in sentences."""
    functions: dict[str, StepFunction] = {
        "field": field_step,
        "scale": scale_step,
        "noise": noise_step,
        "aperture": partial(aperture_step, widest=getattr(arguments, "widest_f", None)),
    }
    with progress_of(step) as told:
        if step == "threshold":
            asked = config.calibrate
            lines = threshold_step(
                rig,
                work,
                classifier_of(config),
                told,
                pictures=arguments.pictures or asked.pictures,
                alpha=arguments.alpha or asked.alpha,
                delta=arguments.delta or asked.delta,
                percent=config.gate.percent,
            )
        else:
            lines = functions[step](rig, work, told)
    for line in lines:
        print(f"  {line}")


def step(arguments: argparse.Namespace) -> int:
    """One step alone."""
    config = configured(arguments)
    with opened(arguments, config) as (rig, work):
        print(f"{arguments.step}: {STEP_HELP[arguments.step]}")
        do_step(arguments.step, rig, work, config, arguments)
        print(f"kept in {work.folder}")
    return ExitCode.OK


def whole(arguments: argparse.Namespace) -> int:
    """All steps. One that cannot be done on this device is left out with its reason; a failed one ends the run."""
    if not arguments.operator.strip():
        raise InputError("the profile names who calibrated: say it with --operator")
    config = configured(arguments)
    with opened(arguments, config) as (rig, work):
        for number, name in enumerate(STEPS, start=1):
            print(f"{number} of {len(STEPS)}, {name}: {STEP_HELP[name]}")
            if name in arguments.skip:
                print("  left out")
                continue
            if name in ("noise", "aperture") and not (
                rig.info.sets_exposure and (name == "noise" or rig.info.positions)
            ):
                print("  left out: this camera cannot be told its exposure, or there is no iris to move")
                continue
            try:
                do_step(name, rig, work, config, arguments)
            except FocusgateError as error:
                done = ", ".join(work.parts) or "nothing"
                raise type(error)(
                    f"step {name}: {error} (done so far: {done}; go on with 'focusgate calibrate {name}')"
                ) from None
        finish_profile(arguments, config, work)
        if arguments.report:
            write_report(arguments.report, config, work)
    return ExitCode.OK


def verify(arguments: argparse.Namespace) -> int:
    """One picture of the chart against the profile. Exit code 1 if the device has changed."""
    config = configured(arguments)
    with opened(arguments, config) as (rig, work):
        profile = load_profile(profile_path(arguments.profile, config, work.folder))
        profile.check_matches(rig.info.camera_id, profile.model_sha256 or "", rig.info.serial)
        reference = profile.reference
        if reference is None:
            raise InputError(f"profile {profile.name}: holds nothing to compare with; calibrate anew")
        if "field" in work.parts:
            around = surroundings_from(work)
        else:
            darks, whites = ([rig.take(Scene(what)).luma for _ in range(2)] for what in ("dark", "white"))
            around = surroundings_of(darks, whites, rig.info.tone)
        found = chart_result(rig.take(Scene("chart")).luma, around, rig.info.tone)
        now = ChartMeasure(mtf50=found.mtf50, um_per_px=found.view.um_per_px)
        then = ChartMeasure(mtf50=reference.mtf50, um_per_px=reference.um_per_px)
    worst = ExitCode.OK
    for each in deviations(then, now):
        sign = "ok    " if each.ok else "FAILED"
        print(f"{sign} {each.name}: {each.now:.4g}, at calibration {each.then:.4g} ({100 * each.share:+.1f} %, "
              f"allowed {100 * each.allowed:.0f} %)")  # fmt: skip
        worst = worst if each.ok else ExitCode.NOT_PASSED
    changed = "the device has changed: clean lens and window, set the distance right, try again; then calibrate anew"
    print("the device behaves as calibrated" if worst == ExitCode.OK else changed)
    return worst
