"""Replace unknown sizes by numbers: the graph again, with every shape inferred anew from known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onegraph.errors import FeedError
from onegraph.ir.dim import Dim, evaluate_sizes
from onegraph.ir.graph import Graph
from onegraph.ir.node import Attributes, Node, Shape, input_node
from onegraph.ir.traverse import rebuild
from onegraph.ops.record import record_of
from onegraph.ops.shapes import show


def bind_sizes(name: str, declared: Shape, actual: Sequence[int], values: dict[str, int]) -> None:
    """Learn unknown sizes from the shape of a value that is fed; a FeedError when it does not fit.

    >>> values = {}
    >>> bind_sizes("x", (Dim.unknown("batch"), 10), (64, 10), values)
    >>> values
    {'batch': 64}
    """
    if len(declared) != len(actual):
        raise FeedError(f"{name}: needs {len(declared)} dimensions {show(declared)}, got shape {show(actual)}")
    for want, have in zip(declared, actual, strict=True):
        if isinstance(want, Dim):
            unknown = next(iter(want.unknowns()))
            if want == Dim.unknown(unknown) and values.setdefault(unknown, have) == have:
                continue
            want = want.evaluate(values)
        if want != have:
            raise FeedError(f"{name}: needs shape {show(declared)}, got {show(actual)}: sizes {want} and {have} differ")


def _evaluate(value: Any, values: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return value.evaluate(values)
    if isinstance(value, tuple):
        return tuple([_evaluate(v, values) for v in value])
    if isinstance(value, Graph):
        return specialize(value, values)
    return value


def specialize(graph: Graph, values: Mapping[str, int]) -> Graph:
    """The graph with unknown sizes replaced.

    Args:
        graph: may have Dims in shapes and attributes.
        values: a number for each unknown.
    """
    inputs = [input_node(evaluate_sizes(n.shape, values), n.dtype, n.attributes.get("name")) for n in graph.inputs]
    known = dict(zip(graph.inputs, inputs, strict=True))

    def replace(node: Node, sources: tuple[Node, ...]) -> Node:
        if node in known:
            return known[node]
        attributes = node.attributes
        if attributes:
            attributes = Attributes({k: _evaluate(v, values) for k, v in attributes.items()})
        shape, dtype = record_of(node).rule(*sources, **attributes)
        return Node(node.op, sources, attributes, shape, dtype, node.source)

    return Graph(inputs, rebuild(graph.outputs, replace), graph.name)


def has_unknown_sizes(graph: Graph) -> bool:
    """Whether any input has a size that is not known."""
    return any(isinstance(s, Dim) for n in graph.inputs for s in n.shape)
