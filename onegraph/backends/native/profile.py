"""Where a plan's time goes: per kernel the calls, the time, the rates, and how close they come to what the machine can do.

Read next: `machine_limits.py`, which measures what it can do.

>>> with profiling() as recorder:
...     pass
>>> recorder.rows()
[]
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onegraph.backends.native import driver_text as d
from onegraph.backends.native.driver import driver, pools
from onegraph.backends.native.layout import Launch
from onegraph.backends.native.machine_limits import Limits, machine_limits
from onegraph.backends.native.memory import Block, view

if TYPE_CHECKING:
    from onegraph.backends.native.program import Job, Program

recorder: Recorder | None = None
"""Who records what runs now; set by `profiling`."""


@dataclass(frozen=True)
class Row:
    """What one kernel did.

    Attributes:
        name: of the kernel, or the label of its launch.
        calls: how often it was launched.
        seconds: from its first task's start to its last task's end, summed over the calls.
        flops, bytes: operations, and bytes that must move at least, of all calls.
    """

    name: str
    calls: int
    seconds: float
    flops: int
    bytes: int

    def share_of_limit(self, limits: Limits) -> float:
        """Time that the machine would need at its best, over the time that it took (the roofline model of Williams,
        Waterman and Patterson 2009)."""
        best = max(self.flops / limits.flops, self.bytes / limits.bytes)
        return best / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Sample:
    """One run: for each launch and thread the start, the end, the tasks and the chunks (nanoseconds, counts).

    Of launches in a loop the times of all turns are added up; the end is that of the last one.
    """

    launches: list[Launch]
    times: np.ndarray[Any, Any]
    turns: int = 1


class Recorder:
    """Collects the times of all programs that run while it is on."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._lock = threading.Lock()

    def run(self, program: Program, job: Job, threads: int) -> int:
        """Run a job and note its times; gives what the driver gives."""
        count = job.records.count
        block = Block(count * threads * d.PROFILE_WORDS * 8)
        job.words[d.PROFILE] = block.address
        failed = int(driver().run(job.address, pools.get(threads).address if threads > 1 else None, threads))
        job.words[d.PROFILE] = 0
        used = int(job.words[d.THREADS])
        times = view(block.address, (count, used, d.PROFILE_WORDS), np.dtype(np.int64), block)
        sample = Sample(job.records.launches, times, job.records.turns)
        with self._lock:
            self.samples.append(sample)
        return failed

    def rows(self) -> list[Row]:
        """One row a kernel, the one that took longest first."""
        found: dict[str, list[int]] = {}
        for sample in self.samples:
            for launch, times in zip(sample.launches, sample.times, strict=True):
                worked = times[times[:, 3] > 0]
                span = int(worked[:, 1].max() - worked[:, 0].min()) if len(worked) else 0
                row = found.setdefault(launch.label or launch.kernel.name, [0, 0, 0, 0])
                for i, more in enumerate((1, span, launch.kernel.flops, launch.kernel.bytes)):
                    row[i] += more if i == 1 else more * sample.turns
        rows = [Row(name, calls, span / 1e9, flops, moved) for name, (calls, span, flops, moved) in found.items()]
        return sorted(rows, key=lambda r: -r.seconds)

    def table(self, limits: Limits | None = None) -> str:
        """The rows as text."""
        limits = limits or machine_limits()
        rows = self.rows()
        total = sum(r.seconds for r in rows) or 1.0
        width = max([6, *(len(r.name) for r in rows)])
        lines = [f"{'kernel':{width}}  calls      ms  share  GFLOP/s    GB/s  of limit"]
        for r in rows:
            seconds = r.seconds or float("nan")
            lines.append(
                f"{r.name:{width}}  {r.calls:5}  {r.seconds * 1e3:6.2f}  {r.seconds / total:5.0%}  {r.flops / seconds / 1e9:7.1f}"
                f"  {r.bytes / seconds / 1e9:6.1f}  {r.share_of_limit(limits):8.0%}"
            )
        lines.append(f"limits: {limits.flops / 1e9:.0f} GFLOP/s, {limits.bytes / 1e9:.1f} GB/s")
        return "\n".join(lines)

    def chrome_trace(self) -> dict[str, Any]:
        """Events for chrome://tracing or ui.perfetto.dev: one bar for each launch and thread."""
        events = []
        for sample in self.samples:
            for launch, times in zip(sample.launches, sample.times.tolist(), strict=True):
                for thread, (start, end, tasks, chunks) in enumerate(times):
                    if chunks:
                        events.append(
                            {
                                "name": launch.label or launch.kernel.name,
                                "ph": "X",
                                "pid": os.getpid(),
                                "tid": thread,
                                "ts": start / 1e3,
                                "dur": (end - start) / 1e3,
                                "args": {"kernel": launch.kernel.name, "tasks": tasks, "chunks": chunks},
                            }
                        )
        return {"traceEvents": events, "displayTimeUnit": "ms"}

    def save_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events to a file."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.chrome_trace(), file)


@contextlib.contextmanager
def profiling() -> Iterator[Recorder]:
    """Record all programs that run in this block of code, on any thread."""
    global recorder
    before, recorder = recorder, Recorder()
    try:
        yield recorder
    finally:
        recorder = before
