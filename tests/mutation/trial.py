"""One mutant against its nearest tests, in a child of this process: what is slow to import is imported once."""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest

CPU_FLOOR_S, CPU_FACTOR = 1, 2  # a mutant that needs so much more than the original never ends: a ** in place of a -
WALL_S = 300  # a mutant that waits for ever; the machine may be busy
PREPARED = ("hypothesis.strategies", "pytest_timeout", "_hypothesis_pytestplugin", "_hypothesis_globals")
DEVICE = (
    "numpy",
    "hypothesis.extra.numpy",
    "pydantic",
    "PIL.Image",
    "sqlite3",
    "models.onnx_classifier",
    "models.manifest",
)
DEVICE += ("cryptography.hazmat.primitives.ciphers.aead", "cv2", "onnx")
PLUGINS = ("-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin")
FAST = "mutation"  # a hypothesis profile: a failing example is not made smaller, nor kept
EXAMPLES = 50
MEMORY = Path("/dev/shm")  # noqa: S108 - tests that sync files would wait for a disk


def prepare(*, whole: bool) -> None:
    """Import once what every trial needs and no mutant is part of; `whole`: also what the tests of the device need."""
    for name in PREPARED + (DEVICE if whole else ()):
        importlib.import_module(name)
    from hypothesis import Phase, settings

    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(FAST, deadline=None, database=None, phases=phases, max_examples=EXAMPLES)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    gc.freeze()  # pytest collects garbage again and again, which takes longer than most tests


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads `code` in place of the file's own, and finds itself for that one module."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self._name, self._path, self._code = name, path, code

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> object:
        if name != self._name:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(self._path), is_package=False)


def passes(module: str, code: CodeType, tests: Sequence[str], root: Path, cpu_s: int | None = None) -> tuple[bool, int]:
    """Do all tests pass with this code in the place of the module? And the CPU time that it took, in whole seconds.

    module  path below `root`
    tests   options and paths for pytest
    cpu_s   limit of CPU time; None for none
    """
    folder = _place(root)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = _child(module, code, tests, root, cpu_s)
        finally:
            os._exit(status)
    try:
        status = ended(child)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return status == 0, int(spent_s) + 1


def _place(root: Path) -> Path:
    folder = (MEMORY if MEMORY.is_dir() else root / "build") / f"focusgate-mutant-{os.getpid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def options_for(root: Path) -> list[str]:
    """What pytest is told besides the tests."""
    options = ["-x", "-q", "--tb=no", "--assert=plain", *PLUGINS, "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    return [*options, f"--hypothesis-profile={FAST}", f"--basetemp={_place(root)}/base"]


def quiet() -> None:
    """From here on nothing is read, and nothing is said."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)


def limit_s(spent_s: int) -> int:
    """CPU time that a mutant may take, from what the original took."""
    return CPU_FLOOR_S + CPU_FACTOR * spent_s


def _child(module: str, code: CodeType, tests: Sequence[str], root: Path, cpu_s: int | None) -> int:
    os.setpgid(0, 0)  # what it starts ends with it
    quiet()
    if cpu_s is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    os.chdir(root)
    name = module.removesuffix(".py").replace("/", ".")
    assert name not in sys.modules
    sys.meta_path.insert(0, _Mutated(name, root / module, code))
    return int(pytest.main([*options_for(root), *tests]))


def ended(child: int) -> int:
    """Its exit code, or the signal that ended it; with it ends all that it started."""
    deadline = time.monotonic() + WALL_S
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
    except BaseException:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return signal.SIGKILL
