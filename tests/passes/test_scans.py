"""Products move out of the gradients of scans, and sums behind them; nothing else changes."""

import numpy as np
import pytest

from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import float64
from onegraph.ir.verify import verify
from onegraph.ops.binary import add, mul
from onegraph.ops.control import ITEM
from onegraph.ops.control_functions import scan
from onegraph.ops.elementwise import sin
from onegraph.ops.evaluate import run_graph
from onegraph.ops.leaf import constant
from onegraph.ops.linear import matmul
from onegraph.ops.movement import full
from onegraph.ops.record import check_rule, differentiate
from onegraph.ops.reduction import sum_
from onegraph.passes.scans import improve_scans

RANDOM = np.random.default_rng(0)


def scans(graph):
    return [n for n in graph.nodes() if n.op == "scan"]


def products(scan):
    return sum(n.op == "matmul" for n in scan.attributes["body"].nodes())


def same(graph):
    """The improved graph, which must compute the same."""
    made = improve_scans(graph)
    verify(made, check_rule)
    arrays = [RANDOM.standard_normal(n.shape) * 0.5 for n in graph.inputs]
    for a, b in zip(run_graph(graph, arrays), run_graph(made, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    return made


def recurrent(reverse=False, length=5):
    """A recurrent network, and the gradients of its loss."""
    h, w, b = input_node((3, 4), float64), input_node((4, 4), float64), input_node((4,), float64)
    xs = input_node((length, 3, 4), float64)
    last, rows = scan(lambda c, x: (new := sin(add(add(matmul(c, w), x), b)), mul(new, c)), h, xs, reverse=reverse)
    loss = add(sum_(mul(last, last)), sum_(sin(rows)))
    inputs = [h, w, b, xs]
    return inputs, Graph(inputs, [loss, *differentiate([loss], [constant(1.0, float64)], inputs)])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 5])
def test_the_gradient_of_a_recurrent_network(reverse, length):
    _, graph = recurrent(reverse, length)
    before = scans(graph)
    assert [products(s) for s in before] == [1, 3]
    made = same(graph)
    forward, backward = scans(made)
    assert [products(forward), products(backward)] == [1, 1]  # kept, and summed after the loop
    assert backward.attributes["carried"] == 1  # the sums of the weight and of the bias are no carries any more
    assert sum(n.op == "matmul" for n in made.nodes()) == 1


def test_second_gradients():
    inputs, graph = recurrent()
    again = differentiate([sum_(mul(o, o)) for o in graph.outputs[2:]], [constant(1.0, float64)] * 3, inputs)
    same(Graph(inputs, [*graph.outputs, *again]))


def test_what_cannot_be_moved_stays():
    h, w = input_node((2, 2), float64), input_node((2, 2), float64)
    xs = input_node((4, 2, 2), float64)
    total = full((2, 2), 0.0, dtype=float64)

    def used_within(carry, x):
        return (add(carry, matmul(x, w)), None)  # the product does not depend on the carry, but is no gradient either

    def read_by_another(carry, x):
        total, other = carry
        return (add(total, matmul(x, x)), sin(add(other, total))), None

    def stacked(carry, x):
        new = add(carry, matmul(x, x))
        return new, new

    for step, start, outputs in ((read_by_another, (total, h), 2), (stacked, total, 1)):
        last, rows = scan(step, start, xs)
        results = [*(last if outputs == 2 else [last]), *([] if rows is None else [rows])]
        inputs = [h, xs] if outputs == 2 else [xs]
        graph = Graph(inputs, results)
        made = same(graph)
        assert scans(made)[0].attributes["carried"] == outputs
    last, _ = scan(used_within, h, xs)
    same(Graph([h, w, xs], [last]))


def test_sums_that_are_asked_for_before_each_step_stay():
    h, xs = input_node((2, 2), float64), input_node((4, 2, 2), float64)
    last, _ = scan(lambda c, x: (add(c, matmul(x, x)), None), h, xs)
    history = ITEM(last.inputs[0], index=1)
    made = same(Graph([h, xs], [last, history]))
    assert scans(made)[0].attributes["carried"] == 1


def test_movements_are_followed():
    h, xs = input_node((5, 3), float64), input_node((4, 3, 6), float64)

    def step(carry, x):
        from onegraph.ops.layout import transpose
        from onegraph.ops.movement import slice_dim

        left, right = transpose(slice_dim(x, 1, 1, 6), 0, 1), sin(slice_dim(x, 1, 0, 3))
        return add(transpose(matmul(transpose(right, 0, 1), transpose(left, 0, 1)), 0, 1), carry), None

    last, _ = scan(step, h, xs)
    made = same(Graph([h, xs], [last]))
    (node,) = scans(made)
    assert node.attributes["carried"] == 0


def test_graphs_without_scans_are_left_alone():
    x = input_node((2,), float64)
    graph = Graph([x], [sin(x)])
    assert improve_scans(graph) is graph
