"""What an operation costs in Python: recording one (shape check, node, tensor), beside PyTorch's eager call on tiny tensors.

The two do different work: onegraph records and computes later, PyTorch computes at once. The comparison says
what a Python loop pays for each line.
"""

from __future__ import annotations

from typing import Any

import onegraph as og
from bench.measure import alternate, optional_torch, table

OPERATIONS = {
    "x + y": lambda lib, x, y, w: x + y,
    "x * 2.0": lambda lib, x, y, w: x * 2.0,
    "x > 0": lambda lib, x, y, w: x > 0,
    "exp(x)": lambda lib, x, y, w: lib.exp(x),
    "x @ y": lambda lib, x, y, w: x @ y,
    "x.sum(1)": lambda lib, x, y, w: x.sum(1),
    "x.reshape(2, 8)": lambda lib, x, y, w: x.reshape(2, 8),
    "x.transpose(0, 1)": lambda lib, x, y, w: x.transpose(0, 1),
    "x[1:3]": lambda lib, x, y, w: x[1:3],
    "w * y (gradients)": lambda lib, x, y, w: w * y,
}


def _subjects(lib: Any) -> tuple[Any, Any, Any]:
    x, y = lib.rand(4, 4), lib.rand(4, 4)
    w = lib.rand(4, 4).requires_grad_()
    if lib is og:
        og.eval(x, y, w)
    return x, y, w


def run() -> str:
    """Measure, and give a Markdown table."""
    torch = optional_torch()
    ours, theirs = _subjects(og), _subjects(torch) if torch else None
    rows = []
    for name, operation in OPERATIONS.items():
        rivals = {"onegraph": lambda operation=operation: operation(og, *ours)}
        if torch:
            rivals["PyTorch"] = lambda operation=operation: operation(torch, *theirs)
        times = alternate(rivals, rounds=21, repeats=500)
        micro = {k: v * 1e6 for k, v in times.items()}
        rival = f"{micro['PyTorch']:.1f}" if torch else "-"
        ratio = f"{micro['PyTorch'] / micro['onegraph']:.2f}" if torch else "-"
        rows.append((f"`{name}`", f"{micro['onegraph']:.1f}", rival, ratio))
    return table(("operation", "onegraph, us to record", "PyTorch, us to compute", "ratio"), rows)


if __name__ == "__main__":
    print(run())
