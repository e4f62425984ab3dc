"""Checks of the board itself and of the drivers on it, one at a time, without the service."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from rig import MS, level, measured, need, press, release, run, tell, wait_for, when_level

PYTHON = "/opt/focusgate/venv/bin/python"
CAPTURE, OVERRIDE, RED, GREEN, BLUE, BUZZER, SHUTTER = 5, 6, 13, 19, 26, 12, 24  # BCM, docs/board.md
CAMERAS = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
PRESSES = 20
GUARD_DROP_MS = 300.0  # the project's own bound for the line after its gate has died


def boots() -> str:
    """The kernel and systemd are up; units that failed are named."""
    wait_for("systemd to be up", lambda: "starting" not in run("systemctl", "is-system-running", check=False), 120)
    failed = run("systemctl", "--failed", "--no-legend", "--plain").split("\n")[0].strip()
    need(not failed, f"failed: {failed}")
    uptime_s = Path("/proc/uptime").read_text().split()[0]
    return f"kernel {run('uname', '-r').strip()}, up after {float(uptime_s):.0f} s"


def has_54_lines() -> str:
    found = run("gpiodetect").strip()
    need("pinctrl-bcm2711" in found and "54 lines" in found, found)
    need(not level(SHUTTER), "the shutter line is high before anything was installed")
    return found


def i2c_answers() -> str:
    """The stub keeps what is written to the servo driver's address."""
    run("i2cset", "-y", _bus(), "0x40", "0x06", "0x123", "w")
    found = run("i2cget", "-y", _bus(), "0x40", "0x06", "w").strip()
    need(found == "0x0123", found)
    return f"bus {_bus()}"


def _bus() -> str:
    stub = next(line for line in run("i2cdetect", "-l").splitlines() if "stub" in line.lower())
    return stub.split()[0].removeprefix("i2c-")


def versions() -> None:
    """What the checks ran on."""
    packages = (
        "import importlib.metadata as m\nfor n in ('onnxruntime', 'opencv-python-headless', 'numpy', 'rpi-lgpio', "
    )
    packages += "'picamera2', 'pydantic'):\n    print(n, m.version(n))"
    for line in run(PYTHON, "-c", packages).splitlines():
        name, _, version = line.partition(" ")
        tell("version", name=name, detail=version)
    tell("version", name="kernel", detail=run("uname", "-r").strip())
    tell("version", name="systemd", detail=run("systemctl", "--version").splitlines()[0].split()[1])
    tell("version", name="libcamera", detail=run("dpkg-query", "-W", "-f", "${Version}", "libcamera0.4"))
    tell("version", name="Python", detail=run(PYTHON, "-V").split()[1])


def camera_at_full_size() -> str:
    """The driver on real libcamera and picamera2: size, order, no copy of luma, luma and still of one exposure."""
    said = run(PYTHON, "/opt/rig/try_camera.py", "full", "8")
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))  # libcamera speaks as well
    frames = found["frames"]
    need(found["size"] == [2592, 1944], f"size {found['size']}")
    for name in ("id", "exposed_ns"):
        values = [frame[name] for frame in frames]
        need(all(a < b for a, b in pairwise(values)), f"{name} does not rise: {values}")
    need(not any(frame["copied"] for frame in frames), "luma was copied")
    need(all(frame["still"] == [1944, 2592, 3] for frame in frames), "size of the still")
    worst = max(frame["difference"] for frame in frames)
    need(worst < 2.0, f"still and luma differ by {worst:.1f} grey levels: not one exposure")
    details = [frame["detail"] for frame in frames]
    need(max(details) > 3 * min(details), "sharp and blurred pictures look alike")
    return f"{found['id']}, {found['fps']:.1f} frames a second with stills, which agree with luma to {worst:.2f} levels"


def unplug_full_camera() -> None:
    """libcamera decodes the pictures of all its cameras at every start, which takes the board seven seconds of 17."""
    CAMERAS.write_text(CAMERAS.read_text().partition('"Full"')[0])


def edges_reach_rpi_gpio() -> str:
    """A button's edge, by its pull, seen by the driver through the real RPi.GPIO interface."""
    release(CAPTURE)
    with subprocess.Popen([PYTHON, "/opt/rig/try_pins.py", str(CAPTURE)], stdout=subprocess.PIPE, text=True) as reader:
        try:
            need(reader.stdout and reader.stdout.readline().strip() == "ready", "RPi.GPIO does not start")
            delays = []
            for _ in range(PRESSES):
                at_ns = press(CAPTURE)
                seen_ns, seen = map(int, reader.stdout.readline().split())
                need(seen == 0, "a press reads high")
                delays.append((seen_ns - at_ns) / MS)
                release(CAPTURE)
                reader.stdout.readline()
        finally:
            reader.kill()
    return measured("edge → RPi.GPIO, polled every 1 ms", delays)


def guard_alone() -> str:
    """The guard with a client that dies: the line's level falls by the lease, and nobody can hold it longer."""
    program = (
        "import sys, time\nfrom device.guard_client import GuardClient\nclient = GuardClient(sys.argv[1])\n"
        "while True:\n    client.renew(time.monotonic_ns() + 10**10)\n    time.sleep(0.01)"
    )
    socket = "/run/rig-guard.sock"
    drops = []
    with subprocess.Popen([PYTHON, "-m", "device.guard", "--socket", socket, "--pin", str(SHUTTER)]) as guard:
        try:
            wait_for("the guard's socket", Path(socket).exists, 30)
            need(not level(SHUTTER), "the line is high without a lease")
            for _ in range(5):
                with subprocess.Popen([PYTHON, "-c", program, socket]) as client:
                    when_level(SHUTTER, True, 30)
                    time.sleep(0.3)
                    need(level(SHUTTER), "the line fell under a lease that is renewed")
                    killed_ns = time.monotonic_ns()
                    client.kill()
                    drops.append((when_level(SHUTTER, False, 2) - killed_ns) / MS)
        finally:
            guard.terminate()
    need(guard.returncode == 0, f"the guard ended with {guard.returncode}")
    need(not level(SHUTTER), "the line is high after the guard has ended")
    return measured("guard alone: client killed → line low", drops, GUARD_DROP_MS)
