"""Timing that holds on noisy machines: rivals take turns in one run, and the medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def alternate(rivals: Mapping[str, Callable[[], object]], rounds: int = 15, repeats: int = 1) -> dict[str, float]:
    """Seconds a call takes, by rival: the median over rounds in which every rival has its turn.

    Args:
        rivals: functions by name.
        rounds: how often each has its turn, after one turn that is not counted.
        repeats: calls in one turn, for short functions.
    """
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for round_number in range(rounds + 1):
        for name, function in rivals.items():
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            elapsed = (time.perf_counter() - start) / repeats
            if round_number:
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


def optional_torch() -> object | None:
    """PyTorch on two threads, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(2)
    return torch


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
