"""Train a small model for many steps and watch what grows: `python -m tests.durability.long_run [--steps 50000]`.

Memory, threads, open files, kept plans and objects are compared between a third of the way, when memory has settled, and the end;
the time of a step is printed. Read next: `test_long_run.py`, which runs fewer steps.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import onegraph as og
from onegraph.runtime.plan import plans
from onegraph.storage import Checkpoints
from tests.durability.training import Run

GROWTH_ALLOWED = 4_000_000
"""Bytes: allocators and caches of Python move by a few megabytes on their own."""


@dataclass
class Sample:
    """What a process holds at a moment.

    Attributes:
        memory: bytes in memory.
        threads, files, plans, objects: how many there are.
        seconds: of a step, the median of the last ones.
    """

    memory: int
    threads: int
    files: int
    plans: int
    objects: int
    seconds: float


def sample(times: list[float]) -> Sample:
    """Look at this process."""
    gc.collect()
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    files = len(os.listdir("/proc/self/fd"))
    return Sample(memory, threading.active_count(), files, len(plans), len(gc.get_objects()), statistics.median(times))


def train(steps: int, samples: int, folder: Path) -> list[Sample]:
    """Train, with a checkpoint now and then and a look at the loss each step; what the process held, `samples` times."""
    run, checkpoints = Run(), Checkpoints(folder, keep=2)
    found, times = [], []
    every = max(1, steps // samples)
    for step in range(1, steps + 1):
        start = time.perf_counter()
        run.advance()
        times.append(time.perf_counter() - start)
        if step % (every // 2 + 1) == 0:
            checkpoints.save(step, run.state())
        if step % every == 0:
            found.append(sample(times[-every:]))
            times.clear()
    return found


def growth(samples: list[Sample]) -> list[str]:
    """What grew from the sample after a third (before it, memory settles) to the last."""
    first, last = samples[len(samples) // 3], samples[-1]
    found = []
    if last.memory - first.memory > GROWTH_ALLOWED:
        found.append(f"memory grew by {(last.memory - first.memory) / 1e6:.1f} MB")
    for name in ("threads", "files", "plans"):
        if getattr(last, name) > getattr(first, name):
            found.append(f"{name} grew from {getattr(first, name)} to {getattr(last, name)}")
    if last.objects > first.objects * 1.02 + 200:
        found.append(f"objects grew from {first.objects} to {last.objects}")
    return found


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = train(options.steps, 10, Path(folder))
    print(f"{options.steps} steps on the {og.config.settings.backend} backend")
    print("memory MB  threads  files  plans  objects  ms a step")
    for s in samples:
        print(f"{s.memory / 1e6:9.1f}  {s.threads:7}  {s.files:5}  {s.plans:5}  {s.objects:7}  {s.seconds * 1e3:9.3f}")
    grown = growth(samples)
    print("; ".join(grown) or "nothing grew")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
