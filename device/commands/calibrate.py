"""`focusgate calibrate …`: from a box of parts to a profile that says what is in focus on this very device."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

EXAMPLES = """\
examples:
  focusgate calibrate chart --out chart.pdf            print it at true scale; its ruler checks the print
  focusgate calibrate run --operator "T. 12"           all steps in order, with what to do at each
  focusgate calibrate run --camera simulated --unit-seed 7 --operator me --report report.html
                                                       the same on a simulated device of unknown parameters
  focusgate calibrate field                            one step alone; each keeps its result in the working folder
  focusgate calibrate threshold --pictures 300         … and can be repeated
  focusgate calibrate finish --operator "T. 12" --key ~/keys/private.pem
                                                       the profile of all steps, signed and installed
  focusgate calibrate report --out report.html         one page with pictures, pass and fail
  focusgate calibrate check                            may this profile be used, here and now?
  focusgate calibrate diff profile.0001.json profile.0002.json
  focusgate calibrate verify                           two minutes: does the device still behave as calibrated?
"""

STEP_HELP = {
    "field": "dark level, hot pixels, field of view, flat field (lens cap, white paper)",
    "scale": "scale, resolution over the field, through-focus curve, criterion (printed chart)",
    "noise": "photon transfer at several gains (white paper, lens cap)",
    "aperture": "position of the iris to f-number, play, limits (white paper)",
    "threshold": "operating point with a guarantee, temperature (printed texture)",
}

_Run = Callable[[argparse.Namespace], int]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `calibrate` to the command line."""
    calibrate = subparsers.add_parser(
        "calibrate",
        help="calibrate this device, look at its profile, see whether it drifts",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = calibrate.add_subparsers(title="actions", metavar="ACTION", required=True)
    chart = actions.add_parser("chart", help="write the charts as PDF", description="Write the charts as PDF.")
    chart.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PDF")
    chart.add_argument("--paper", default="A4", help="A4, A5 or Letter (default: A4)")
    chart.set_defaults(run=_chart)
    _add_measuring(actions)
    _add_profiles(actions)


def _add_measuring(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What takes pictures: each step, all of them, and the check for drift."""
    for name, summary in STEP_HELP.items():
        step = actions.add_parser(name, help=summary, description=f"One step: {summary}.")
        _device_options(step)
        _step_options(step, name)
        step.set_defaults(run=_runner("step"), step=name)
    whole = actions.add_parser(
        "run", help="all steps in order, then the profile", description="All steps in order, then the profile."
    )
    _device_options(whole)
    _step_options(whole, "aperture")
    _step_options(whole, "threshold")
    _profile_options(whole)
    whole.add_argument("--report", type=Path, metavar="FILE", help="write the report (HTML) as well")
    whole.add_argument("--skip", action="append", default=[], choices=("noise", "aperture"), help="leave a step out")
    whole.set_defaults(run=_runner("whole"))
    verify = actions.add_parser(
        "verify",
        help="one picture of the chart: does the device still behave as calibrated?",
        description="Measure one picture of the chart and compare with the profile.",
    )
    _device_options(verify)
    verify.add_argument("--profile", type=Path, metavar="FILE", help="profile (default: of the configuration)")
    verify.set_defaults(run=_runner("verify"))


def _add_profiles(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What reads and writes profiles."""
    finish = actions.add_parser(
        "finish", help="make the profile of all steps", description="Make, sign and install the profile of all steps."
    )
    finish.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML)")
    finish.add_argument("--work", type=Path, metavar="DIR", help="working folder")
    _profile_options(finish)
    finish.set_defaults(run=_runner("finish"))
    report = actions.add_parser("report", help="the report (HTML)", description="One page of everything measured.")
    report.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML), for the limits")
    report.add_argument("--work", type=Path, metavar="DIR", help="working folder")
    report.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page")
    report.set_defaults(run=_runner("report"))
    show = actions.add_parser("show", help="what a profile holds", description="Print what a profile holds.")
    show.add_argument("profile", type=Path, nargs="?", help="profile (default: of the configuration)")
    show.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML)")
    show.set_defaults(run=_runner("show"))
    diff = actions.add_parser("diff", help="what differs between two profiles", description="Compare two profiles.")
    diff.add_argument("before", type=Path)
    diff.add_argument("after", type=Path)
    diff.set_defaults(run=_runner("diff"))
    check = actions.add_parser(
        "check", help="may a profile be used, here and now?", description="Check signature, device, model and dates."
    )
    check.add_argument("profile", type=Path, nargs="?", help="profile (default: of the configuration)")
    check.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML)")
    check.set_defaults(run=_runner("check"))


def _device_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration (TOML)")
    parser.add_argument("--camera", metavar="KIND", help="simulated, files:PATH, v4l2:N or picamera2")
    parser.add_argument("--unit-seed", type=int, default=1, metavar="N", help="which simulated device (default: 1)")
    parser.add_argument("--size", default="1296x972", metavar="WxH", help="its picture, px (default: 1296x972)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="working folder (default: below the user's state)")
    parser.add_argument("--tone", choices=("linear", "srgb"), help="curve of the camera's luma (default: linear "
                        "if simulated, else srgb)")  # fmt: skip
    parser.add_argument("--lens", default="not named", help="what the lens is called")
    parser.add_argument("--yes", action="store_true", help="do not wait for Enter before a picture")


def _step_options(parser: argparse.ArgumentParser, step: str) -> None:
    if step == "aperture":
        parser.add_argument(
            "--widest-f", type=float, metavar="N", help="f-number of the widest opening, as on the lens"
        )
    if step == "threshold":
        parser.add_argument("--pictures", type=int, metavar="N", help="pictures of the texture")
        parser.add_argument("--alpha", type=float, metavar="A", help="largest false-in-focus rate")
        parser.add_argument("--delta", type=float, metavar="D", help="chance that it is larger all the same")


def _profile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operator", default="", metavar="WHO", help="who calibrates; stands in the profile")
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key (PEM) that signs the profile")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="where it is installed (default: of the "
                        "configuration, else in the working folder)")  # fmt: skip


def _chart(arguments: argparse.Namespace) -> int:
    from calibration.charts.page import write_chart
    from models.errors import ExitCode

    pages = write_chart(arguments.out, arguments.paper)
    print(f"{arguments.out}: {pages} {'page' if pages == 1 else 'pages'}; print at 100 % (no scaling), then measure "
          "the ruler: 100 mm must be 100 mm")  # fmt: skip
    return ExitCode.OK


def _runner(name: str) -> _Run:
    """The function of this name in `calibrate_work`, which is heavy and imported when it runs."""

    def run(arguments: argparse.Namespace) -> int:
        from device.commands import calibrate_profiles, calibrate_work

        module = calibrate_work if name in ("step", "whole", "verify") else calibrate_profiles
        found: _Run = getattr(module, name)
        return found(arguments)

    return run
