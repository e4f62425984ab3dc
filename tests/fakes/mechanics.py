"""Irises and what moves them, with the faults that real ones have; loaded by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MS = 1_000_000


@dataclass
class Pca9685Registers:
    """The chip behind `smbus2.SMBus`: 25 MHz oscillator, divider that changes only asleep, 16 channels.

    `written` are all writes; `broken` makes it silent; `power_cycle` is a brown-out.
    """

    address: int = 0x40
    registers: dict[int, int] = field(default_factory=dict)
    written: list[tuple[int, int]] = field(default_factory=list)
    broken: OSError | None = None
    answers_left: int | None = None
    closed: int = 0

    def __post_init__(self) -> None:
        self.power_cycle()

    def power_cycle(self) -> None:
        self.registers = {
            0x00: 0x11,
            0x01: 0x04,
            0xFE: 0x1E,
            **{0x06 + index: 0x10 * (index % 4 == 3) for index in range(64)},
        }

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        self._answer(i2c_addr)
        return self.registers[register]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        self._answer(i2c_addr)
        self.written.append((register, value))
        if register == 0xFE and not self.registers[0x00] & 0x10:
            return  # awake, the divider does not change
        self.registers[register] = value

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: list[int]) -> None:
        assert self.registers[0x00] & 0x20, "without auto-increment all bytes go to one register"
        for offset, value in enumerate(data):
            self.write_byte_data(i2c_addr, register + offset, value)

    def close(self) -> None:
        self.closed += 1

    def pulse_us(self, channel: int) -> float | None:
        """What a servo on `channel` sees; None: nothing."""
        on_l, on_h, off_l, off_h = (self.registers[0x06 + 4 * channel + index] for index in range(4))
        if self.registers[0x00] & 0x10 or off_h & 0x10:
            return None
        count_us = (self.registers[0xFE] + 1) / 25.0
        return ((off_l | off_h << 8) - (on_l | on_h << 8)) * count_us

    def _answer(self, address: int) -> None:
        if self.answers_left is not None:
            self.answers_left -= 1
            if self.answers_left < 0:
                raise OSError(121, "Remote I/O error")
        if self.broken is not None:
            raise self.broken
        if address != self.address:
            raise OSError(121, "Remote I/O error")


def at_every_sleep(clock: Any, follow: Callable[[], None]) -> None:
    """Mechanics move in time: what the lines do within an instant moves nothing."""
    sleep = clock.sleep_until_ns

    def watched(deadline_ns: int) -> None:
        sleep(deadline_ns)
        follow()

    clock.sleep_until_ns = watched


@dataclass
class Servo:
    """A hobby servo and an iris on its lever, seen at every sleep of `clock`; positions in µs of pulse.

    slack        the iris follows the servo only beyond it
    jammed       nothing moves
    us_per_s     its own speed
    """

    bus: Pca9685Registers
    clock: Any
    channel: int = 0
    slack: float = 0.0
    jammed: bool = False
    us_per_s: float = 3000.0
    horn: float = 1500.0
    iris: float = 1500.0
    history: list[tuple[int, float]] = field(default_factory=list)
    at_ns: int = 0

    def __post_init__(self) -> None:
        self.at_ns = self.clock.now_ns()
        at_every_sleep(self.clock, self._follow)

    def _follow(self) -> None:
        now_ns = self.clock.now_ns()
        reach = self.us_per_s * (now_ns - self.at_ns) / 1e9
        self.at_ns = now_ns
        wanted = self.bus.pulse_us(self.channel)
        if wanted is None or self.jammed:
            return
        self.horn += min(max(wanted - self.horn, -reach), reach)
        # Pushed from below, dragged along from above after the slack.
        self.iris = min(max(self.iris, self.horn), self.horn + self.slack)
        self.history.append((now_ns, self.horn))


@dataclass
class SteppedIris:
    """A motor, its end switch and an iris, driven by the lines of a board (either as STEP/DIR/ENABLE or as 4 phases).

    Positions in steps; the switch is closed at 0 and below. `loses` is every so manieth step (0: none).
    """

    lines: tuple[int, ...]
    clock: Any
    switch: int = 25
    position: int = 30
    stop: int = -8
    jammed: bool = False
    backwards: bool = False
    loses: int = 0
    stuck: bool | None = None  # what the switch says whatever happens
    levels: dict[int, bool] = field(default_factory=dict)
    steps: int = 0
    broken: Exception | None = None
    claimed: dict[str, bool | None] = field(default_factory=dict)
    phase: int | None = None

    def __post_init__(self) -> None:
        if len(self.lines) == 4:
            at_every_sleep(self.clock, self._turn_to_phase)

    def claim_input(self, name: str, bcm: int, *, pull_up: bool = True) -> None:
        self.claimed[name] = None

    def claim_output(self, name: str, bcm: int, *, high: bool = False) -> None:
        self.claimed[name] = high
        self.levels[bcm] = high

    def read(self, bcm: int) -> bool:
        assert bcm == self.switch
        return not self.closed  # the switch pulls its line to ground

    @property
    def closed(self) -> bool:
        return self.position <= 0 if self.stuck is None else self.stuck

    @property
    def powered(self) -> bool:
        if len(self.lines) == 3:
            return not self.levels[self.lines[2]]
        return any(self.levels[bcm] for bcm in self.lines)

    def write(self, bcm: int, high: bool) -> None:
        if self.broken is not None:
            raise self.broken
        rising = high and not self.levels[bcm]
        self.levels[bcm] = high
        if len(self.lines) == 3:
            step, direction, enable = self.lines
            if bcm == step and rising and not self.levels[enable]:
                self._turn(1 if self.levels[direction] else -1)

    def _turn_to_phase(self) -> None:
        lit = [index for index, line in enumerate(self.lines) if self.levels.get(line)]
        if lit == [0, 3]:
            phase = 7
        elif len(lit) == 1 or (len(lit) == 2 and lit[1] == lit[0] + 1):
            phase = lit[0] + lit[-1]
        else:
            assert not lit, f"phases {lit} together hold nothing"
            return
        if self.phase is not None and phase != self.phase:
            way = (phase - self.phase + 4) % 8 - 4
            assert abs(way) == 1, f"phases jump from {self.phase} to {phase}"
            self._turn(way)
        self.phase = phase

    def _turn(self, way: int) -> None:
        self.steps += 1
        if self.jammed or (self.loses and self.steps % self.loses == 0):
            return
        self.position = max(self.position + (-way if self.backwards else way), self.stop)
