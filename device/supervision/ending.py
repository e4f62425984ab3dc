"""The safe end: shutter line low, lamp at fault, actuator without power; then the process ends with a known code.

A thread that raised ends the run in good order. A thread that stands still cannot be ended, nor waited for, and may
hold any lock: then the process ends from within, whatever the rest is doing, in END_NS at most.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from device.aperture.protocol import Aperture
from device.clock import MS, SECOND, Clock
from device.notify import notify
from device.pins.protocol import Lamp, Pins, Tone
from device.supervision.faults import STOPPED, THREAD_STUCK, Fault, coded, end_line
from models.errors import ExitCode, FocusgateError

log = logging.getLogger("focusgate")

END_NS = 300 * MS  # from the moment that a thread is found to stand still
GRACE_NS = 200 * MS  # of these, for the recorder and the audit log to bring to an end what they are doing
STDERR = 2
SAFE_S = 0.05  # for lamp and actuator, which may be what hangs


def make_safe(pins: Pins, aperture: Aperture, clock: Clock) -> None:
    """Line low, then lamp at fault and actuator off, as far as they answer. Never raises, and never waits for long."""
    pins.close_shutter()

    def rest() -> None:
        with contextlib.suppress(FocusgateError):
            pins.show(Lamp.FAULT)
            pins.sound(Tone.FAULT)
            pins.tick(clock.now_ns())
        with contextlib.suppress(FocusgateError):
            aperture.close()

    helper = threading.Thread(target=rest, name="make-safe", daemon=True)
    helper.start()
    helper.join(SAFE_S)


def stuck_line(names: tuple[str, ...]) -> str:
    """What is said of threads that stand still."""
    return coded(THREAD_STUCK, f"{', '.join(names)}: no sign of life; the device is started anew")


def end_stuck(
    names: tuple[str, ...],
    safe: Callable[[], None],
    note: Callable[[Fault, str], None],
    clock: Clock,
    leave: Callable[[int], NoReturn] = os._exit,
) -> None:
    """End the process: outputs safe, the reason told everywhere, where each thread stands in the log.

    `note` tells the audit log, whose own thread writes it if it can.
    """
    last_resort = threading.Timer(END_NS / SECOND, leave, (int(ExitCode.STUCK),))
    last_resort.daemon = True
    last_resort.start()
    began_ns = clock.now_ns()
    safe()
    line = stuck_line(names)
    note(THREAD_STUCK, line)
    tell_end(line)
    with contextlib.suppress(OSError):
        faulthandler.dump_traceback(STDERR)
    clock.sleep_until_ns(began_ns + GRACE_NS)
    last_resort.cancel()
    leave(int(ExitCode.STUCK))


def tell_end(line: str) -> None:
    """The reason of an end, with its code, to the log and to the service manager."""
    notify(f"STATUS={line}\nSTOPPING=1")
    log.critical("%s", line)


@contextlib.contextmanager
def told_ends() -> Iterator[None]:
    """Around a run: whatever error ends it has its code in the message, and has been told to the service manager."""
    try:
        yield
    except FocusgateError as error:
        line = end_line(error)
        notify(f"STATUS={line}\nSTOPPING=1")
        raise type(error)(line) from error
    except KeyboardInterrupt:
        line = coded(STOPPED, "stopped")
        notify(f"STATUS={line}\nSTOPPING=1")
        log.info("%s", line)
        raise
    except BaseException as error:
        tell_end(end_line(error))
        raise


@contextlib.contextmanager
def failures_of_any_thread(failed: Callable[[BaseException], None]) -> Iterator[None]:
    """While this lasts, an exception that ends a thread of anybody's (a driver's, a library's) is a failure of ours."""

    def hook(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
            failed(ended.exc_value)

    before = threading.excepthook
    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
