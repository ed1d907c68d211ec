"""Graphs on the native backend against the reference, for tests of kernels."""

from __future__ import annotations

import numpy as np

from onegraph.backends.native.backend import NativeBackend
from onegraph.config import using
from onegraph.ir.dtype import bool_
from onegraph.ops.evaluate import run_graph, to_stored

BACKEND = NativeBackend()


def values(shape, dtype, seed=0, special=True):
    """Random values in storage form, NaN among floating ones."""
    random = np.random.default_rng(seed)
    if dtype is bool_:
        return random.random(shape) < 0.5
    if dtype.kind != "float":
        return random.integers(0 if dtype.kind == "uint" else -60, 60, shape).astype(dtype.numpy)
    found = random.standard_normal(shape).astype(np.float32)
    if special and found.size > 3:
        found.flat[::7] = np.nan
    return to_stored(found, dtype)


def check(graph, arrays, threads=(1, 2, 3), native=True):
    """The bits of the reference, on so many threads; without Python in between if `native`."""
    expected = run_graph(graph, arrays)
    program = BACKEND.compile(graph)
    if native:
        assert not any(launch.host for launch in program.lowered.launches)
    for n in threads:
        with using(threads=n):
            found = program.run([BACKEND.copy_in(a, i.dtype) for a, i in zip(arrays, graph.inputs, strict=True)])
        for buffer, want in zip(found, expected, strict=True):
            assert buffer.array.dtype == want.dtype
            np.testing.assert_array_equal(buffer.array, want)
