"""Running sums, products and maxima give the bits of the reference."""

import numpy as np
import pytest

from onegraph.config import using
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, bool_, float16, float32, int32
from onegraph.kernels.target import host
from onegraph.ops.evaluate import run_graph
from onegraph.ops.record import OPS
from tests.backends.native.comparison import BACKEND, check, values
from tests.kernels.pointwise import to_numbers


def scan_graph(op, shape, dtype, dim, reverse=False):
    x = input_node(shape, dtype)
    return Graph([x], [OPS[op](x, dim=dim, reverse=reverse)])


@pytest.mark.parametrize("op", ["cumsum", "cumprod", "cummax"])
@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_ops_and_dtypes(op, dtype):
    if dtype is bool_ and op != "cummax":
        pytest.skip("bools are not added")
    for dim, reverse in ((0, False), (1, True), (2, False)):
        graph, array = scan_graph(op, (3, 5, 23), dtype, dim, reverse), values((3, 5, 23), dtype)
        if dim == 2 and op != "cummax" and dtype.kind == "float" and is_long(23):
            near(graph, array, 1e-4 if dtype.bits > 16 else 2e-2)
        else:
            check(graph, [array], (2,))
    if dtype.kind != "float" or op == "cummax":
        for reverse in (False, True):
            check(scan_graph(op, (3, 277), dtype, 1, reverse), [values((3, 277), dtype)], (2,))


@pytest.mark.parametrize(
    ("shape", "dim"),
    [((1,), 0), ((1000,), 0), ((0, 3), 0), ((3, 0), 0), ((17, 1), 0), ((1, 17), 1), ((65, 129), 0), ((65, 129), 1),
     ((4, 33, 16), 1), ((33, 9, 3), 1), ((8, 7, 64), 1), ((9, 700), 1)],
)  # fmt: skip
@pytest.mark.parametrize("reverse", [False, True])
def test_shapes_and_threads(shape, dim, reverse):
    for op, dtype in (("cumsum", float32), ("cummax", float32), ("cumprod", int32)):
        if op == "cumsum" and dim == len(shape) - 1 and is_long(shape[dim]):
            near(scan_graph(op, shape, dtype, dim, reverse), values(shape, dtype))
        else:
            check(scan_graph(op, shape, dtype, dim, reverse), [values(shape, dtype)])


def is_long(length):
    """Whether the host scans a row of this length a vector at a time; see `backends/native/scans.py`."""
    return length >= 2 * host().lanes(32)


def near(graph, array, tolerance=1e-4):
    """Long rows are added in another order; that is the same for any number of threads."""
    program, found = BACKEND.compile(graph), []
    for n in (1, 2, 3):
        with using(threads=n):
            (buffer,) = program.run([BACKEND.copy_in(array, graph.inputs[0].dtype)])
        found.append(buffer.array)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    (expected,) = run_graph(graph, [array])
    actual, expected = (to_numbers(a, graph.inputs[0].dtype) for a in (found[0], expected))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def test_rounding_once_and_the_sign_of_zero():
    x = np.full((3000, 20), 0.1, np.float16)
    x[0, 0] = -0.0
    check(scan_graph("cumsum", x.shape, float16, 0), [x])
    ones = np.ones((2, 5000), np.float16)  # half precision stops at 2048 unless sums are kept in float32
    check(scan_graph("cumsum", ones.shape, float16, 1), [ones])
    zeros = np.full((40,), -0.0, np.float32)
    (found,) = BACKEND.compile(scan_graph("cumsum", (40,), float32, 0)).run([BACKEND.copy_in(zeros, float32)])
    assert np.signbit(found.array).all()
    zeros = np.full((2, 40), -0.0, np.float32)
    graph = scan_graph("cumsum", zeros.shape, float32, 0)
    check(graph, [zeros])


def test_accesses_stay_inside():
    with using(guard_pages=True):
        for shape, dim in (((5, 37), 0), ((37, 5), 1), ((3, 67), 1)):
            near(scan_graph("cumsum", shape, float32, dim), values(shape, float32, special=False))
