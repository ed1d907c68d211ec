"""The verifier: sound graphs pass, every broken promise is named with its node and the user's line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from onegraph.errors import GraphError, ShapeError
from onegraph.ir import Attributes, Dim, Graph, Literal, Node, Shape, input_node
from onegraph.ir.dtype import DType, float32, float64
from onegraph.ir.node import EMPTY, bundle
from onegraph.ir.verify import verify
from tests.ir.graphs import graphs, loop, node


def broken(message: str, *outputs: Node, inputs: tuple[Node, ...] = ()) -> GraphError:
    with pytest.raises(GraphError) as caught:
        verify(Graph(inputs, outputs, "g"))
    assert message in caught.value.message, caught.value.message
    return caught.value


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_sound_graphs_pass(graph: Graph) -> None:
    verify(graph)


def test_the_error_names_the_node_and_the_users_line() -> None:
    x = input_node((2,), float32)
    y = Node("exp", (x,), EMPTY, (2,), float32)
    z = Node("neg", (y,), EMPTY, (-2,), float32, ("train.py", 12, "model/layer"))
    error = broken("g, %2 neg: a size is an int", z, inputs=(x,))
    assert error.location == ("train.py", 12) and "train.py:12" in str(error)


def test_inputs_are_declared_and_read_nothing() -> None:
    x = input_node((), float32)
    broken("%0 input: is read, but is not among the inputs", x)
    broken("%1 exp: a", Node("exp", (x,), EMPTY, (1.5,), float32), inputs=(x,))  # type: ignore[arg-type]
    x.inputs = (node("exp"),)
    broken("an `input` reads nothing", x, inputs=(x,))
    y = input_node((), float32)
    graph = Graph([y], [y])
    y.op = "exp"
    with pytest.raises(GraphError, match="is not an `input`"):
        verify(graph)


def test_cycles_are_found() -> None:
    a = node("exp")
    b = node("neg", a)
    a.inputs = (b,)
    broken("depends on itself", a)
    a.inputs = (a,)
    broken("depends on itself", b)


@pytest.mark.parametrize(
    "shape", [(-1,), (True,), (2.0,), [2], None, (np.int64(2),), (2**63,), (1,) * 65, (2**32,) * 2]
)
def test_shapes_are_checked(shape: Any) -> None:
    broken("g, %0 exp: ", Node("exp", (), EMPTY, shape, float32))


def test_fields_are_checked() -> None:
    broken("not empty", Node("", (), EMPTY, (), float32))
    broken("not empty", Node(3, (), EMPTY, (), float32))  # type: ignore[arg-type]
    broken("is not a dtype", Node("exp", (), EMPTY, (), "f32"))  # type: ignore[arg-type]
    broken("is not a dtype", Node("exp", (), EMPTY, (), DType("f8", "f8", "float", 8, np.uint8, 20)))
    broken("a bundle has no shape", Node("while", (), EMPTY, (2,), bundle))
    broken("must be Attributes", Node("exp", (), {}, (), float32))  # type: ignore[arg-type]
    broken("must be a tuple", Node("exp", [], EMPTY, (), float32))  # type: ignore[arg-type]
    wrong = Node("exp", (3,), EMPTY, (), float32)  # type: ignore[arg-type]
    broken("must be nodes, got int", wrong)
    wrong.inputs = ()  # so that it can be freed
    broken("the outputs must be nodes", 3)  # type: ignore[arg-type]
    broken("a source is", Node("exp", (), EMPTY, (), float32, ("train.py", "12", "")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {"a": 1},
        np.float32(1),
        np.float64(1),
        np.ones(2),
        object(),
        len,
        1j,
        b"x",
        2**64,
        (1, (2, [3])),
        (loop(),),
        Literal(np.ones(2), float32),
        DType("f8", "f8", "float", 8, np.uint8, 20),
    ],
    ids=lambda v: type(v).__name__,
)
def test_attribute_values_are_checked(value: Any) -> None:
    broken("%0 exp: attribute 'x': ", node("exp", x=value))


def test_attributes_nested_too_deeply_are_refused() -> None:
    value: Any = 1
    for _ in range(1000):
        value = (value,)
    broken("nested more than 32 deep", Node("exp", (), Attributes({"x": value}), (), float32))
    broken("must be a str", Node("exp", (), Attributes({3: 1}), (), float32))  # type: ignore[dict-item]


def test_graphs_within_graphs_are_checked() -> None:
    verify(loop())
    bad = Graph([], [node("neg", shape=(-1,))], "bad")
    outer = Graph([], [node("call", function=Graph([], [node("call", function=bad)]))], "outer")
    with pytest.raises(GraphError, match=r"outer, %0 call\.function, %0 call\.function, %0 neg: "):
        verify(outer)
    deep = Graph([], [])
    for _ in range(40):
        deep = Graph([], [node("call", function=deep)])
    with pytest.raises(GraphError, match="nested more than 32 deep"):
        verify(deep)


def exp_rule(op: str, tested: Node) -> tuple[Shape, DType] | None:
    if op != "exp":
        return None
    if tested.inputs[0].shape == (0,):
        raise ShapeError("exp: empty", hint="fill it")
    return tested.inputs[0].shape, tested.inputs[0].dtype


def test_a_rule_rechecks_shapes_and_dtypes() -> None:
    n = Dim.unknown("n")
    x = input_node((n, 3), float32)
    verify(Graph([x], [node("exp", node("exp", x, shape=(n, 3)), shape=(n, 3))]), exp_rule)
    for wrong in (node("exp", x, shape=(n, 4)), node("exp", x, shape=(n, 3), dtype=float64)):
        with pytest.raises(GraphError, match=r"%1 exp: has f(32|64)\[n, [34]\], its op gives f32\[n, 3\]"):
            verify(Graph([x], [wrong]), exp_rule)


def test_an_error_of_the_rule_becomes_one_that_names_the_node() -> None:
    x = input_node((0,), float32)
    with pytest.raises(GraphError, match="%1 exp: exp: empty") as caught:
        verify(Graph([x], [node("exp", x)]), exp_rule)
    assert caught.value.hint == "fill it"
    with pytest.raises(GraphError, match="do not fit the op") as caught:
        verify(Graph([], [node("exp")]), exp_rule)
    assert isinstance(caught.value.__cause__, IndexError)


def test_a_rule_that_passes_on_an_attribute_that_is_no_dtype_or_shape() -> None:
    for shown, words in (((), "x"), "'x' of shape ()"), ((5, float32), "of shape 5"):
        with pytest.raises(GraphError, match="do not fit the op, which gives") as caught:
            verify(Graph([], [node("iota")]), lambda op, tested, shown=shown: shown)  # type: ignore[arg-type]
        assert words in str(caught.value)
