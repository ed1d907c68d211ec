"""What this machine can do at best: multiply-adds a second and bytes a second, measured once and remembered on disk.

Read next: `profile.py`, which compares kernels with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.config import settings
from onegraph.ir.dtype import float32
from onegraph.kernels.kernel import ENTRY, Kernel
from onegraph.kernels.llvm import Module, Value, vector_type
from onegraph.kernels.target import Target, host

_COPY_BYTES = 64 * 1024 * 1024
_REPEATS = 5
_ARGUMENTS = [("ptr", "buffers"), ("i64", "first"), ("i64", "last"), ("ptr", "scratch"), ("ptr", "status")]


@dataclass(frozen=True)
class Limits:
    """Of all threads that kernels may use together: float32 operations a second, bytes read or written a second."""

    flops: float
    bytes: float


def _fma_kernel(target: Target, tasks: int, turns: int) -> Kernel:
    """Independent multiply-adds in all registers but a few: nothing but arithmetic."""
    module = Module()
    f = module.function(ENTRY, _ARGUMENTS)
    buffers, first, last = f.arguments[:3]
    lanes = target.lanes()
    type_ = vector_type("float", lanes)
    sums = 12
    source, place = f.load("ptr", buffers), f.load("ptr", f.element(buffers, "ptr", 1))

    def task(t: Value, _: list[Value]) -> None:
        start = f.load(type_, source)

        def turn(_: Value, carried: list[Value]) -> list[Value]:
            if target.has_fma:
                return [f.fma(x, start, start) for x in carried]
            return [f.fadd(f.fmul(x, start), start) for x in carried]

        values = f.loop(0, turns, 1, turn, [start] * sums)
        total = values[0]
        for x in values[1:]:
            total = f.fadd(total, x)
        f.store(total, f.element(place, "float", f.mul(t, lanes)))

    f.loop(first, last, 1, task)
    f.ret()
    return Kernel("fma_peak", str(module), tasks, flops=tasks * turns * sums * lanes * 2)


def _copy_kernel(target: Target, tasks: int) -> Kernel:
    module = Module()
    f = module.function(ENTRY, _ARGUMENTS)
    buffers, first, last = f.arguments[:3]
    lanes = target.lanes()
    source, sink = f.load("ptr", buffers), f.load("ptr", f.element(buffers, "ptr", 1))
    amount = _COPY_BYTES // 4 // tasks

    def copy(i: Value, _: list[Value]) -> None:
        for k in range(4):
            at = f.add(i, k * lanes)
            f.store(f.load(vector_type("float", lanes), f.element(source, "float", at)), f.element(sink, "float", at))

    f.loop(f.mul(first, amount), f.mul(last, amount), 4 * lanes, copy)
    f.ret()
    return Kernel("copy_peak", str(module), tasks, bytes=2 * _COPY_BYTES)


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def measure() -> Limits:
    """Measure now; takes a tenth of a second."""
    from onegraph.backends.native.layout import ProgramBuilder
    from onegraph.backends.native.memory import results
    from onegraph.backends.native.program import Program

    target, threads = host(), settings.threads
    peak = _fma_kernel(target, 8 * threads, 20_000)
    builder = ProgramBuilder()
    start, end = builder.input((target.lanes(),), float32), builder.output((peak.tasks * target.lanes(),), float32)
    builder.launch(peak, [start, end], [start], [end])
    program = Program(builder, [end])
    half = Buffer(np.full(target.lanes(), 0.5, np.float32), float32)  # 0.5 x + 0.5 stays in range
    flops = peak.flops / _best(lambda: program.run([half]))
    copy = _copy_kernel(target, 64)
    builder = ProgramBuilder()
    source, sink = builder.input((_COPY_BYTES // 4,), float32), builder.output((_COPY_BYTES // 4,), float32)
    builder.launch(copy, [source, sink], [source], [sink])
    program = Program(builder, [sink])
    (given,) = results.take([results.shelf((_COPY_BYTES // 4,), float32)])
    given.array.fill(0)
    return Limits(flops, copy.bytes / _best(lambda: program.run([given])))


_known: dict[str, Limits] = {}


def machine_limits() -> Limits:
    """The limits for the threads that the settings allow.

    >>> limits = machine_limits()
    >>> limits.flops > 1e8 and limits.bytes > 1e7
    True
    """
    key = f"{host().cpu}-{settings.threads}"
    if key not in _known:
        path = Path(settings.cache_folder).expanduser() / f"limits-{key}.json"
        _known[key] = _read(path) or measure()
        if settings.cache and not path.exists():
            _write(path, _known[key])
    return _known[key]


def _read(path: Path) -> Limits | None:
    if settings.cache:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            limits = Limits(**json.loads(path.read_text()))
            if min(limits.flops, limits.bytes) > 0 and np.isfinite([limits.flops, limits.bytes]).all():
                return limits
    return None


def _write(path: Path, limits: Limits) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(limits), file)
        os.replace(temporary, path)
