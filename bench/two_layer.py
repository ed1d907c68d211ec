"""One SGD step of the two-layer ReLU network (64x1000 -> 100 -> 1000, squared error): define-by-run, traced, and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onegraph as og
from bench.measure import alternate, optional_torch, table

N, D, H = 64, 1000, 100


def make_step(lib: Any) -> Callable[[], float]:
    """A training step in plain Python, the same lines for both libraries."""
    lib.manual_seed(0)
    x, y = lib.randn(N, D), lib.randn(N, D)
    w1 = lib.randn(D, H).requires_grad_()
    w2 = lib.randn(H, D).requires_grad_()

    def step() -> float:
        loss = ((lib.relu(x @ w1) @ w2 - y) ** 2).sum(1).mean()
        loss.backward()
        with lib.no_grad():
            for w in (w1, w2):
                w -= 1e-6 * w.grad
                w.grad = None
        return loss.item()

    return step


def make_traced_step() -> Callable[[], float]:
    """The step under jit."""
    og.manual_seed(0)
    x, y = og.randn(N, D), og.randn(N, D)
    w1 = og.randn(D, H).requires_grad_()
    w2 = og.randn(H, D).requires_grad_()

    @og.jit
    def step(x: og.Tensor, y: og.Tensor) -> og.Tensor:
        loss = ((og.relu(x @ w1) @ w2 - y) ** 2).sum(1).mean()
        loss.backward()
        with og.no_grad():
            for w in (w1, w2):
                w -= 1e-6 * w.grad
                w.grad = None
        return loss

    return lambda: step(x, y).item()


def run() -> str:
    """Measure, and give a Markdown table."""
    torch = optional_torch()
    rivals = {"define-by-run": make_step(og), "jit": make_traced_step()}
    if torch:
        rivals["PyTorch eager"] = make_step(torch)
    times = alternate(rivals, rounds=31, repeats=5)
    rows = []
    for name, seconds in times.items():
        ratio = f"{times['PyTorch eager'] / seconds:.2f}" if torch else "-"
        rows.append((name, f"{seconds * 1e3:.2f}", ratio))
    return table(("step", "ms", "PyTorch's time over it"), rows)


if __name__ == "__main__":
    print(run())
