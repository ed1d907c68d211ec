"""Windows added back at their places, and convolutions of integers."""

import numpy as np
import pytest

from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import ALL, bool_, float32, int8, int32, int64, uint8
from onegraph.ops.evaluate import run_graph
from onegraph.ops.record import OPS
from tests.backends.native.comparison import BACKEND, check, values


def fold_graph(shape, output_size, dtype, **attributes):
    x = input_node(shape, dtype)
    return Graph([x], [OPS["fold"](x, **attributes, output_size=output_size)])


@pytest.mark.parametrize(
    ("size", "window", "stride", "dilation"),
    [(300, 60, 7, 1), (300, 60, 60, 1), (100, 100, 1, 1), (129, 64, 1, 2), (500, 51, 100, 3), (130, 50, 3, 2)],
)
def test_long_windows(size, window, stride, dilation):
    count = (size - dilation * (window - 1) - 1) // stride + 1
    how = {"dims": (1,), "sizes": (window,), "strides": (stride,), "dilations": (dilation,)}
    graph = fold_graph((2, count, 3, window), (size,), int64, **how)
    check(graph, [values((2, count, 3, window), int64)], (2,))


def test_long_windows_in_two_dimensions():
    how = {"dims": (1, 2), "sizes": (9, 11), "strides": (2, 3), "dilations": (1, 2)}
    graph = fold_graph((3, 6, 5, 9, 11), (20, 35), int32, **how)
    check(graph, [values((3, 6, 5, 9, 11), int32)], (2,))
    swapped = how | {"dims": (2, 1)}
    check(fold_graph((3, 5, 6, 9, 11), (20, 35), int32, **swapped), [values((3, 5, 6, 9, 11), int32)], (2,))


@pytest.mark.parametrize("dtype", [d for d in ALL if d is not bool_], ids=lambda d: d.name)
def test_dtypes(dtype):
    how = {"dims": (0,), "sizes": (5,), "strides": (2,), "dilations": (1,)}
    check(fold_graph((7, 3, 5), (18,), dtype, **how), [values((7, 3, 5), dtype, special=False)], (2,))


def test_many_additions_of_floats_are_near():
    how = {"dims": (0,), "sizes": (400,), "strides": (160,), "dilations": (1,)}
    graph = fold_graph((20, 400), (3440,), float32, **how)
    x = values((20, 400), float32, special=False)
    (found,) = BACKEND.compile(graph).run([BACKEND.copy_in(x, float32)])
    np.testing.assert_allclose(found.array, run_graph(graph, [x])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [int8, uint8, int32, int64], ids=lambda d: d.name)
@pytest.mark.parametrize(
    ("x", "w", "how"),
    [
        ((2, 4, 9, 7), (6, 2, 3, 2), {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}),
        ((1, 3, 8), (5, 3, 3), {"stride": (1,), "padding": ((-1, 1),), "dilation": (1,), "groups": 1}),
        ((1, 2, 3, 4, 5), (2, 1, 2, 2, 2), {"stride": (1,) * 3, "padding": ((0, 0),) * 3, "dilation": (1,) * 3, "groups": 2}),
    ],
)  # fmt: skip
def test_convolutions_of_integers(dtype, x, w, how):
    nodes = [input_node(s, dtype) for s in (x, w)]
    check(Graph(nodes, [OPS["conv"](*nodes, **how)]), [values(s, dtype, i) for i, s in enumerate((x, w))], (2,))
