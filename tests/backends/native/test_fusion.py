"""Which values are computed in one kernel, and which of them are stored."""

import numpy as np

from onegraph.backends.native.lowering import lower
from onegraph.ir.dtype import float32
from onegraph.kernels.target import host
from onegraph.ops.binary import ADD, DIV, MUL, SUB
from onegraph.ops.elementwise import SQRT
from onegraph.ops.leaf import constant
from tests.backends.native.comparison import check
from tests.passes.graphs import graph_of

N = (3, 700)


def kernels(graph):
    return [launch for launch in lower(graph, host()).launches if launch.kernel is not None]


def adam(p, g, m, v):
    """What an optimizer does with one parameter: two moments, and a step that needs both."""
    m = ADD(MUL(m, constant(0.9, float32)), MUL(g, constant(0.1, float32)))
    v = ADD(MUL(v, constant(0.99, float32)), MUL(MUL(g, g), constant(0.01, float32)))
    return [m, v, SUB(p, DIV(m, ADD(SQRT(v), constant(1e-8, float32))))]


def test_a_result_and_both_values_that_it_needs_are_one_kernel():
    graph = graph_of(adam, N, N, N, N)
    (launch,) = kernels(graph)
    assert (len(launch.reads), len(launch.writes)) == (4, 3)
    random = np.random.default_rng(0)
    check(graph, [random.uniform(0.1, 1, N).astype(np.float32) for _ in range(4)])
