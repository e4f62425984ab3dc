"""The guard as the process that it is: it starts light, holds the line for its lease, and leaves it low."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.clock import MS
from device.guard_client import GuardClient
from device.guard_state import renew_message
from models.errors import HardwareError

PATIENCE_S = 30.0


@dataclass
class Guard:
    """A real guard with a file for a line."""

    path: Path
    levels_file: Path
    process: subprocess.Popen[bytes]
    client: GuardClient

    def levels(self) -> list[tuple[int, int]]:
        lines = self.levels_file.read_text().splitlines() if self.levels_file.exists() else []
        return [(int(at), int(level)) for at, level in (line.split() for line in lines)]

    def until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline_s, f"not reached; levels: {self.levels()}"
            time.sleep(0.002)

    def goes_high(self) -> None:
        def asked() -> bool:
            self.client.renew(time.monotonic_ns() + 150 * MS)
            return self.levels()[-1][1] == 1

        self.until(asked)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    path, levels = tmp_path / "guard.sock", tmp_path / "levels"
    command = [sys.executable, "-m", "device.guard", "--socket", str(path), "--line", f"file:{levels}"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            client = GuardClient(path)
            try:
                assert manager.recv(100) == b"READY=1"
                yield Guard(path, levels, process, client)
            finally:
                process.send_signal(signal.SIGCONT)
                process.kill()
                client.disconnect()


def test_the_guard_needs_none_of_the_heavy_libraries() -> None:
    script = (
        "import device.guard, sys; print(sorted({'numpy', 'cv2', 'onnxruntime', 'pydantic', 'RPi'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_line_falls_when_nobody_renews_it_and_not_before(guard: Guard) -> None:
    guard.goes_high()
    until_ns = time.monotonic_ns() + 100 * MS
    guard.client.renew(until_ns)
    guard.until(lambda: guard.levels()[-1][1] == 0)
    assert guard.levels()[-1][0] >= until_ns
    assert [level for _, level in guard.levels()] == [0, 1, 0]


def test_ending_the_guard_leaves_the_line_low(guard: Guard) -> None:
    guard.goes_high()
    guard.process.send_signal(signal.SIGTERM)
    assert guard.process.wait(PATIENCE_S) == 0
    assert guard.levels()[-1][1] == 0


def test_after_a_kill_one_command_brings_the_line_down_and_the_gate_is_told(guard: Guard) -> None:
    guard.goes_high()
    guard.process.kill()
    guard.process.wait(PATIENCE_S)
    assert guard.levels()[-1][1] == 1
    with pytest.raises(HardwareError, match="is not there"):
        guard.client.renew(time.monotonic_ns() + 100 * MS)
    low = [sys.executable, "-m", "device.guard", "--drive-low", "--socket", str(guard.path)]
    subprocess.run([*low, "--line", f"file:{guard.levels_file}"], check=True, stderr=subprocess.DEVNULL)
    assert guard.levels()[-1][1] == 0


def test_a_guard_that_is_frozen_is_a_fault_for_the_gate_and_opens_nothing_when_it_wakes(guard: Guard) -> None:
    guard.process.send_signal(signal.SIGSTOP)

    def noticed() -> bool:
        try:
            guard.client.renew(time.monotonic_ns() + 150 * MS)
        except HardwareError as error:
            return "takes no messages" in str(error)
        return False

    guard.until(noticed)
    asked_ns = time.monotonic_ns()
    guard.until(lambda: time.monotonic_ns() > asked_ns + 150 * MS)
    guard.process.send_signal(signal.SIGCONT)
    guard.until(lambda: _takes(guard.client))
    guard.process.send_signal(signal.SIGTERM)
    guard.process.wait(PATIENCE_S)
    assert [level for _, level in guard.levels()] == [0]


def _takes(client: GuardClient) -> bool:
    try:
        client.close()
    except HardwareError:
        return False
    return True


def test_a_client_finds_a_new_guard_on_the_old_path(tmp_path: Path) -> None:
    client = GuardClient(tmp_path / "guard.sock")
    with pytest.raises(HardwareError, match=r"start focusgate-guard\.service"):
        client.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "guard.sock"))
        client.renew(7)
        assert server.recv(100) == renew_message(7)
    client.disconnect()
    client.disconnect()
    with pytest.raises(HardwareError):
        client.close()
