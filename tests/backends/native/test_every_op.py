"""Every op record on the native backend, in every dtype that it takes, at all kinds of sizes, with several threads."""

from __future__ import annotations

import numpy as np
import pytest

from onegraph.backends.contract import Buffer
from onegraph.backends.native.backend import NativeExecutable
from onegraph.config import using
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, bfloat16, bfloat16_to_float32, bool_, float32
from onegraph.ops import OPS, Kind
from onegraph.ops.evaluate import run_graph, to_stored
from onegraph.ops.leaf import constant
from tests.ops.cases import cases_of

SIZES = [1, 2, 15, 16, 17, 63, 64, 65, 129, 1000]
PRIMES = [3, 31, 127, 4099]
BITS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}


def native(graph, arrays, threads=(1,)):
    """Results, the same bits for all numbers of threads."""
    executable = NativeExecutable(graph)
    results = []
    for n in threads:
        with using(threads=n):
            given = [Buffer(np.ascontiguousarray(a), i.dtype) for a, i in zip(arrays, graph.inputs, strict=True)]
            results.append([b.array.copy() for b in executable.run(given)])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()
    return results[0]


def compare(graph, arrays, threads=(1,), units=16.0):
    """Native results are those of the reference: exact, or within so many units of the last place of the largest."""
    expected = run_graph(graph, arrays)
    for node, a, b in zip(graph.outputs, native(graph, arrays, threads), expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if node.dtype.kind != "float":
            np.testing.assert_array_equal(a, b)
            continue
        if node.dtype is bfloat16:
            a, b = bfloat16_to_float32(a), bfloat16_to_float32(b)
        a, b = a.astype(np.float64), b.astype(np.float64)
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        finite = np.isfinite(b)
        np.testing.assert_array_equal(a[~finite], b[~finite])
        unit = units * 2.0 ** -BITS[node.dtype.name]
        np.testing.assert_allclose(a[finite], b[finite], rtol=unit, atol=unit * np.abs(b[finite]).max(initial=0))


def values(shape, dtype, seed=0):
    """Random values in storage form."""
    random = np.random.default_rng(seed)
    if dtype is bool_:
        return random.random(shape) < 0.5
    if dtype.kind == "float":
        return to_stored(random.uniform(0.1, 2, shape), dtype)
    return random.integers(1, 7, shape).astype(dtype.numpy)


def compare_case(case):
    """A sample of a record."""
    graph = Graph(case.inputs, case.results)
    if any(not n.shape and n.dtype is None for n in graph.outputs):
        return
    compare(graph, case.arrays, units=64.0)


NAMES = [n for n, op in OPS.items() if op.kind is not Kind.CONTROL and n not in ("with_gradient", "dimension")]
UNSTABLE = {"eigh", "svd", "qr", "pow"}
"""Of these the reference itself has signs or roundings of its own in some dtypes; `test_conformance.py` has them."""


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNSTABLE])
def test_every_dtype(name):
    """One sample in each other dtype, the second one where there is one: first samples are tried in `tests/ops`."""
    cases = list(cases_of(OPS[name]))
    for number, dtype in enumerate(ALL):
        case = cases[min(1 + number % 2, len(cases) - 1)]
        if dtype in case.other_dtypes():
            compare_case(case.in_dtype(dtype))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNSTABLE])
def test_every_sample_in_every_dtype(name):
    for case in cases_of(OPS[name]):
        compare_case(case)
        for dtype in case.other_dtypes():
            compare_case(case.in_dtype(dtype))


ELEMENTWISE = [n for n in NAMES if OPS[n].kind is Kind.ELEMENTWISE and n not in ("cast", "barrier", "pow")]


@pytest.mark.parametrize("size", [0, 1, 17, 65, 1000])
def test_elementwise_ops_at_odd_sizes(size):
    """All of them in one graph of three inputs."""
    x, y, c = (input_node((size,), d) for d in (float32, float32, bool_))
    outputs = []
    for name in ELEMENTWISE:
        op = OPS[name]
        count = len(op.samples()[0].arrays) if isinstance(op.samples(), list) else len(next(iter(op.samples())).arrays)
        if "float" not in op.dtypes and name != "where":
            continue
        outputs.append(op(c, x, y) if name == "where" else op(*[x, y][:count]))
    arrays = [values((size,), float32, 1), values((size,), float32, 2), values((size,), bool_, 3)]
    compare(Graph([x, y, c], outputs), arrays, units=4.0)


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_a_few_ops_at_many_sizes(dtype):
    for size in [7, 16, 31, 64, 129]:
        x, y = input_node((3, size), dtype), input_node((size,), dtype)
        joined = OPS["concat"](OPS["maximum"](x, y), OPS["flip"](x, dims=(1,)), dim=1)
        outputs = [joined, OPS["permute"](x, dims=(1, 0)), OPS["max"](x, dims=(1,), keepdim=True), OPS["eq"](x, y)]
        if dtype is not bool_:
            outputs.append(OPS["sum"](OPS["add"](x, y), dims=(0,), keepdim=False))
        compare(Graph([x, y], outputs), [values((3, size), dtype, 1), values((size,), dtype, 2)])


@pytest.mark.parametrize("rows", [1, 3, 17, 100])
@pytest.mark.parametrize("columns", [1, 16, 65, 1000, 4099])
def test_reductions_at_odd_sizes_and_thread_counts(rows, columns):
    x = input_node((rows, columns), float32)
    outputs = [OPS["sum"](x, dims=d, keepdim=False) for d in ((0,), (1,), (0, 1))]
    outputs += [OPS["max"](x, dims=(1,), keepdim=True), OPS["argmax"](x, dim=1, keepdim=False)]
    middle = OPS["div"](OPS["sum"](x, dims=(1,), keepdim=True), constant(columns, float32))
    outputs.append(OPS["exp"](OPS["sub"](x, middle)))
    compare(Graph([x], outputs), [values((rows, columns), float32)], threads=(1, 2, 3), units=64.0)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 3_000_001), (3_000_001, 1), (7, 500_003), (500_003, 7), (64, 31, 1999)], ids=str)
def test_huge_values(shape):
    x = input_node(shape, float32)
    outputs = [OPS["tanh"](x)]
    for dims in ((0,), (len(shape) - 1,), tuple(range(len(shape)))):
        outputs.append(OPS["sum"](x, dims=dims, keepdim=True))
    outputs.append(OPS["mul"](OPS["sub"](x, outputs[-1]), x))
    compare(Graph([x], outputs), [values(shape, float32)], threads=(1, 2, 3), units=2048.0)


@pytest.mark.parametrize("m", [1, 7, 16, 65])
@pytest.mark.parametrize("n", [1, 15, 17, 64, 129])
def test_products_at_odd_sizes_and_thread_counts(m, n):
    for k in (1, 33, 257):
        a, b = input_node((2, m, k), float32), input_node((k, n), float32)
        outputs = [OPS["matmul"](a, b)]
        outputs.append(OPS["matmul"](OPS["permute"](b, dims=(1, 0)), OPS["permute"](a, dims=(0, 2, 1))))
        compare(Graph([a, b], outputs), [values((2, m, k), float32, 1), values((k, n), float32, 2)], (1, 2, 3), 512.0)
