"""Graphs for the tests of the IR: small ones by hand, and random ones for hypothesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from onegraph.ir import Attributes, Dim, Graph, Literal, Node, input_node
from onegraph.ir.dtype import ALL, bfloat16, bool_, float32
from onegraph.ir.node import EMPTY, bundle


def node(op: str, *inputs: Node, shape: tuple[Any, ...] = (), dtype: Any = float32, **attributes: Any) -> Node:
    return Node(op, inputs, Attributes(attributes) if attributes else EMPTY, shape, dtype)


def chain(length: int) -> Graph:
    """x + x + x ..., `length` additions deep, each input of a node twice."""
    x = input_node((2,), float32, "x")
    y = x
    for _ in range(length):
        y = Node("add", (y, y), EMPTY, (2,), float32)
    return Graph([x], [y], "chain")


def loop() -> Graph:
    """A graph with a control-flow node that holds two graphs, one of which holds another."""
    n = input_node((), float32, "n")
    inner = Graph([n], [node("exp", n)], "inner")
    a, b = input_node((3,), float32), input_node((), float32)
    body = Graph([a, b], [node("call", a, b, shape=(3,), function=inner), b], "body")
    c, d = input_node((3,), float32), input_node((), float32)
    condition = Graph([c, d], [node("less", d, d, dtype=bool_)], "condition")
    x, y = input_node((3,), float32, "x"), input_node((), float32, "y")
    both = node("while", x, y, dtype=bundle, body=body, condition=condition)
    return Graph([x, y], [node("item", both, shape=(3,), index=0), node("item", both, index=1)], "loop")


names = st.text(max_size=8)
dims = st.recursive(
    st.sampled_from([Dim.unknown("n"), Dim.unknown("batch"), Dim.unknown("x_1")]),
    lambda inner: st.builds(
        lambda d, a, b, c: d * a + b if c is None or not isinstance(d, Dim) else (d * a + b) // c,
        inner,
        st.integers(1, 9),
        st.integers(-5, 9),
        st.none() | st.integers(2, 7),
    ).filter(lambda d: isinstance(d, Dim)),
    max_leaves=4,
)
shapes = st.lists(st.integers(0, 5) | dims, max_size=3).map(tuple)
dtypes = st.sampled_from(ALL)


@st.composite
def literals(draw: Any) -> Literal:
    dtype = draw(dtypes)
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    count = math.prod(shape)
    content = draw(st.binary(min_size=count * dtype.numpy.itemsize, max_size=count * dtype.numpy.itemsize))
    if dtype is bool_:
        content = bytes(b & 1 for b in content)
    return Literal(np.frombuffer(content, dtype.numpy).reshape(shape), dtype)


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | names | dims | dtypes | literals()
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@st.composite
def graphs(draw: Any, depth: int = 1) -> Graph:
    """A random closed graph; nothing in it makes sense to an op, and it need not."""
    inputs = []
    for _ in range(draw(st.integers(0, 3))):
        attributes = draw(st.dictionaries(names, values, max_size=1) | st.builds(lambda n: {"name": n}, names))
        inputs.append(Node("input", (), Attributes(attributes), draw(shapes), draw(dtypes)))
    held = values | graphs(depth - 1) if depth else values
    nodes = list(inputs)
    for _ in range(draw(st.integers(0, 5))):
        sources = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
        attributes = draw(st.dictionaries(names, held, max_size=3))
        several = draw(st.booleans())
        shape, dtype = ((), bundle) if several else (draw(shapes), draw(dtypes))
        op = draw(names.filter(lambda n: n and n != "input"))
        nodes.append(Node(op, tuple(sources), Attributes(attributes), shape, dtype))
    outputs = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
    return Graph(inputs, outputs, draw(names))


def as_float32(values: list[float], bf16: bool = False) -> Literal:
    array = np.array(values, np.float32)
    return Literal((array.view(np.uint32) >> 16).astype(np.uint16), bfloat16) if bf16 else Literal(array, float32)
