"""What the local passes share: rules for single nodes, applied to every node of a graph, and helpers to write rules with.

A rule is given a node whose inputs are rewritten already. It returns the node to put in its place, or None to leave
it. Read next: `algebra.py` (the simplest set of rules), `pipeline.py` (the order of the passes).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from onegraph.ir.dtype import DType, bfloat16, bfloat16_to_float32
from onegraph.ir.graph import Graph
from onegraph.ir.node import EMPTY, Attributes, Literal, Node, Shape, Source
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.leaf import constant
from onegraph.ops.record import OPS

Rule: TypeAlias = Callable[[Node], "Node | None"]

_SPREADING = frozenset({"expand", "reshape", "permute"})


def rewrite(graph: Graph, rules: Mapping[str, Rule]) -> Graph:
    """The graph with rules applied to every node, inputs first; the same object when no rule applied.

    Args:
        graph: any graph.
        rules: by op. A rule must make progress: it is asked again about what it returns.
    """
    new: dict[Node, Node] = {}
    for node in topological(graph.outputs):
        inputs = node.inputs
        current = with_inputs(node, tuple([new[i] for i in inputs])) if inputs else node
        rule = rules.get(current.op)
        while rule is not None:
            found = rule(current)
            if found is None:
                break
            current = found
            rule = rules.get(current.op)
        new[node] = current
    outputs = [new[o] for o in graph.outputs]
    return graph if tuple(outputs) == graph.outputs else graph.map_outputs(outputs)


def make(op: str, *inputs: Node, source: Source | None = None, **attributes: Any) -> Node:
    """A new node, its shape and dtype inferred by the op's rule."""
    shape, dtype = OPS[op].rule(*inputs, **attributes)
    return Node(op, inputs, Attributes(attributes) if attributes else EMPTY, shape, dtype, source)


def reshaped(x: Node, shape: Shape, source: Source | None = None) -> Node:
    """x under another shape, without a reshape where none is needed, nor two in a row."""
    while x.shape != shape and x.op == "reshape":
        x = x.inputs[0]
    return x if x.shape == shape else make("reshape", x, source=source, shape=shape)


def rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    """The node with the new forms of its inputs; reshapes that meet in this way become one."""
    inputs = tuple([new[i] for i in node.inputs])
    if inputs == node.inputs:
        return node
    return reshaped(inputs[0], node.shape, node.source) if node.op == "reshape" else with_inputs(node, inputs)


def spread(x: Node, like: Node) -> Node:
    """x broadcast to the shape of the node that it replaces."""
    return x if x.shape == like.shape else make("expand", x, source=like.source, shape=like.shape)


def filled(value: Any, like: Node) -> Node:
    """One number everywhere, with the shape and dtype of the node that it replaces."""
    return spread(constant(value, like.dtype), like)


def literal_number(literal: Literal) -> Any:
    """The only number of a literal, as a Python number."""
    array = literal.array
    return (bfloat16_to_float32(array) if literal.dtype is bfloat16 else array).item()


def number(node: Node) -> Any:
    """The number that a node is everywhere, when it is a constant of one element, expanded or not; otherwise None.

    >>> from onegraph.ir.dtype import float32
    >>> from onegraph.ops.movement import full
    >>> number(full((2, 3), 0.5)), number(constant([1.0, 2.0], float32))
    (0.5, None)
    """
    while node.op in _SPREADING:
        node = node.inputs[0]
    if node.op != "constant":
        return None
    literal: Literal = node.attributes["value"]
    return literal_number(literal) if literal.array.size == 1 else None


def is_zero(value: Any, sign: float) -> bool:
    """Whether a number is the zero of that sign."""
    return value == 0 and math.copysign(1.0, value) == sign


def holds(value: float, dtype: DType) -> bool:
    """Whether a floating dtype has exactly this number."""
    found: float = literal_number(constant(value, dtype).attributes["value"])
    return found == value
