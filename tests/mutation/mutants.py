"""The mutants of a module, as cosmic-ray makes them: one small change of the code each.

A change within an annotation is no change of the code (`from __future__ import annotations`) and is left out, except
where pydantic reads annotations: those of the fields of its models count.
"""

from __future__ import annotations

import ast
import pickle
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import CodeType

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator, operator_names

Position = tuple[int, int]  # line from 1, column from 0


@dataclass(frozen=True)
class Mutant:
    """The `occurrence`-th place in `source` where `operator` changes something."""

    path: str
    source: str
    operator: str
    occurrence: int
    line: int

    @cached_property
    def mutated(self) -> str:
        changer = MutationVisitor(self.occurrence, get_operator(self.operator)())
        return str(changer.walk(pickle.loads(_tree(self.source))).get_code())  # noqa: S301 - of our own making

    @property
    def is_possible(self) -> bool:
        """False for an exception with a dotted name, which cosmic-ray offers to replace and then fails at."""
        try:
            return bool(self.mutated)
        except AttributeError:
            return False

    @cached_property
    def change(self) -> tuple[str, str]:
        """The changed lines before and after, as one line each."""
        before, after = self.source.splitlines(), self.mutated.splitlines()
        same = next(count for count, (was, now) in enumerate(zip(before, after, strict=False)) if was != now)
        more = len(after) - len(before)
        end = next((at for at in range(len(before), same, -1) if before[at - 1] != after[at + more - 1]), same)
        return _joined(before[same:end]), _joined(after[same : end + more])

    def code(self) -> CodeType | None:
        """Compiled; None if it is no Python."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "is" with a number is what a mutant may say
            try:
                return compile(self.mutated, self.path, "exec", dont_inherit=True)
            except SyntaxError:
                return None


@cache
def _tree(source: str) -> bytes:
    """Parsed once, and copied for each mutant: eight times as fast as parsing it anew."""
    return pickle.dumps(get_ast(source))


def _joined(lines: list[str]) -> str:
    return " ".join(map(str.strip, lines))


def mutants(path: str, root: Path) -> Iterator[Mutant]:
    """All mutants of the module at `path` below `root`, in no order that matters; two may be the same change."""
    source = (root / path).read_text(encoding="utf-8")
    tree, silent = get_ast(source), list(_annotations(source))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():
            continue  # no such operator is asked for
        places = (place for node in ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(begin <= start < end for begin, end in silent):
                mutant = Mutant(path, source, name, occurrence, start[0])
                if mutant.is_possible:
                    yield mutant


def _annotations(source: str) -> Iterator[tuple[Position, Position]]:
    """Where annotations begin and end that nothing reads."""
    tree = ast.parse(source)
    fields_count = any(isinstance(node, ast.ImportFrom) and node.module == "pydantic" for node in ast.walk(tree))
    for node in ast.walk(tree):
        found: Iterable[ast.expr | None] = ()
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
            found = (node.returns, *(one.annotation for one in every if one is not None))
        elif isinstance(node, ast.AnnAssign) and not fields_count:
            found = (node.annotation,)
        for one in found:
            if one is not None:
                yield (one.lineno, one.col_offset), (one.end_lineno or 0, one.end_col_offset or 0)
