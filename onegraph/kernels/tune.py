"""Choosing tilings by measuring: a short search per contraction, whose winner is remembered on disk.

The cost model of `tiling.py` is used until somebody asks for more: with the setting `tune`, contractions that are
compiled are measured with a few tilings first, and every later process on this machine uses the fastest. Results do not
depend on the tiling, bit for bit. Read next: `tiling.py`, `cache.py`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence

import numpy as np

from onegraph.config import settings
from onegraph.kernels.builder import build
from onegraph.kernels.cache import disk_cache
from onegraph.kernels.contraction import plain_kernel, scratch_bytes, tasks
from onegraph.kernels.contraction_spec import Axis, Contraction
from onegraph.kernels.kernel import ENTRY, Kernel
from onegraph.kernels.target import Target
from onegraph.kernels.tiling import Tiling, candidates, tiling

CANDIDATES = 6
"""Tilings that are measured for a contraction."""
REPEATS = 5
_ITEMSIZE = {"float": 4, "double": 8, "bfloat16": 2}
_chosen: dict[tuple[Contraction, Target], Tiling] = {}


def best_tiling(spec: Contraction, target: Target) -> Tiling:
    """The tiling that was measured to be best, if one was; else that of the cost model."""
    key = (spec, target)
    found = _chosen.get(key)
    if found is None:
        found = _remembered(spec, target)
        if found is None:
            found = _search(spec, target) if settings.tune else tiling(spec, target)
        _chosen[key] = found
    return found


def _name(spec: Contraction, target: Target) -> str:
    return "tiling-" + hashlib.sha256(repr((spec, target)).encode()).hexdigest()[:40]


def _remembered(spec: Contraction, target: Target) -> Tiling | None:
    cache = disk_cache()
    content = None if cache is None else cache.get(_name(spec, target))
    if content is None:
        return None
    try:
        return Tiling(**json.loads(content))
    except (ValueError, TypeError):  # written by another version
        return None


def _search(spec: Contraction, target: Target) -> Tiling:
    """Measure a few tilings, one thread, and remember the fastest."""
    choices = candidates(spec, target, CANDIDATES)
    if len(choices) < 2 or spec.dtype == "bfloat16":
        return tiling(spec, target)
    plain = with_result(spec)
    times = _measure(plain, choices)
    best = choices[min(range(len(choices)), key=lambda i: times[i])]
    cache = disk_cache()
    if cache is not None:
        cache.put(_name(spec, target), json.dumps(dataclasses.asdict(best)).encode())
    return best


def with_result(spec: Contraction) -> Contraction:
    """The contraction with a dense result of its own.

    >>> with_result(Contraction((Axis(4, a=3),), 5, (Axis(3, a=1, b=5),))).rows
    (Axis(size=4, a=3, b=0, c=5),)
    """
    step = spec.columns
    rows: list[Axis] = []
    batch: list[Axis] = []
    for axis in reversed(spec.rows):
        rows.insert(0, dataclasses.replace(axis, c=step))
        step *= axis.size
    for axis in reversed(spec.batch):
        batch.insert(0, dataclasses.replace(axis, c=step))
        step *= axis.size
    return dataclasses.replace(spec, rows=tuple(rows), batch=tuple(batch), c_offset=0, c_column=1)


def _extent(axes: Sequence[Axis], operand: str, offset: int) -> tuple[int, int]:
    """The lowest and the highest element that is touched."""
    low = high = offset
    for axis in axes:
        reach = (axis.size - 1) * int(getattr(axis, operand))
        low, high = low + min(0, reach), high + max(0, reach)
    return low, high


def _measure(spec: Contraction, choices: Sequence[Tiling]) -> list[float]:
    item = _ITEMSIZE[spec.dtype]
    column = Axis(spec.columns, b=spec.b_column, c=spec.c_column)
    panels = () if spec.b_panel is None else (Axis(-(-spec.columns // spec.b_width), b=spec.b_panel),)
    if panels:
        column = Axis(spec.b_width, b=1)
    low_a, high_a = _extent((*spec.batch, *spec.rows, *spec.depth), "a", spec.a_offset)
    low_b, high_b = _extent((*spec.batch, *spec.depth, *panels, column), "b", spec.b_offset)
    count_c = spec.columns
    for axis in (*spec.rows, *spec.batch):
        count_c *= axis.size
    margin = 1024
    arrays = [np.ones((n + 2 * margin) * item, np.uint8) for n in (high_a - low_a, high_b - low_b, count_c)]
    starts = [a.ctypes.data + (margin - low) * item for a, low in zip(arrays, (low_a, low_b, 0), strict=True)]
    pointers = (ctypes.c_void_p * 3)(*starts)
    status = (ctypes.c_int64 * 4)()
    kernels = [Kernel("tune", plain_kernel(spec, t, ENTRY), tasks(spec, t), scratch_bytes(spec, t)) for t in choices]
    times = [float("inf")] * len(choices)
    scratch = np.zeros(max(k.scratch for k in kernels) + 128, np.uint8)
    aligned = (scratch.ctypes.data + 63) // 64 * 64
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p])
    functions = [kind(address) for address in build(kernels)]
    for _ in range(REPEATS):  # alternating, so that noise hits all
        for i, (function, kernel) in enumerate(zip(functions, kernels, strict=True)):
            start = time.perf_counter()
            function(pointers, 0, kernel.tasks, aligned, ctypes.addressof(status))
            times[i] = min(times[i], time.perf_counter() - start)
    return times
