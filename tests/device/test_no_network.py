"""Whatever would attack a view finds none: the device listens on no network, and its unit could not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ["focusgate.service", "focusgate-guard.service", "focusgate-recover.service"]
WATCHED = """
import socket, sys
LOCAL = {socket.AF_UNIX, socket.AF_NETLINK}

def seen(event, arguments):
    if event == "socket.__new__" and arguments[1] not in LOCAL:
        print("NETWORK", event, arguments[1:], flush=True)

sys.addaudithook(seen)
"""


def run_watched(program: str, *arguments: str) -> str:
    """What the program prints, watched by an audit hook (PEP 578) that names every socket of a network."""
    command = [sys.executable, "-c", WATCHED + program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hook_sees_a_socket_of_the_network() -> None:
    assert "NETWORK" in run_watched("socket.socket(socket.AF_INET).close()")
    assert "NETWORK" not in run_watched("socket.socket(socket.AF_UNIX).close()")


def test_a_whole_run_opens_no_socket_of_the_network(tmp_path: Path) -> None:
    program = "from device.cli import main; raise SystemExit(main(sys.argv[1:]))"
    (tmp_path / "script.txt").write_text("1.0 capture\n")
    said = run_watched(
        program,
        *("run", "--camera", "simulated", "--instant", "--seconds", "2"),
        *("--script", str(tmp_path / "script.txt"), "--store", str(tmp_path / "store")),
        *("--trace", str(tmp_path / "trace.jsonl")),
    )
    assert "NETWORK" not in said
    assert (tmp_path / "trace.jsonl").read_text()


@pytest.mark.parametrize("unit", UNITS)
def test_no_unit_may_speak_to_a_network(unit: str) -> None:
    text = (ROOT / "systemd" / unit).read_text(encoding="utf-8")
    (families,) = re.findall(r"^RestrictAddressFamilies=(.+)$", text, re.MULTILINE)
    assert not {"AF_INET", "AF_INET6", "AF_PACKET"} & set(families.split())
    assert "~" not in families
