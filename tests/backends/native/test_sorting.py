"""Sorting gives the order of the reference: stable, NaN last, both zeros equal."""

import numpy as np
import pytest

from onegraph.config import using
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, float32, float64, int64
from onegraph.ops.evaluate import to_stored
from onegraph.ops.record import OPS
from tests.backends.native.comparison import check, values


def sort_graph(shape, dtype, dim, descending=False):
    x = input_node(shape, dtype)
    return Graph([x], [OPS["argsort"](x, dim=dim, descending=descending)])


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
@pytest.mark.parametrize("descending", [False, True])
def test_dtypes(dtype, descending):
    for shape, dim in (((3, 40, 2), 1), ((3, 300), 1), ((120, 3), 0)):
        x = values(shape, dtype)
        if dtype.kind == "float":
            wide = np.random.default_rng(0).standard_normal(shape)
            wide.flat[::5] = np.nan
            wide.flat[1::7], wide.flat[2::9], wide.flat[3::11] = 0.0, -0.0, -np.inf
            wide.flat[4::13] = np.round(wide.flat[4::13])
            wide.flat[6::17] = -np.nan
            x = to_stored(wide if dtype is float64 else wide.astype(np.float32), dtype)
        check(sort_graph(shape, dtype, dim, descending), [x], (2,))


@pytest.mark.parametrize("length", [0, 1, 2, 47, 48, 49, 255, 257, 5000])
def test_lengths_and_threads(length):
    for dtype in (float32, int64):
        check(sort_graph((length,), dtype, 0), [values((length,), dtype)])
        check(sort_graph((5, length), dtype, 1, True), [values((5, length), dtype)])


@pytest.mark.parametrize("dtype", [int64, float64], ids=lambda d: d.name)
@pytest.mark.parametrize("length", [30, 3000])
def test_numbers_that_differ_in_either_half(dtype, length):
    bits = np.random.default_rng(1).integers(-(1 << 63), (1 << 63) - 1, (2, length))
    bits[:, ::3] &= ~0xFFFFFFFF
    bits[:, ::2] >>= 40
    check(sort_graph((2, length), dtype, 1), [bits.view(dtype.numpy)])


def test_accesses_stay_inside():
    with using(guard_pages=True):
        for length in (7, 60):
            check(sort_graph((3, length), float32, 1), [values((3, length), float32)], (1,))
