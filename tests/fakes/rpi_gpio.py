"""A chip with 28 lines that answers like rpi-lgpio's `RPi.GPIO`, for tests; loaded by path from the conftest files."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Line:
    """One line as the chip sees it."""

    direction: int
    pull: int
    driven: bool = False


@dataclass
class FakeRpiGpio:
    """The module's functions as methods. `outside` are the levels that wires force; `history` every level driven."""

    BCM: int = 11
    OUT: int = 0
    IN: int = 1
    LOW: int = 0
    HIGH: int = 1
    PUD_OFF: int = 20
    PUD_DOWN: int = 21
    PUD_UP: int = 22

    lines: dict[int, Line] = field(default_factory=dict)
    outside: dict[int, bool] = field(default_factory=dict)
    history: list[tuple[int, bool]] = field(default_factory=list)
    sounding: dict[int, float] = field(default_factory=dict)
    pitches: list[float] = field(default_factory=list)  # 0.0: silence
    busy: set[int] = field(default_factory=set)
    broken: Exception | None = None
    mode: int | None = None

    @property
    def PWM(self) -> type[FakePwm]:  # noqa: N802 - RPi.GPIO's name
        chip = self

        class Pwm(FakePwm):
            def __init__(self, channel: int, frequency: float) -> None:
                super().__init__(chip, channel, frequency)

        return Pwm

    def setwarnings(self, value: bool) -> None:
        self._work()

    def setmode(self, mode: int) -> None:
        self._work()
        self.mode = mode

    def setup(self, channel: int, direction: int, pull_up_down: int = 20, initial: int | None = None) -> None:
        self._work()
        if self.mode is None:
            raise RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)")
        if channel in self.busy:
            raise RuntimeError("GPIO busy")
        if direction == self.OUT and pull_up_down != self.PUD_OFF:
            raise ValueError("pull_up_down parameter is not valid for outputs")
        self.lines[channel] = Line(direction, pull_up_down, bool(initial))
        if direction == self.OUT:
            self.history.append((channel, bool(initial)))

    def input(self, channel: int) -> int:
        self._work()
        if channel not in self.lines:
            raise RuntimeError("You must setup() the GPIO channel first")
        return int(self.level(channel))

    def output(self, channel: int, value: int) -> None:
        self._work()
        if channel not in self.lines or self.lines[channel].direction != self.OUT:
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        self.lines[channel].driven = bool(value)
        self.history.append((channel, bool(value)))

    def cleanup(self, channels: list[int]) -> None:
        self._work()
        for channel in channels:
            self.lines.pop(channel, None)

    def level(self, channel: int) -> bool:
        """What a meter would show on the line."""
        if channel in self.outside:
            return self.outside[channel]
        line = self.lines.get(channel)
        if line is None:
            return False
        return line.driven if line.direction == self.OUT else line.pull == self.PUD_UP

    def _work(self) -> None:
        if self.broken is not None:
            raise self.broken


class FakePwm:
    """`RPi.GPIO.PWM`."""

    def __init__(self, chip: FakeRpiGpio, channel: int, frequency: float) -> None:
        if channel in chip.sounding:
            raise RuntimeError("A PWM object already exists for this GPIO channel")
        self.chip, self.channel, self.frequency = chip, channel, frequency

    def start(self, duty_percent: float) -> None:
        self.chip._work()
        self.chip.sounding[self.channel] = self.frequency
        self.chip.pitches.append(self.frequency)

    def ChangeFrequency(self, frequency: float) -> None:  # noqa: N802 - RPi.GPIO's name
        self.chip._work()
        self.chip.sounding[self.channel] = frequency
        self.chip.pitches.append(frequency)

    def stop(self) -> None:
        self.chip._work()
        self.chip.sounding.pop(self.channel, None)
        self.chip.pitches.append(0.0)

    def __del__(self) -> None:
        if self.channel in self.chip.sounding:  # rpi-lgpio's stops in any case; this one counts the pitches
            self.stop()
