"""`focusgate selftest`: walks through lamp, tones, buttons, aperture and shutter line with a person who watches."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ExitCode, HardwareError, InputError

if TYPE_CHECKING:
    from device.clock import Clock
    from device.config import Config
    from device.doctor.finding import Finding
    from device.pins.protocol import Pins
    from device.pins.simulated import SimulatedPins

STEP_NAMES = ("lamp", "tones", "buttons", "aperture", "shutter")
CONFIG_FILE = Path("/etc/focusgate/focusgate.toml")
PRESS_NS = 200_000_000
TICK_S = 0.01

EXAMPLES = """\
examples:
  sudo systemctl stop focusgate                    first: the service holds the pins
  sudo focusgate selftest                          everything, with the installed configuration
  sudo focusgate selftest --only lamp,buttons      some of it
  focusgate selftest --yes                         nobody is asked; simulated buttons press themselves

exit code: 0 if everything was as it should be, 1 otherwise
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `selftest` to the command line."""
    selftest = subparsers.add_parser(
        "selftest",
        help="walk through lamp, tones, buttons, aperture, shutter line",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    selftest.add_argument("--config", type=Path, metavar="FILE", help=f"configuration (default: {CONFIG_FILE}, if any)")
    selftest.add_argument("--only", metavar="STEPS", help=f"some of {','.join(STEP_NAMES)}, separated by commas")
    selftest.add_argument("--yes", action="store_true", help="ask nobody; take every answer for yes")
    selftest.set_defaults(run=_run)


def chosen(only: str | None) -> tuple[str, ...]:
    """The steps to walk, in their own order. Raises InputError for a name that is none."""
    if only is None:
        return STEP_NAMES
    names = {name.strip() for name in only.split(",") if name.strip()}
    unknown = sorted(names - set(STEP_NAMES))
    if unknown or not names:
        what = ", ".join(unknown) or repr(only)
        raise InputError(f"--only {what}: no such step; allowed: {', '.join(STEP_NAMES)}, separated by commas")
    return tuple(name for name in STEP_NAMES if name in names)


class AtTerminal:
    """A person with a keyboard. The answer is yes unless it begins with n."""

    def look(self, question: str) -> bool:
        return not _answer(f"{question} [Y/n] ").lower().startswith("n")

    def press(self, button: str) -> bool:
        print(f"Press the {button.replace('_', ' ')} button and let go …", flush=True)
        return True


class Nobody:
    """Answers yes; presses simulated buttons, and says of real ones that nobody is there."""

    def __init__(self, pins: SimulatedPins | None) -> None:
        self._pins = pins

    def look(self, _question: str) -> bool:
        return True

    def press(self, button: str) -> bool:
        if self._pins is None:
            return False
        self._pins.press(button, PRESS_NS)
        return True


def _answer(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise InputError(
            "the self-test asks questions and there is nobody to answer; use a terminal, or --yes"
        ) from None


def _run(arguments: argparse.Namespace) -> int:
    from device.backends import source_of
    from device.clock import MonotonicClock
    from device.config import load_config
    from device.doctor.finding import State
    from device.pins.protocol import Buttons
    from device.pins.simulated import SimulatedPins
    from device.selftest.steps import Bench, Person, walk

    names = chosen(arguments.only)
    config = load_config(arguments.config or (CONFIG_FILE if CONFIG_FILE.exists() else None))
    if config.pins.kind != "simulated":
        refuse_beside_the_service()
    clock = MonotonicClock()
    with ExitStack() as stack:
        pins = _pins(config, clock)
        stack.callback(pins.close)
        aperture = source_of(config, clock).aperture
        stack.callback(aperture.close)
        person: Person = AtTerminal()
        level = None
        if isinstance(pins, SimulatedPins):
            level = pins.shutter_is_high
        if arguments.yes:
            person = Nobody(pins if isinstance(pins, SimulatedPins) else None)
        fitted = tuple(name for name in Buttons.__slots__ if config.pins.model_dump().get(name, 0) is not None)
        stack.enter_context(ticking(pins, clock))
        findings = []
        for finding in walk(Bench(pins, aperture, clock, level, fitted), person, names):
            findings.append(finding)
            print(_line(finding), flush=True)
    failed = sum(finding.state is State.FAILURE for finding in findings)
    print(f"{len(findings)} steps, {failed} failed")
    return ExitCode.NOT_PASSED if failed else ExitCode.OK


def _pins(config: Config, clock: Clock) -> Pins:
    from device.backends import pins_of

    return pins_of(config.pins, clock)


@contextmanager
def ticking(pins: Pins, clock: Clock) -> Iterator[None]:
    """Pins play the lamp's rhythm and the tones when they are ticked; that goes on while a person thinks."""
    stop = threading.Event()

    def play() -> None:
        while not stop.wait(TICK_S):
            with suppress(HardwareError):  # the step that needs the silent part says so itself
                pins.tick(clock.now_ns())

    thread = threading.Thread(target=play, name="lamp", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def refuse_beside_the_service() -> None:
    """Raises InputError while the service runs: it holds the pins, and its buttons would save captures."""
    from device.clock import MonotonicClock
    from device.status_file import STATUS_FILE, read_status, stale
    from device.store.origin import read_boot_id

    try:
        record = read_status(STATUS_FILE)
    except InputError:
        return
    if stale(record, MonotonicClock().now_ns(), read_boot_id()) is None:
        raise InputError("the service is running and holds the pins; sudo systemctl stop focusgate, then try again")


def _line(finding: Finding) -> str:
    mend = f" → {finding.mend}" if finding.mend else ""
    return f"{finding.state:8} {finding.check:24} {finding.what}{mend}"
