"""Scatter kernels give the bits of the reference, on any number of threads, and name a bad index."""

import numpy as np
import pytest

from onegraph.backends.contract import Buffer
from onegraph.config import using
from onegraph.errors import OutOfRangeError
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, bfloat16, float16, float32, int32, int64
from onegraph.ops.evaluate import run_graph
from onegraph.ops.gathering import scatter_add
from onegraph.ops.indexing import MODES, SCATTER
from onegraph.ops.movement import full
from tests.backends.native.comparison import BACKEND, check, values


def scatter_graph(base, index_arrays, dim, mode, dtype):
    x = input_node(base, dtype)
    indices = [input_node(i.shape, int64 if i.dtype == np.int64 else int32) for i in index_arrays]
    updates = input_node((*base[:dim], *index_arrays[0].shape, *base[dim + len(index_arrays) :]), dtype)
    return Graph([x, *indices, updates], [SCATTER(x, *indices, updates, dim=dim, mode=mode)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_modes_and_dtypes(mode, dtype):
    random = np.random.default_rng(1)
    rows, columns = random.integers(0, 5, 23), random.integers(0, 3, 23).astype(np.int32)
    graph = scatter_graph((2, 5, 3, 7), [rows, columns], 1, mode, dtype)
    check(graph, [values((2, 5, 3, 7), dtype), rows, columns, values((2, 23, 7), dtype, 1)], (2,))


@pytest.mark.parametrize(
    ("base", "count", "dim"),
    [((1, 1), 1, 0), ((97, 300), 500, 0), ((3000, 31), 40, 0), ((17, 5000), 2000, 1), ((50000,), 7, 0), ((7,), 9999, 0),
     ((5, 0), 3, 0), ((4, 3), 0, 1)],
)  # fmt: skip
def test_shapes_and_threads(base, count, dim):
    index = np.random.default_rng(2).integers(0, base[dim], count)
    updates = (*base[:dim], count, *base[dim + 1 :])
    for mode in ("add", "set"):
        graph = scatter_graph(base, [index], dim, mode, float32)
        check(graph, [values(base, float32), index, values(updates, float32, 1)])


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (300, 257)])
def test_a_base_of_zeros_and_an_index_of_rows_are_not_read(shape):
    x, index, source = input_node((), float32), input_node(shape, int64), input_node(shape, float32)
    node = scatter_add(full((shape[0] + 2, 33), 0.0), 1, index, source)
    places = np.random.default_rng(3).integers(0, 33, shape)
    graph = Graph([x, index, source], [node])
    check(graph, [np.float32(0).reshape(()), places, values(shape, float32)])
    launch = next(x for x in BACKEND.compile(graph).lowered.launches if x.kernel and x.kernel.name == "scatter")
    assert len(launch.reads) == 2


def test_the_last_writer_stays():
    index = np.array([2, 0, 2, 2, 0])
    graph = scatter_graph((3,), [index], 0, "set", float16)
    check(graph, [values((3,), float16), index, np.arange(5).astype(np.float16)])


@pytest.mark.parametrize("bad", [-1, 5, 1 << 40, -(1 << 40)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_bad_index_is_named_as_by_the_reference(bad, threads):
    index = np.random.default_rng(4).integers(0, 5, 700)
    index[[321, 500]] = bad, -7
    graph = scatter_graph((2, 5, 90), [index], 1, "add", bfloat16)
    arrays = [values((2, 5, 90), bfloat16), index, values((2, 700, 90), bfloat16)]
    with pytest.raises(OutOfRangeError) as expected:
        run_graph(graph, arrays)
    with using(threads=threads), pytest.raises(OutOfRangeError) as found:
        BACKEND.compile(graph).run([Buffer(a, n.dtype) for a, n in zip(arrays, graph.inputs, strict=True)])
    assert str(found.value).splitlines()[0] == str(expected.value).splitlines()[0]


def test_accesses_stay_inside():
    index = np.random.default_rng(5).integers(0, 61, 40)
    graph = scatter_graph((61, 37), [index], 0, "add", float32)
    with using(guard_pages=True):
        check(graph, [values((61, 37), float32), index, values((40, 37), float32)], (1,))
