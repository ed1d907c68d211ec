"""`python -m bench`: run the benchmarks and print their tables.

    python -m bench [NAME...]                    what an operation costs in Python, and other small tables
    python -m bench list                         the names of all benchmarks and rows
    python -m bench compiler [ROW...] [--quick]  the compiler against PyTorch and others
    python -m bench accuracy NAME --data PATH    a network trained to the end in both frameworks

Read next: `compiler.py`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

BENCHMARKS = ("overhead", "two_layer")


def _compiler(arguments: list[str]) -> int:
    from bench import compiler
    from bench.row import Options

    parser = argparse.ArgumentParser(prog="python -m bench compiler", description=compiler.__doc__)
    parser.add_argument("rows", nargs="*", help="rows, or the beginnings of their names; all without")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--budget", type=float, help="seconds for the race of a row (20, or 0.3 when quick)")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a row is given up")
    parser.add_argument("--only", choices=("ours", "theirs"), help="measure one side alone")
    parser.add_argument("--no-compile", action="store_true", help="do not try torch.compile")
    parser.add_argument("--retry", action="store_true", help="try again what torch.compile did not manage before")
    parser.add_argument("--rivals", default="", help="an interpreter that has onnxruntime, openvino, torch and onnx")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "onegraph-bench")
    parser.add_argument("--json", help="write all numbers to this file as well")
    given = parser.parse_args(arguments)
    try:
        rows = compiler.find_rows(given.rows)
    except KeyError as error:
        parser.error(error.args[0])
    budget = given.budget if given.budget is not None else 0.3 if given.quick else 20.0
    sides = (given.only,) if given.only else ("ours", "theirs")
    options = Options(given.quick, budget, sides, rivals=given.rivals)
    torch_compiler = None if given.no_compile else compiler.TorchCompiler(given.cache, given.quick, given.retry)
    return compiler.run(rows, options, given.limit, torch_compiler, given.json)


def _list() -> int:
    from bench.rows import ROWS

    print("\n".join(BENCHMARKS))
    width = max(len(name) for name in ROWS)
    for row in ROWS.values():
        bound = "" if row.target is None else f"{'at most' if row.kind == 'figure' else 'at least'} {row.target:g}"
        print(f"compiler {row.name:{width}}  {row.title}  {bound} {row.unit}".rstrip())
    return 0


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all of the small ones."""
    if arguments[:1] == ["compiler"]:
        return _compiler(arguments[1:])
    if arguments[:1] == ["accuracy"]:
        from bench import accuracy

        return accuracy.main(arguments[1:])
    if arguments == ["list"]:
        return _list()
    unknown = [n for n in arguments if n not in BENCHMARKS]
    if unknown:
        there = ", ".join((*BENCHMARKS, "compiler", "accuracy", "list"))
        print(f"no benchmark is called {', '.join(unknown)}; there are {there}", file=sys.stderr)
        return 2
    for name in arguments or BENCHMARKS:
        module = importlib.import_module(f"bench.{name}")
        print(f"## {name}\n\n{(module.__doc__ or '').strip()}\n\n{module.run()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
