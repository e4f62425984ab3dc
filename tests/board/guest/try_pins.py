"""Polls one button by the project's own driver every millisecond and says when it changes, monotonic ns."""

from __future__ import annotations

import sys
import time

from device.pins.rpi import RpiGpio

POLL_S = 0.001


def main(bcm: int) -> None:
    gpio = RpiGpio()
    gpio.claim_input("button", bcm)
    before = gpio.read(bcm)
    sys.stdout.write("ready\n")
    while True:
        sys.stdout.flush()
        time.sleep(POLL_S)
        now = gpio.read(bcm)
        if now is not before:
            sys.stdout.write(f"{time.monotonic_ns()} {int(now)}\n")
            before = now


if __name__ == "__main__":
    main(int(sys.argv[1]))
