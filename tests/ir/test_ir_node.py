"""Nodes, attributes, literals and graphs: what never changes, what is equal, and depth without recursion."""

from __future__ import annotations

import math
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from onegraph.errors import GraphError
from onegraph.ir import Attributes, Graph, Literal, Node, input_node, rebuild, substitute, topological
from onegraph.ir.dtype import float32, float64, int32
from onegraph.ir.graphviz import to_graphviz
from onegraph.ir.node import EMPTY, Scopes
from onegraph.ir.text import from_text, to_text
from onegraph.ir.traverse import with_inputs
from onegraph.ir.verify import verify
from tests.ir.graphs import chain, loop, node

DEEP = 100_000


@contextmanager
def little_stack() -> Iterator[None]:
    """Python frames for about 150 nested calls more."""
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 150)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.__setitem__("axis", 2),
        lambda a: a.__delitem__("axis"),
        lambda a: a.update(axis=2),
        lambda a: a.pop("axis"),
        lambda a: a.popitem(),
        lambda a: a.clear(),
        lambda a: a.setdefault("other", 2),
        lambda a: a.__ior__({"axis": 2}),
    ],
)
def test_attributes_never_change(change: Callable[[Attributes], Any]) -> None:
    attributes = Attributes(axis=1)
    with pytest.raises(TypeError, match="never change"):
        change(attributes)
    assert attributes == {"axis": 1}


@pytest.mark.parametrize(
    ("a", "b"),
    [(0.0, -0.0), (1, 1.0), (1, True), (0, False), ((1, (0.0,)), (1, (-0.0,))), (1, "1"), (None, 0)],
)
def test_attributes_tell_apart_what_python_does_not(a: Any, b: Any) -> None:
    left, right = Attributes(value=a), Attributes(value=b)
    assert left != right
    assert (left == right) is False  # both operators are our own
    graphs = [Graph([], [Node("constant", (), x, (), float32)]) for x in (left, right)]
    assert graphs[0] != graphs[1]


def test_equal_attributes_have_equal_hashes() -> None:
    nan, other = float("nan"), math.inf - math.inf
    for a, b in [
        (Attributes(x=1, y=(2, 3)), Attributes(y=(2, 3), x=1)),
        (Attributes(x=nan), Attributes(x=other)),
        (Attributes(x=(1, (nan,))), Attributes(x=(1, (other,)))),
        (Attributes(x=Literal(np.ones(3), float64)), Attributes(x=Literal(np.ones(3), float64))),
        (Attributes(body=loop()), Attributes(body=loop())),
    ]:
        assert a == b and hash(a) == hash(b)
        assert (a != b) is False
    assert pickle.loads(pickle.dumps(Attributes(x=1, y="z"))) == Attributes(x=1, y="z")


def test_literals_are_read_only_and_compare_bits() -> None:
    array = np.array([0.0, np.nan])
    literal = Literal(array, float64)
    array[0] = 5
    assert literal == Literal(np.array([0.0, np.nan]), float64)
    assert literal != Literal(np.array([-0.0, np.nan]), float64)
    assert Literal(np.zeros(2, np.int32), int32) != Literal(np.zeros(2, np.float32), float32)
    assert Literal(np.zeros((2, 1)), float64) != Literal(np.zeros((1, 2)), float64)
    with pytest.raises(ValueError, match="read-only"):
        literal.array[0] = 1


def test_graphs_are_equal_by_structure() -> None:
    assert chain(5) == chain(5) and hash(chain(5)) == hash(chain(5))
    assert chain(5) != chain(6) and loop() == loop() and chain(5) != "graph"
    x = input_node((2,), float32)
    same = [Node("neg", (x,), attributes, (2,), float32) for attributes in (EMPTY, Attributes())]
    assert Graph([x], same[:1]) == Graph([x], same[1:])
    once, twice = node("neg", x, shape=(2,)), node("neg", x, shape=(2,))
    assert Graph([x], [node("add", once, once, shape=(2,))]) != Graph([x], [node("add", once, twice, shape=(2,))])


def test_a_graph_refuses_wrong_inputs() -> None:
    x = input_node((), float32)
    with pytest.raises(GraphError, match="must be an `input`"):
        Graph([node("exp", x)], [x])
    with pytest.raises(GraphError, match="listed twice"):
        Graph([x, x], [x])
    open_graph = Graph([], [node("exp", x)])
    for use in (Graph.key, str):
        with pytest.raises(GraphError, match="not among its inputs"):
            use(open_graph)


def test_topological_order_lists_inputs_first_and_each_node_once() -> None:
    x = input_node((), float32)
    a = node("exp", x)
    b = node("mul", a, x)
    c = node("add", b, a)
    assert topological([c, b]) == [x, a, b, c]
    assert topological([c], stop=lambda n: n is b) == [b, x, a, c]


def test_rebuild_shares_what_did_not_change() -> None:
    x, y = input_node((), float32), input_node((), float32)
    a, b = node("exp", x), node("exp", y)
    c = node("add", a, b)
    assert rebuild([c], with_inputs) == [c]
    z = node("neg", y)
    (new,) = substitute([c], {y: z})
    assert new is not c and new.inputs[0] is a and new.inputs[1].inputs == (z,)


def test_100_000_nodes_in_a_row_need_no_recursion() -> None:
    with little_stack():
        graph = chain(DEEP)
        assert len(graph.nodes()) == DEEP + 1
        verify(graph)
        text = to_text(graph)
        assert text.count("\n") == DEEP + 3
        assert from_text(text) == graph
        assert to_graphviz(graph).count("->") == 2 * DEEP + 1
        (rebuilt,) = rebuild(graph.outputs, lambda n, i: n if not i else Node(n.op, i, n.attributes, n.shape, n.dtype))
        assert rebuilt is not graph.outputs[0]


def test_a_long_chain_is_freed_at_once_and_without_recursion() -> None:
    graph = chain(DEEP)
    first = weakref.ref(graph.nodes()[1])
    with little_stack():
        del graph
    assert first() is None


def test_freeing_leaves_alone_what_somebody_still_holds() -> None:
    graph = chain(1000)
    middle = graph.nodes()[500]
    assert middle.op == "add"
    held = middle.inputs
    del graph
    assert middle.inputs is held and len(topological([middle])) == 501
    user = node("neg", middle, shape=(2,))  # one reference from a node, one from here: neither may lose its inputs
    del user
    assert middle.inputs is held
    keeper = [node("neg", middle, shape=(2,))]
    del middle, held
    other = node("exp", keeper[0], shape=(2,))
    del other
    assert len(topological(keeper)) == 502


def test_scopes_nest() -> None:
    scopes = Scopes()
    outer = scopes.enter("model")
    inner = scopes.enter("layer")
    assert scopes.path == "model/layer"
    scopes.leave(inner)
    assert scopes.path == "model"
    scopes.leave(outer)
    assert scopes.path == ""
