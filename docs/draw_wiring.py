"""Draws docs/images/wiring.svg from the default pins: `python -m docs.draw_wiring`. The PNG is the same picture:

chromium --headless --no-sandbox --hide-scrollbars --window-size=1280,860 --screenshot=docs/images/wiring.png \
    docs/images/wiring.svg
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from device.pins.reserve import PinMap

PICTURE = Path(__file__).parent / "images" / "wiring.svg"
WIDTH, HEIGHT = 1280, 860
TOP, PITCH = 112, 36  # of the header's rows, px
LEFT_X, RIGHT_X = 602, 678  # the odd and the even column of the header

# Physical pin -> name, of the 40-pin header that every Raspberry Pi since the 1 B+ has; numbers are BCM lines.
ODD = ("3.3 V", 2, 3, 4, "GND", 17, 27, 22, "3.3 V", 10, 9, 11, "GND", 0, 5, 6, 13, 19, 26, "GND")
EVEN = ("5 V", "5 V", "GND", 14, 15, 18, "GND", 23, 24, "GND", 25, 8, 7, 1, "GND", 12, "GND", 16, 20, 21)
HEADER: dict[int, int | str] = {}
for row, (odd, even) in enumerate(zip(ODD, EVEN, strict=True)):
    HEADER |= {2 * row + 1: odd, 2 * row + 2: even}
PIN_OF = {name: pin for pin, name in HEADER.items() if isinstance(name, int)}

SERVO_ENABLE = 17  # what docs/board.md proposes for aperture.enable, which has no default

# Okabe-Ito colours; every wire is also named in words, so that nothing depends on colour
GROUND, POWER, SIGNAL, ENABLE = "#000000", "#d55e00", "#0072b2", "#009e73"


def row_y(pin: int) -> int:
    return TOP + (pin - 1) // 2 * PITCH


def pin_x(pin: int) -> int:
    return LEFT_X if pin % 2 else RIGHT_X


def text(
    x: float, y: float, words: str, *, size: int = 15, anchor: str = "start", bold: bool = False, fill: str = "#000"
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}'
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(words)}</text>'


def line(points: list[tuple[float, float]], colour: str, width: float = 2.5) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"/>'


def box(x: float, y: float, width: float, height: float, *, fill: str = "#fff", stroke: str = "#444") -> str:
    look = f'rx="6" fill="{fill}" stroke="{stroke}" stroke-width="2"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {look}/>'


def dot(x: float, y: float, colour: str, radius: float = 4.5) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>'


def resistor(x: float, y: float, value: str, *, upright: bool = False) -> list[str]:
    """Centred on (x, y); its value above it, or beside it when it is upright."""
    width, height = (14, 26) if upright else (46, 16)
    label = text(x + 14, y + 5, value, size=14) if upright else text(x, y - 11, value, size=13, anchor="middle")
    return [box(x - width / 2, y - height / 2, width, height, fill="#f5e6c8"), label]


def header() -> list[str]:
    """Both columns, with the BCM names that the configuration uses."""
    parts = [
        box(LEFT_X - 30, TOP - 30, RIGHT_X - LEFT_X + 60, 20 * PITCH + 24, fill="#e9f2ea", stroke="#2e6b34"),
        text((LEFT_X + RIGHT_X) / 2, TOP - 58, "Raspberry Pi 4 or 5", size=18, anchor="middle", bold=True),
        text((LEFT_X + RIGHT_X) / 2, TOP - 39, "40-pin header, seen from above", size=13, anchor="middle"),
    ]
    for pin in HEADER:
        x, y = pin_x(pin), row_y(pin)
        parts.append(f'<circle cx="{x}" cy="{y}" r="13" fill="#fff" stroke="#666" stroke-width="1.5"/>')
        parts.append(text(x, y + 5, str(pin), size=13, anchor="middle"))
    return parts


def wire(pin: int, x: float, colour: str, name: str) -> list[str]:
    """A level wire from a pin to `x`, with the pin's name at the header's edge."""
    begun = pin_x(pin) + (-13 if pin % 2 else 13)
    side, anchor = (LEFT_X - 38, "end") if pin % 2 else (RIGHT_X + 38, "start")
    return [
        line([(begun, row_y(pin)), (x, row_y(pin))], colour),
        text(side, row_y(pin) - 6, name, size=13, anchor=anchor),
    ]


def bcm(number: int) -> str:
    return f"GPIO{number}"


def servo() -> list[str]:
    """The driver board; its output enable has a pull-up, so that a servo without a program has no pulses either."""
    parts = [box(70, TOP - 22, 250, 5 * PITCH + 44, fill="#eef3fa")]
    for pin, colour, name, terminal in (
        (1, POWER, "3.3 V", "VCC"),
        (3, SIGNAL, "GPIO2, SDA", "SDA"),
        (5, SIGNAL, "GPIO3, SCL", "SCL"),
        (9, GROUND, "GND", "GND"),
        (PIN_OF[SERVO_ENABLE], SIGNAL, bcm(SERVO_ENABLE), "OE"),
    ):
        parts += wire(pin, 320, colour, name)
        parts.append(text(310, row_y(pin) + 5, terminal, anchor="end"))
    parts += [
        text(84, TOP + 14, "PCA9685 servo driver", bold=True),
        text(84, TOP + 34, "address 0x40", size=13),
        text(84, TOP + 66, "V+ from a 5 V, 2 A supply", size=13),
        text(84, TOP + 84, "of its own, grounds joined;", size=13),
        text(84, TOP + 102, "channel 0: aperture servo", size=13),
        text(84, TOP + 134, "only with a motor aperture", size=13, fill="#555"),
    ]
    x, top, bottom = 352, row_y(1), row_y(PIN_OF[SERVO_ENABLE])
    parts += [line([(x, top), (x, bottom)], SIGNAL), dot(x, top, POWER), dot(x, bottom, SIGNAL)]
    return [*parts, *resistor(x, row_y(7), "1 kΩ pull-up", upright=True)]


def buttons(pins: PinMap) -> list[str]:
    """Each to ground; the line is pulled up inside the chip."""
    ground = 25
    parts = [*wire(ground, 110, GROUND, "GND")]
    rail = [(110.0, float(row_y(ground))), (110.0, float(row_y(PIN_OF[pins.override])))]
    parts.append(line(rail, GROUND))
    for number, name in ((pins.capture, "capture"), (pins.override, "override, hold 1.5 s")):
        y = row_y(PIN_OF[number])
        parts += wire(PIN_OF[number], 250, SIGNAL, bcm(number))
        parts += [
            line([(110, y), (200, y)], GROUND),
            line([(202, y - 2), (246, y - 14)], "#000", 3),
            dot(200, y, "#000"),
            dot(250, y, "#000"),
            text(262, y - 8, name, size=14, bold=True),
            dot(110, y, GROUND),
        ]
    parts.append(text(124, row_y(ground) + 24, "push-buttons, normally open", size=13, fill="#555"))
    return parts


def lamp(pins: PinMap) -> list[str]:
    """Common cathode; resistors for about 5 mA at 3.3 V."""
    ground = 39
    first, last = row_y(PIN_OF[pins.lamp_red]), row_y(ground)
    parts = [box(70, first - 20, 150, last - first + 40, fill="#fdf3f3")]
    for number, name, ohms in (
        (pins.lamp_red, "red", "270 Ω"),
        (pins.lamp_green, "green", "47 Ω"),
        (pins.lamp_blue, "blue", "47 Ω"),
    ):
        y = row_y(PIN_OF[number])
        parts += wire(PIN_OF[number], 220, SIGNAL, bcm(number))
        parts += resistor(330, y, ohms)
        parts.append(text(210, y + 5, name, anchor="end"))
    parts += wire(ground, 220, GROUND, "GND")
    parts.append(text(210, last + 5, "common –", anchor="end"))
    parts += [text(82, first + 5, "RGB", bold=True), text(82, first + 24, "lamp", bold=True)]
    return parts


def shutter(pins: PinMap) -> list[str]:
    pin, ground = PIN_OF[pins.shutter], 20
    y, y_ground = row_y(pin), row_y(ground)
    return [
        *wire(pin, 990, ENABLE, bcm(pins.shutter)),
        *wire(ground, 990, GROUND, "GND"),
        box(990, y - 34, 240, y_ground - y + 68, fill="#e8f5f0"),
        text(1004, y + 5, "shutter enable", bold=True),
        text(1004, y_ground + 5, "ground of the shutter", size=14),
        text(1004, y - 14, "3.3 V: enabled, 0 V: disabled", size=12),
        dot(880, y, ENABLE),
        dot(880, y_ground, GROUND),
        *resistor(880, (y + y_ground) / 2, "", upright=True),
        line([(880, y_ground), (880, y_ground + 34)], "#888", 1.5),
        text(880, y_ground + 52, "10 kΩ pull-down: not optional", size=15, anchor="middle", bold=True),
        text(880, y_ground + 71, "it closes the shutter when no program can", size=13, anchor="middle"),
    ]


def buzzer(pins: PinMap) -> list[str]:
    pin, ground = PIN_OF[pins.buzzer], 34
    y, y_ground = row_y(pin), row_y(ground)
    return [
        *wire(pin, 990, SIGNAL, bcm(pins.buzzer)),
        *wire(ground, 990, GROUND, "GND"),
        *resistor(880, y, "220 Ω"),
        box(990, y - 22, 240, y_ground - y + 44, fill="#f6f0fa"),
        text(1004, y + 5, "piezo, passive", bold=True),
        text(1004, y_ground + 5, "(without electronics of its own)", size=13),
    ]


def camera() -> list[str]:
    return [
        box(840, TOP - 40, 390, 106, fill="#fff8e6"),
        text(856, TOP - 14, "Camera", bold=True),
        text(856, TOP + 8, "ribbon cable to the connector marked CAM (Pi 4)", size=14),
        text(856, TOP + 28, "or CAM/DISP 0 (Pi 5, with the 22-pin cable);", size=14),
        text(856, TOP + 48, "only with the power off", size=14),
    ]


def drawing(pins: PinMap) -> str:
    """The whole picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="DejaVu Sans, Verdana, sans-serif">',
        "<title>Wiring of focusgate on a Raspberry Pi</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *header(),
        *servo(),
        *buttons(pins),
        *lamp(pins),
        *shutter(pins),
        *buzzer(pins),
        *camera(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawing(PinMap()), encoding="utf-8")
