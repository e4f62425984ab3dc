"""`focusgate run`: the gate itself, with a live display on a terminal and one line per change of state without."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from models.errors import InputError

if TYPE_CHECKING:
    from calibration.profile import Profile
    from device.app import Device
    from device.config import CameraConfig, Config
    from models.classifier import Classifier

log = logging.getLogger("focusgate")

EXAMPLES = """\
examples:
  focusgate run                                      simulated colposcope, live display
  focusgate run --camera files:photos --rate 2       photographs, two a second, over and over
  focusgate run --camera v4l2:0                      USB camera /dev/video0
  focusgate run --seconds 30 --script presses.txt    timed presses, then stop
  focusgate run --seconds 30 --instant --trace t.jsonl   the same on a fake clock, as fast as it goes

a script has one press a line: SECONDS ACTION [HOLD_SECONDS], with the actions capture, override,
aperture-open and aperture-close:
  4.5 capture
  6.0 override 1.7
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run` to the command line."""
    run = subparsers.add_parser(
        "run", help="run the gate", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    run.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML); see 'focusgate config explain'")
    run.add_argument(
        "--camera", metavar="KIND", help="simulated, files:PATH, v4l2:N or picamera2 (default: of the configuration)"
    )
    run.add_argument("--profile", type=Path, metavar="FILE", help="calibration profile of this device (JSON)")
    run.add_argument("--store", type=Path, metavar="DIR", help="where captures are kept")
    run.add_argument("--rate", type=float, metavar="HZ", help="frames a second of a files camera")
    run.add_argument("--once", action="store_true", help="stop at the end of a files camera instead of starting again")
    run.add_argument("--seed", type=int, help="seed of the simulated colposcope")
    run.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds")
    run.add_argument("--script", type=Path, metavar="FILE", help="timed presses")
    run.add_argument("--trace", type=Path, metavar="FILE", help="write one JSON object a judged frame")
    run.add_argument("--picture", type=Path, metavar="FILE.svg", help="save the last display as a picture")
    run.add_argument("--plain", action="store_true", help="log lines instead of the live display")
    run.add_argument("--instant", action="store_true", help="simulated time, as fast as it goes (needs --seconds)")
    run.set_defaults(run=_run)


def camera_config(text: str, base: Config) -> CameraConfig:
    """The camera named on the command line; settings of the same kind in the configuration are kept.

    Raises InputError for a kind that does not exist.
    """
    from device.config import parse_config

    kind, _, rest = text.partition(":")
    values: dict[str, object] = {"kind": kind}
    if base.camera.kind == kind:
        values = base.camera.model_dump()
    if kind == "files":
        values["path"] = rest or values.get("path")
    elif kind == "v4l2":
        values["device"] = int(rest) if rest.isdigit() else rest or 0
    elif kind not in ("simulated", "picamera2"):
        raise InputError(f"--camera {text}: no such camera; allowed: simulated, files:PATH, v4l2:N, picamera2")
    if kind == "files" and not values["path"]:
        raise InputError("--camera files: name what to show, as in --camera files:photos")
    return parse_config({"camera": values}, "--camera").camera


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration file with the options of the command line laid over it, checked as one."""
    from device.config import load_config, parse_config

    config = load_config(arguments.config)
    camera = config.camera if arguments.camera is None else camera_config(arguments.camera, config)
    over: dict[str, object] = {}
    if arguments.rate is not None:
        over["rate_hz"] = arguments.rate
    if arguments.once:
        over["loop"] = False
    if arguments.seed is not None:
        over["seed"] = arguments.seed
    unknown = [name for name in over if name not in type(camera).model_fields]
    if unknown:
        option = {"rate_hz": "--rate", "loop": "--once", "seed": "--seed"}[unknown[0]]
        raise InputError(f"{option} does not go with a {camera.kind} camera; leave it out")
    values = config.model_dump() | {"camera": camera.model_dump() | over}
    return parse_config(values, "command line")


def _run(arguments: argparse.Namespace) -> int:
    from device.supervision.ending import told_ends

    with told_ends():
        return _start(arguments)


def _start(arguments: argparse.Namespace) -> int:
    from contextlib import ExitStack

    from device import app
    from device.audit.journal import Journal, kept
    from device.audit.log import AuditLog
    from device.calibrated import DRIFT_FILE
    from device.clock import FakeClock, MonotonicClock
    from device.recorder import Recorder
    from device.recording import open_recorder, origin_of, store_folder
    from device.script import load_script
    from device.store.files import AUDIT
    from models.classifier import Judging

    if arguments.seconds is not None and not 0.0 < arguments.seconds <= 1e6:
        raise InputError(f"--seconds {arguments.seconds:g} is not possible; allowed: above 0 to 1000000")
    if arguments.instant and arguments.seconds is None:
        raise InputError("--instant needs --seconds: without an end it would fill the disk")
    config = configured(arguments)
    script = load_script(arguments.script) if arguments.script else ()
    classifier = _classifier(config, patient=not arguments.instant)
    classifier, profile, notices = _calibration(arguments, config, classifier)
    with ExitStack() as stack:
        trace = stack.enter_context(_open_trace(arguments.trace)) if arguments.trace else None
        clock = FakeClock() if arguments.instant else MonotonicClock()
        origin = origin_of(clock)
        folder = store_folder(config.store, arguments.store)
        private = (str(folder), str(folder.resolve()), *_paths(config.model_dump()))
        audit = Journal(lambda: AuditLog(folder / AUDIT, origin), clock, origin, private=private)
        stack.enter_context(kept(audit, folder / AUDIT))

        def recorder_of(judging: Judging, profile: Profile | None, camera_id: str) -> Recorder:
            return open_recorder(
                config.store,
                arguments.store,
                classifier=classifier,
                judging=judging,
                profile=profile,
                camera_id=camera_id,
                percent=config.gate.percent,
                clock=clock,
                origin=origin,
                audit=audit,
                patient=not arguments.instant,
            )

        device = app.build(
            config,
            classifier,
            recorder_of,
            clock,
            profile=profile,
            script=script,
            trace=trace,
            audit=audit,
            drift_file=folder / DRIFT_FILE,
        )
        stack.callback(device.close)
        for part, line in notices:
            log.warning("%s", line)
            device.faults.raise_(part, line)
        return _drive(device, config, arguments)


def _classifier(config: Config, *, patient: bool) -> Classifier:
    """The model of the configuration; if it cannot be used, one that judges nothing, so that an override works.

    Raises ModelError instead unless `patient`.
    """
    from device.supervision.faults import MODEL_REFUSED, coded
    from device.supervision.unjudged import NoClassifier
    from models.errors import ModelError
    from models.onnx_classifier import load_classifier

    manifest = Path(config.model.manifest) if config.model.manifest else None
    trusted = Path(config.model.trusted_keys) if config.model.trusted_keys else None
    try:
        return load_classifier(manifest, threads=config.model.threads, keys_folder=trusted)
    except ModelError as error:
        if not patient:
            raise
        why = coded(MODEL_REFUSED, error)
        print(f"focusgate: {why}; an override works", file=sys.stderr)
        return NoClassifier(why)


def _calibration(
    arguments: argparse.Namespace, config: Config, classifier: Classifier
) -> tuple[Classifier, Profile | None, tuple[tuple[str, str], ...]]:
    """The profile, and what is to be told of it. One that cannot be used lets nothing be judged; an override works.

    Raises InputError instead for a run on simulated time.
    """
    from device.calibrated import profile_in_force
    from device.store.origin import Origin
    from device.supervision.faults import PROFILE_REFUSED, coded
    from device.supervision.unjudged import NoClassifier

    named = arguments.profile or config.profile.file
    if not named:
        return classifier, None, ()
    origin = Origin()
    try:
        found = profile_in_force(config, Path(named), origin.wall_now(), clock_is_set=origin.synchronised())
    except InputError as error:
        if arguments.instant:
            raise
        why = coded(PROFILE_REFUSED, error)
        print(f"focusgate: {why}; an override works", file=sys.stderr)
        return NoClassifier(why), None, ()
    return classifier, found.profile, found.notices


def _paths(values: object) -> list[str]:
    """All texts of a configuration that are paths."""
    if isinstance(values, dict):
        return [path for value in values.values() for path in _paths(value)]
    return [values] if isinstance(values, str) and ("/" in values or Path(values).exists()) else []


def _open_trace(path: Path) -> IO[str]:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot write the trace ({error.strerror}); name a file in a folder of yours"
        ) from None


def _drive(device: Device, config: Config, arguments: argparse.Namespace) -> int:
    """Run with the display if there is a terminal, else with log lines; then say how it went."""
    from device import running, terminal

    terminal.stop_on_signals()
    on_screen = not arguments.plain and not arguments.instant and sys.stdin.isatty() and sys.stdout.isatty()
    terminal.log_lines(quiet=on_screen)
    if arguments.instant:
        code = running.run_instantly(device, arguments.seconds)
    elif on_screen:
        with terminal.live(device, config.gate.percent) as on_tick:
            code = running.run_threads(device, arguments.seconds, on_tick)
    else:
        code = running.run_threads(device, arguments.seconds, lambda: True)
    if arguments.picture:
        terminal.save_picture(device, config.gate.percent, arguments.picture)
    print(terminal.summary(device))
    return code
