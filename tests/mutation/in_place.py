"""Mutants of functions, one after the other in one session of pytest: collected once, tried in a child for each mutant.

Whoever holds a function of the module goes on holding it: its code is exchanged in place. So only a change within the
body of a function can be tried so; `device.gate.DEFAULTS` and the like are made when a module is imported.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from mutants import Mutant
from trial import ended, limit_s, options_for, quiet

KILLED, SURVIVED, BROKEN = b"k", b"s", b"b"


def within_a_function(mutant: Mutant) -> bool:
    """Whether its change is in the body of a function, below its signature."""
    return mutant.line in _bodies(mutant.source)


@cache
def _bodies(source: str) -> frozenset[int]:
    """The lines of all bodies."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return frozenset(line for node in functions for line in range(node.body[0].lineno, (node.end_lineno or 0) + 1))


def survivors(path: str, codes: Sequence[CodeType], tests: Sequence[str], root: Path) -> Iterator[bool]:
    """For each code, in order: do all tests pass with its functions in the module at `path`?

    Raises RuntimeError if they fail with those that are there.
    """
    hear, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(hear)
            quiet()
            os.chdir(root)
            pytest.main([*options_for(root), *tests], plugins=[_Loop(_name(path), codes, told)])
        finally:
            os._exit(0)
    os.close(told)
    with os.fdopen(hear, "rb", buffering=0) as results:
        if results.read(1) != SURVIVED:
            raise RuntimeError(f"{path}: its tests fail without any mutant")
        for _ in codes:
            result = results.read(1)
            if not result:
                raise RuntimeError(f"{path}: its tests ended before the last mutant")
            yield result == SURVIVED
    os.waitpid(child, 0)


def _name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


class _Loop:
    """A plugin of pytest: instead of running the collected tests once, it runs them for each mutant."""

    def __init__(self, name: str, codes: Sequence[CodeType], told: int) -> None:
        self._name, self._codes, self._told = name, codes, told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        module = importlib.import_module(self._name)
        spent_s = self._try(session, lambda: None, None)
        for code in self._codes:
            self._try(session, lambda code=code: exchange(module, code), limit_s(spent_s))
        return True

    def _try(self, session: pytest.Session, prepare: Callable[[], None], cpu_s: int | None) -> int:
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setpgid(0, 0)  # what it starts ends with it
                if cpu_s is not None:
                    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
                prepare()
                status = _run(session)
            finally:
                os._exit(status)
        os.write(self._told, SURVIVED if ended(child) == 0 else KILLED)
        return int(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) + 1


def _run(session: pytest.Session) -> int:
    """The collected tests up to the first that fails."""
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0 if session.items else 1


def exchange(module: ModuleType, code: CodeType) -> None:
    """Give every function of the module the code that it has in `code`, which is the module's, changed."""
    space = {"__name__": module.__name__, "__file__": module.__file__}
    sys.modules[module.__name__] = changed = ModuleType(
        module.__name__
    )  # dataclasses look for the module that they are in
    changed.__dict__.update(space)
    exec(code, changed.__dict__)  # noqa: S102 - a mutant is a program
    sys.modules[module.__name__] = module
    _exchange(vars(module), vars(changed), module.__name__)


def _exchange(old: dict[str, object], new: dict[str, object], owner: str) -> None:
    for name, made in new.items():
        there = old.get(name)
        if isinstance(made, type) and isinstance(there, type) and made.__module__ == owner:
            _exchange(dict(vars(there)), dict(vars(made)), owner)
        else:
            for one, other in zip(_functions(there), _functions(made), strict=False):
                if other.__module__ == owner:
                    one.__code__ = other.__code__


def _functions(value: object) -> list[FunctionType]:
    """The plain functions behind a property, a class method or a decorator."""
    if isinstance(value, property):
        return [one for part in (value.fget, value.fset) for one in _functions(part)]
    plain = inspect.unwrap(getattr(value, "__func__", value)) if callable(value) or hasattr(value, "__func__") else None
    return [plain] if isinstance(plain, FunctionType) else []
