"""The steps of the self-test. Each drives one kind of part through its protocol and asks what a person saw or did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from device.aperture.protocol import Aperture
from device.clock import MS, SECOND, Clock
from device.debounce import Debounced, debounce
from device.doctor.finding import Finding, failure, ok, skipped
from device.pins.protocol import Buttons, Lamp, Pins, Tone
from models.errors import HardwareError

POLL_NS = 10 * MS
PRESS_LIMIT_NS = 15 * SECOND
RELEASE_LIMIT_NS = 5 * SECOND
TRAVEL_LIMIT_NS = 10 * SECOND  # end to end, at the slowest rate that a driver may be given
TONE_NS = 1 * SECOND  # the longest tone, and a pause
LEASE_NS = 150 * MS
OPEN_NS = 2 * SECOND  # long enough to read a meter

LAMPS = {
    Lamp.STARTING: "white, blinking slowly",
    Lamp.CLOSED: "red, long light and short gaps",
    Lamp.OPEN: "green, steady",
    Lamp.ARMED: "amber, blinking fast",
    Lamp.FAULT: "red, flashing twice and pausing",
    Lamp.CLOSED_LOW: "red, long light, then a short blue one",
    Lamp.OPEN_LOW: "green, winking blue every three seconds",
    Lamp.OFF: "off",
}
TONES = {
    Tone.SAVED: "two tones, rising",
    Tone.SAVED_LOW: "two tones, rising, then a low one",
    Tone.ENDED: "two tones, falling",
    Tone.REFUSED: "one long low tone",
    Tone.ARMED: "two short tones",
    Tone.FAULT: "three low tones",
}
WIRING = "check the wiring (docs/board.md)"


class Person(Protocol):
    """Who watches the device."""

    def look(self, question: str) -> bool:
        """Yes or no."""
        ...

    def press(self, button: str) -> bool:
        """Ask to press and let go of a button; False: nobody is there to press it."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What is tested. `level` reads the shutter-enable line back where that is possible, `fitted` names the buttons."""

    pins: Pins
    aperture: Aperture
    clock: Clock
    level: Callable[[], bool] | None = None
    fitted: tuple[str, ...] = Buttons.__slots__

    def wait(self, duration_ns: int) -> None:
        self.clock.sleep_until_ns(self.clock.now_ns() + duration_ns)


def lamp(bench: Bench, person: Person) -> Iterator[Finding]:
    """Every state of the lamp."""
    for state, looks in LAMPS.items():
        bench.pins.show(state)
        seen = person.look(f"Is the lamp {looks}?")
        yield _seen(f"lamp {state.value}", looks, seen)


def tones(bench: Bench, person: Person) -> Iterator[Finding]:
    """Every tone."""
    for tone, sounds in TONES.items():
        bench.pins.sound(tone)
        bench.wait(TONE_NS)
        yield _seen(f"tone {tone.value}", sounds, person.look(f"Did you hear {sounds}?"))


def buttons(bench: Bench, person: Person) -> Iterator[Finding]:
    """Every button that is fitted: pressed and let go, that one and no other."""
    for name in bench.fitted:
        check = f"button {name}"
        held = _pressed(bench)
        if held:
            yield failure(check, f"{', '.join(held)} pressed before anybody pressed", f"free the button, or {WIRING}")
        elif not person.press(name):
            yield skipped(check, "nobody to press it")
        else:
            yield _press(bench, name, check)


def _press(bench: Bench, name: str, check: str) -> Finding:
    """Wait for a press and its end, debounced as the gate does."""
    states = {button: Debounced() for button in Buttons.__slots__}
    begun_ns = bench.clock.now_ns()
    seen: set[str] = set()
    while bench.clock.now_ns() - begun_ns < PRESS_LIMIT_NS:
        raw = bench.pins.buttons()
        now_ns = bench.clock.now_ns()
        states = {button: debounce(state, getattr(raw, button), now_ns) for button, state in states.items()}
        down = {button for button, state in states.items() if state.pressed}
        seen |= down
        if seen and not down:
            break
        bench.wait(POLL_NS)
    if seen - {name}:
        return failure(check, f"{', '.join(sorted(seen - {name}))} answered", f"two wires are swapped; {WIRING}")
    if not seen:
        return failure(check, f"no press within {PRESS_LIMIT_NS // SECOND} s", WIRING)
    if states[name].pressed:
        return failure(check, f"pressed and never let go within {PRESS_LIMIT_NS // SECOND} s", WIRING)
    return ok(check, "pressed and let go")


def _pressed(bench: Bench) -> list[str]:
    """Buttons that are down, once a press before has had time to end."""
    begun_ns = bench.clock.now_ns()
    while True:
        raw = bench.pins.buttons()
        down = [name for name in Buttons.__slots__ if getattr(raw, name)]
        if not down or bench.clock.now_ns() - begun_ns >= RELEASE_LIMIT_NS:
            return down
        bench.wait(POLL_NS)


def aperture(bench: Bench, person: Person) -> Iterator[Finding]:
    """From where it is to both ends and back: does it say where it is, and does it move?"""
    positions = bench.aperture.f_numbers
    if len(positions) < 2:
        yield skipped("aperture", "fixed")
        return
    begun = bench.aperture.f_number
    for check, steps, due in (
        ("aperture closes", len(positions), positions[-1]),
        ("aperture opens", -len(positions), positions[0]),
    ):
        bench.aperture.move(steps)
        reached = _settled(bench, due)
        if reached != due:
            where = "nowhere that it knows" if reached is None else f"at f/{reached:g}"
            yield failure(check, f"stopped {where} instead of at f/{due:g}", WIRING)
        else:
            yield _seen(check, f"to f/{due:g}", person.look(f"Has the iris moved to f/{due:g}?"))
    if begun in positions:
        bench.aperture.move(positions.index(begun))


def _settled(bench: Bench, due: float) -> float | None:
    """Where the aperture is once it is at `due`, or once its time is over: a driver may move at its own pace."""
    begun_ns = bench.clock.now_ns()
    while bench.aperture.f_number != due and bench.clock.now_ns() - begun_ns < TRAVEL_LIMIT_NS:
        bench.wait(POLL_NS)
    return bench.aperture.f_number


def shutter(bench: Bench, person: Person) -> Iterator[Finding]:
    """High while a lease is renewed, low soon after the last one, with nobody closing it."""
    levels: list[bool] = []
    begun_ns = bench.clock.now_ns()
    while bench.clock.now_ns() - begun_ns < OPEN_NS:
        bench.pins.renew_shutter(bench.clock.now_ns() + LEASE_NS)
        if bench.level is not None:
            levels.append(bench.level())
        bench.wait(LEASE_NS // 3)
    rose = all(levels) and person.look(f"Was the shutter-enable line high (3.3 V) for {OPEN_NS // SECOND} s?")
    yield _seen("shutter line high", "while its lease is renewed", rose)
    bench.wait(2 * LEASE_NS)
    fell = not (bench.level is not None and bench.level()) and person.look("Is it low (0 V) again?")
    yield _seen("shutter line low", "when its lease lapses, without being closed", fell)
    bench.pins.close_shutter()


STEPS: dict[str, Callable[[Bench, Person], Iterator[Finding]]] = {
    "lamp": lamp,
    "tones": tones,
    "buttons": buttons,
    "aperture": aperture,
    "shutter": shutter,
}


def walk(bench: Bench, person: Person, names: tuple[str, ...]) -> Iterator[Finding]:
    """The steps of `names`, in this order; a part that does not answer ends its own step only."""
    for name in names:
        try:
            yield from STEPS[name](bench, person)
        except HardwareError as error:
            yield failure(name, str(error), WIRING)


def _seen(check: str, what: str, seen: bool) -> Finding:
    return ok(check, what) if seen else failure(check, f"not {what}", WIRING)
