"""`python -m bench [NAME...]`: run the benchmarks and print their tables."""

from __future__ import annotations

import sys

from bench import overhead, two_layer

BENCHMARKS = {"overhead": overhead, "two_layer": two_layer}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = [n for n in names if n not in BENCHMARKS]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"## {name}\n\n{(BENCHMARKS[name].__doc__ or '').strip()}\n\n{BENCHMARKS[name].run()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
