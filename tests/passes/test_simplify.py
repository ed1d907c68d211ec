"""Markers and casts that do nothing go."""

import numpy as np
import pytest

from onegraph.ir import Graph
from onegraph.ir.dtype import ALL, bfloat16, float16, float32, float64, int32, int64
from onegraph.ops.cast import CAST
from onegraph.ops.custom import barrier, with_gradient
from onegraph.ops.elementwise import DETACH, exp
from onegraph.ops.evaluate import execute_node
from onegraph.ops.leaf import constant
from onegraph.passes.simplify import is_lossless, simplify
from tests.passes.graphs import check, graph_of


def test_markers_and_casts_to_the_same_dtype_go():
    def build(x):
        y = DETACH(CAST(x, dtype=float32))
        return exp(with_gradient(y, [x], lambda g: [g]))

    check(simplify, graph_of(build, (2, 3)), "%1: f32[2, 3] = exp(%0)\nreturn %1")


@pytest.mark.parametrize(
    "start, through, end, steps",
    [
        (float16, float32, float16, 0),
        (float32, float64, bfloat16, 1),
        (float32, float16, float32, 2),
        (int32, float64, float32, 1),
        (int32, float32, int32, 2),
        (int64, float64, int64, 2),
    ],
)
def test_casts_through_a_wider_dtype_become_one(start, through, end, steps):
    graph = graph_of(lambda x: CAST(CAST(x, dtype=through), dtype=end), (12,), dtype=start)
    found = check(simplify, graph)
    assert sum(n.op == "cast" for n in found.nodes()) == steps


def test_lossless_means_that_every_value_comes_back():
    values = [0, 1, -1, 2**7, 2**8 - 1, 2**15, 2**24 + 1, -(2**31), 2**53 + 1, 0.1, 1e-7, 1e30, 65519.0]
    for narrow in ALL:
        with np.errstate(all="ignore"):
            array = constant(np.array(values if narrow.is_floating_point else values[:9]), narrow)
        for wide in ALL:
            there = CAST(array, dtype=wide)
            back = CAST(there, dtype=narrow)
            stored = execute_node(array, [])
            kept = np.array_equal(stored, execute_node(back, [execute_node(there, [stored])]))
            assert kept or not is_lossless(narrow, wide), (narrow, wide)
    assert is_lossless(bfloat16, float32) and not is_lossless(float16, bfloat16)


def test_nothing_to_do_gives_the_same_graph():
    graph = graph_of(lambda x: exp(barrier(x, x)), (2,))
    assert isinstance(graph, Graph) and simplify(graph) is graph
