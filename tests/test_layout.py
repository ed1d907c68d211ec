"""Files and functions stay short enough to read, and every file says what it is for.

The limits: a file has at most 500 lines; a function, docstring aside, at most 60. What is longer stands in
a table below with its reason; an entry that is no longer needed fails too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("onegraph", "tests", "bench", "examples", "docs")
FILE_LINES = 500
FUNCTION_LINES = 60

# path -> why it is not split
LONG_FILES: dict[str, str] = {}
# path::Class.function -> why it is not split
LONG_FUNCTIONS: dict[str, str] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    found = [ROOT / "conftest.py", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))]
    return tuple(sorted(path for path in found if "_build" not in path.parts))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function in a file, nested ones included, with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):
            continue  # no function stands in an expression, and most nodes are expressions
        if isinstance(node, Function):
            yield prefix + node.name, node
        scope = f"{prefix}{node.name}." if isinstance(node, Function | ast.ClassDef) else prefix
        yield from functions(node, scope)


def length(function: Function) -> int:
    """Lines of a function, decorators and docstring aside."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
    return lines


def compare(lengths: dict[str, int], limit: int, excused: dict[str, str]) -> list[str]:
    """What is wrong: things over the limit without an excuse, and excuses without a thing."""
    long = {name: lines for name, lines in lengths.items() if lines > limit}
    problems = [f"{name} has {lines} lines" for name, lines in long.items() if name not in excused]
    stale = [f"{name} needs no exception" for name in excused if name not in long]
    return problems + stale


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files()}
    assert compare(lengths, FILE_LINES, LONG_FILES) == []


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}::{name}": length(function)
        for path in files()
        for name, function in functions(parsed(path))
    }
    assert compare(lengths, FUNCTION_LINES, LONG_FUNCTIONS) == []


def test_files_say_what_they_are_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.read_text().strip() and ast.get_docstring(parsed(path)) is None
    ]
    assert silent == []


def test_every_exception_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in (*LONG_FILES.values(), *LONG_FUNCTIONS.values()))


def test_the_limits_can_be_exceeded() -> None:
    body = "".join(f"        x = {line}\n" for line in range(FUNCTION_LINES))
    tree = ast.parse(f'class A:\n    def f(self):\n        """Count."""\n{body}')
    lengths = {name: length(function) for name, function in functions(tree)}
    assert lengths == {"A.f": FUNCTION_LINES + 1}
    assert compare(lengths, FUNCTION_LINES, {}) == ["A.f has 61 lines"]
    assert compare(lengths, FUNCTION_LINES, {"A.f": "a table of cases"}) == []
    assert compare({"A.f": 3}, FUNCTION_LINES, {"A.f": "a table of cases"}) == ["A.f needs no exception"]
