"""Timing that holds on noisy machines: rivals take turns in one run, and the medians are compared.

Read next: `contest.py`, which says who takes part.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


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
            elapsed = turn(function, repeats)
            if round_number:
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


def turn(function: Callable[[], object], repeats: int) -> float:
    """Seconds a call takes, over several calls in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


@dataclass(frozen=True)
class Timing:
    """What a rival took, in seconds a call.

    Attributes:
        median, minimum: over its turns.
        spread: half the distance of the quartiles, as a part of the median.
        turns: how many there were.
    """

    median: float
    minimum: float
    spread: float
    turns: int

    @staticmethod
    def of(times: list[float]) -> Timing:
        """Summarize."""
        median = statistics.median(times)
        low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else (median, median, median)
        return Timing(median, min(times), (high - low) / 2 / median, len(times))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def race(
    rivals: Mapping[str, Callable[[], object]], budget: float = 20.0, least: float = 0.03, minimum: int = 3
) -> dict[str, Timing]:
    """Let rivals take turns until a time budget is spent.

    Short functions are repeated within a turn, after one call that is not counted: the threads of the rival that
    had its turn before are still spinning, and the caches hold what is not ours.

    Args:
        rivals: functions by name; each is called twice before the first turn.
        budget: seconds for all turns of all rivals; one that is slow still gets `minimum` turns.
        least: seconds that a turn should last.
        minimum: turns that each gets even when the budget is spent.
    """
    repeats = {}
    for name, function in rivals.items():
        turn(function, 1)
        repeats[name] = max(1, min(10_000, math.ceil(least / max(turn(function, 1), 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in rivals}
    start = time.perf_counter()
    rounds = 0
    while rounds < minimum or (time.perf_counter() - start < budget and rounds < 201):
        for name, function in rivals.items():
            if repeats[name] > 1:
                function()
            times[name].append(turn(function, repeats[name]))
        rounds += 1
    return {name: Timing.of(values) for name, values in times.items()}


def qualify(rivals: Mapping[str, Callable[[], object]], budget: float) -> dict[str, Timing]:
    """Time variants of one rival briefly, the fastest first, so that only the best run in the race."""
    times = race(rivals, budget, minimum=2)
    return dict(sorted(times.items(), key=lambda item: item[1].median))


def busy_cores() -> tuple[float, float]:
    """Seconds of processor time since the start: of the whole machine (0 where it does not say), and of this process."""
    own = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    mine = sum(usage.ru_utime + usage.ru_stime for usage in own)
    try:
        user, nice, system, _idle, _wait, *interrupts = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    except (OSError, ValueError):
        return 0.0, mine
    ticks = sum(int(count) for count in (user, nice, system, *interrupts))
    return ticks / os.sysconf("SC_CLK_TCK"), mine


@contextlib.contextmanager
def watch_neighbours(result: dict[str, Any]) -> Iterator[None]:
    """Note under "others" how many cores others kept busy meanwhile.

    In a crowd PyTorch's threads wait for each other at every barrier, and a call of microseconds takes milliseconds.
    """
    start, (machine, mine) = time.perf_counter(), busy_cores()
    yield
    machine_after, mine_after = busy_cores()
    if machine:
        others = (machine_after - machine - mine_after + mine) / (time.perf_counter() - start)
        result["others"] = max(0.0, others)


def optional_torch() -> Any:
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
