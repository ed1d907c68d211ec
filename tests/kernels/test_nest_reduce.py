"""Reductions of rows: NaN anywhere is found, whatever the length of the row and the dtype."""

import numpy as np
import pytest

from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import bfloat16, float16, float32, float64
from onegraph.ops.evaluate import to_stored
from onegraph.ops.reduction import MAX, MIN
from tests.backends.native.comparison import check


@pytest.mark.parametrize("op", [MAX, MIN])
@pytest.mark.parametrize("dtype", [float32, float64, float16, bfloat16])
def test_nan_at_every_place_of_a_row(op, dtype):
    length = 150  # whole blocks, whole vectors and a part of one
    x = input_node((length + 1, length), dtype)
    values = np.random.default_rng(0).standard_normal((length + 1, length)).astype(np.float32)
    values[np.arange(length), np.arange(length)] = np.nan
    values[length, 3:9] = [np.inf, -np.inf, np.inf, -np.inf, 0.0, -0.0]
    graph = Graph([x], [op(x, dims=(1,), keepdim=False)])
    check(graph, [to_stored(values, dtype)], (1, 2))


@pytest.mark.parametrize("length", [1, 2, 15, 17, 33, 63, 64, 65, 100, 129])
def test_rows_of_any_length(length):
    x = input_node((9, length), float32)
    values = np.random.default_rng(length).standard_normal((9, length)).astype(np.float32)
    values[2, length // 2] = values[4, length - 1] = values[6, 0] = np.nan
    values[3], values[5] = -np.inf, np.inf
    check(Graph([x], [MAX(x, dims=(1,), keepdim=True), MIN(x, dims=(1,), keepdim=True)]), [values], (1,))


@pytest.mark.parametrize("place", [0, 70_000, 299_999])
def test_a_row_in_pieces(place):
    x = input_node((300_000,), float32)
    values = np.random.default_rng(1).standard_normal(300_000).astype(np.float32)
    graph = Graph([x], [MAX(x, dims=(0,), keepdim=False)])
    check(graph, [values], (1, 3))
    values[place] = np.nan
    check(graph, [values], (1, 3))
