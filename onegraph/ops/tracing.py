"""Turning Python functions on nodes into graphs, for the bodies and branches of control flow.

A function is called with new `input` nodes. What it reads from outside (closures) becomes further inputs of
the
graph: a body may use any node of its surroundings as if it were written in place.

Read next: `control.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from onegraph.errors import ArgumentTypeError
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, bundle, input_node
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.record import recorders

Form: TypeAlias = Any
"""The structure of nested tuples, lists and dicts, without their leaves; comparable."""


def flatten(value: Any) -> tuple[list[Any], Form]:
    """The leaves of nested tuples, lists and dicts, and their structure; None has no leaves.

    >>> flatten((1, [2, None], {"a": 3}))[0]
    [1, 2, 3]
    """
    leaves: list[Any] = []
    return leaves, _form(value, leaves)


def _form(value: Any, leaves: list[Any]) -> Form:
    if value is None:
        return None
    if isinstance(value, dict):
        return (dict, tuple(value), tuple([_form(v, leaves) for v in value.values()]))
    if isinstance(value, (list, tuple)):
        return (type(value), None, tuple([_form(v, leaves) for v in value]))
    leaves.append(value)
    return "leaf"


def unflatten(form: Form, leaves: Iterator[Any]) -> Any:
    """The structure with new leaves.

    >>> unflatten(flatten((1, [2, None]))[1], iter("ab"))
    ('a', ['b', None])
    """
    if form is None:
        return None
    if form == "leaf":
        return next(leaves)
    kind, names, parts = form
    values = [unflatten(part, leaves) for part in parts]
    if kind is dict:
        return dict(zip(names, values, strict=True))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def call_recorded(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, set[Node]]:
    """What a function returns, and the nodes that were made while it ran."""
    made: list[Node] = []
    recorders.append(made)
    try:
        result = function(*arguments)
    finally:
        recorders[:] = [r for r in recorders if r is not made]
    return result, set(made)


def check_leaf(op: str, value: Any) -> Any:
    """The value, when it is a node or a number."""
    if isinstance(value, (Node, bool, int, float)):
        return value
    raise ArgumentTypeError(f"{op}: expected tensors and numbers, got {type(value).__name__}: {value!r:.60}")


class Captures:
    """Nodes from outside that graphs read, and the inputs that stand for them."""

    def __init__(self) -> None:
        self._inner: dict[Node, Node] = {}

    @property
    def outer(self) -> list[Node]:
        """The nodes outside: operands of the control-flow node."""
        return list(self._inner)

    @property
    def inner(self) -> list[Node]:
        """The inputs that stand for them: further inputs of each graph."""
        return list(self._inner.values())

    def inside(self, node: Node) -> Node:
        """The input that stands for a node from outside."""
        if node not in self._inner:
            self._inner[node] = input_node(node.shape, node.dtype)
        return self._inner[node]

    def close(
        self, outputs: Sequence[Node], parameters: Sequence[Node], is_outer: Callable[[Node], bool]
    ) -> list[Node]:
        """The outputs with everything from outside replaced by inputs.

        Args:
            outputs: of a body or branch.
            parameters: its own inputs.
            is_outer: whether a node that is no parameter is to be computed outside; `input` nodes always are.
        """
        own = set(parameters)

        def stops(node: Node) -> bool:
            return node not in own and (node.op == "input" or (node.dtype is not bundle and is_outer(node)))

        new: dict[Node, Node] = {}
        for node in topological(outputs, stop=stops):
            if node in own:
                new[node] = node
            elif stops(node):
                new[node] = self.inside(node)
            else:
                new[node] = with_inputs(node, tuple([new[i] for i in node.inputs]))
        return [new[o] for o in outputs]


def is_cheap(node: Node) -> bool:
    """Whether a node is not worth handing in: constants, counting, and these broadcast."""
    while node.op in ("expand", "reshape", "cast"):
        node = node.inputs[0]
    return node.op in ("constant", "iota", "dimension")


def invariant(outputs: Sequence[Node], parameters: Sequence[Node]) -> Callable[[Node], bool]:
    """For loops: what does not depend on the parameters is computed once, outside."""
    varying = set(parameters)
    for node in topological(outputs):
        if any(i in varying for i in node.inputs):
            varying.add(node)
    return lambda node: node not in varying and not is_cheap(node)


def made_before(made: set[Node]) -> Callable[[Node], bool]:
    """For branches: what was there before the trace is computed outside, the rest only if chosen."""
    return lambda node: node not in made and not is_cheap(node)


def inline(graph: Graph, operands: Sequence[Node]) -> list[Node]:
    """The outputs of a graph with its inputs replaced by other nodes of the same shapes and dtypes."""
    new = dict(zip(graph.inputs, operands, strict=True))
    for node in graph.nodes():
        if node not in new:
            new[node] = with_inputs(node, tuple([new[i] for i in node.inputs]))
    return [new[o] for o in graph.outputs]
