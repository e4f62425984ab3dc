"""The supply voltage, as the board's own sensor tells it: too low is a fault while it lasts, and a few seconds more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MS = 1_000_000
SECOND = 1_000_000_000

LOOK_NS = 500 * MS  # the sensor's driver itself asks the firmware every two seconds
HOLD_NS = 5 * SECOND  # a supply that dips under load dips again; the lamp does not flicker with it
SENSORS = Path("/sys/class/hwmon")
DRIVER, ALARM = "rpi_volt", "in0_lcrit_alarm"  # raspberrypi-hwmon, in the kernel since 4.20


@dataclass(frozen=True, slots=True)
class Supply:
    """When it was last too low; None: never."""

    low_ns: int | None = None

    def is_low(self, now_ns: int) -> bool:
        return self.low_ns is not None and now_ns - self.low_ns < HOLD_NS


def supply(before: Supply, alarm: bool, now_ns: int) -> Supply:
    """The supply after one look at the alarm. Pure."""
    return Supply(now_ns) if alarm else before


def find_alarm(sensors: Path = SENSORS) -> Path | None:
    """The alarm of the board's voltage sensor; None where there is none, as on a desk."""
    for name in sorted(sensors.glob("*/name")):
        try:
            if name.read_text(encoding="ascii", errors="replace").strip() == DRIVER:
                return name.with_name(ALARM)
        except OSError:
            continue
    return None


def read_alarm(alarm: Path) -> bool:
    """True while the voltage is too low. A sensor that cannot be read tells nothing, and so no alarm."""
    try:
        return alarm.read_text(encoding="ascii", errors="replace").strip() == "1"
    except OSError:
        return False


class PowerWatch:
    """Looks at the sensor every LOOK_NS. `low`: the supply is too low, or was within the last seconds."""

    def __init__(self, alarm: Callable[[], bool]) -> None:
        self.low = False
        self._alarm = alarm
        self._supply = Supply()
        self._look_at_ns = 0

    def turned(self, now_ns: int) -> bool | None:
        """Whether the supply is too low, if that has changed since the last call; None if not."""
        if now_ns >= self._look_at_ns:
            self._look_at_ns = now_ns + LOOK_NS
            self._supply = supply(self._supply, self._alarm(), now_ns)
        before, self.low = self.low, self._supply.is_low(now_ns)
        return self.low if self.low is not before else None


def power_watch(sensors: Path = SENSORS) -> PowerWatch | None:
    """Of this board; None where it has no such sensor."""
    alarm = find_alarm(sensors)
    return PowerWatch(lambda: read_alarm(alarm)) if alarm is not None else None
