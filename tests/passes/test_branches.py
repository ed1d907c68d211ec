"""Small branches become choices; others stay branches."""

import numpy as np

from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import float64, int64
from onegraph.ir.verify import verify
from onegraph.ops.binary import add, floor_divide, gt, mul
from onegraph.ops.control_functions import cond, while_loop
from onegraph.ops.elementwise import exp, neg, sin
from onegraph.ops.evaluate import run_graph
from onegraph.ops.linear import matmul
from onegraph.ops.movement import full
from onegraph.ops.record import check_rule, differentiate
from onegraph.ops.reduction import sum_
from onegraph.passes.branches import MOST_ELEMENTS, choose_branches


def ops(graph):
    return {n.op for n in graph.nodes()}


def same(graph, *arrays):
    made = choose_branches(graph)
    verify(made, check_rule)
    for a, b in zip(run_graph(graph, arrays), run_graph(made, arrays), strict=True):
        np.testing.assert_array_equal(a, b)
    return made


def branching(then, otherwise, shape=(3,), dtype=float64):
    x = input_node(shape, dtype)
    return Graph([x], [cond(gt(sum_(x), 0), then, otherwise, x)])


def test_small_branches_are_both_computed():
    graph = branching(lambda x: mul(sin(x), 2.0), neg)
    for sign in (-1.0, 1.0):
        assert "cond" not in ops(same(graph, np.full(3, sign)))
    huge = branching(lambda x: x, lambda x: exp(mul(x, -1000.0)))  # infinity where it is not chosen
    assert "cond" not in ops(same(huge, np.ones(3))) and "cond" not in ops(same(huge, -np.ones(3)))


def test_branches_within_branches():
    def inner(x):
        return cond(gt(sum_(x), 5.0), lambda v: add(v, 1.0), sin, x)

    for value in (-1.0, 1.0, 10.0):
        assert "cond" not in ops(same(branching(inner, neg), np.full(3, value)))


def test_what_is_costly_or_may_fail_stays():
    square = branching(lambda x: matmul(x, x), neg, (3, 3))
    assert "cond" in ops(same(square, np.ones((3, 3))))
    divided = branching(lambda x: floor_divide(full((3,), 7, dtype=int64), x), neg, dtype=int64)
    assert "cond" in ops(same(divided, np.array([0, -1, 0])))
    assert "cond" in ops(choose_branches(branching(sin, neg, (MOST_ELEMENTS,))))
    assert "cond" not in ops(choose_branches(branching(sin, neg, (MOST_ELEMENTS // 2 - 1,))))


def test_the_gradient_of_a_loop_with_a_limit():
    x = input_node((2,), float64)
    last = while_loop(lambda v: gt(10.0, sum_(v)), lambda v: mul(v, 1.5), x, maximum_iterations=9)
    (gradient,) = differentiate([sum_(last)], [full((), 1.0, dtype=float64)], [x])
    graph = Graph([x], [gradient])
    body = next(n for n in graph.nodes() if n.op == "scan").attributes["body"]
    assert "cond" in ops(body) and "cond" not in ops(choose_branches(body))
    assert choose_branches(Graph([x], [sin(x)])).outputs[0].op == "sin"
