"""The console script `focusgate`: finds the command, runs it, and turns every known error into one line."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from importlib.metadata import version

from device.commands import (
    bench,
    calibrate,
    captures,
    check,
    config,
    doctor,
    eval_scenes,
    explain,
    model,
    run,
    seal,
    selftest,
    session,
    status,
    study,
    train,
    update,
    verify,
)
from device.commands import eval as eval_command
from models.errors import ExitCode, FocusgateError

EXAMPLES = """\
examples:
  focusgate run --camera simulated          watch the gate open and close on simulated hardware
  focusgate check photo.jpg folder/         judge real photographs
  focusgate check folder --overlay out      … and draw the tile map on them
  focusgate captures list                   what was saved

exit codes:
  0 all well, or all images pass    1 an image does not pass    2 wrong input, option or configuration
  3 camera    4 model    5 storage    6 pins, lamp or aperture    70 a defect of focusgate
  71 a thread stands still    130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="focusgate",
        description="A focus gate for the Pocket Colposcope: the shutter opens only on frames that are in focus.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"focusgate {version('focusgate')}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        run,
        check,
        calibrate,
        captures,
        verify,
        seal,
        session,
        status,
        explain,
        doctor,
        selftest,
        config,
        bench,
        model,
        eval_command,
        eval_scenes,
        train,
        study,
        update,
    ):
        module.add_parser(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code (`models.errors.ExitCode`)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another, not a traceback
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except FocusgateError as error:
        print(f"focusgate: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("focusgate: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # the reader has gone (`| head`): not an error, but nothing more can be written either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception:  # noqa: BLE001 - a defect must not end with the exit code of an answer
        traceback.print_exc()
        print("focusgate: a defect of focusgate itself; outputs are safe; report what stands above", file=sys.stderr)
        return ExitCode.INTERNAL


if __name__ == "__main__":
    sys.exit(main())
