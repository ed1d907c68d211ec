"""Walking graphs without recursion, so that 100,000 nodes in a row are nothing special."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from onegraph.errors import GraphError
from onegraph.ir.node import Node


def topological(
    outputs: Iterable[Node],
    stop: Callable[[Node], bool] | None = None,
    inputs_of: Callable[[Node], Sequence[Node]] | None = None,
) -> list[Node]:
    """Nodes that the outputs depend on, every node after its inputs, in the order of a depth-first walk.

    Args:
        outputs: where to start.
        stop: nodes for which this is true are listed, but not what they depend on.
        inputs_of: what a node depends on; its inputs unless told.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Node | None] = []
    opened: list[Node] = []
    for output in outputs:
        if output in seen:
            continue
        stack.append(output)
        while stack:
            node = stack.pop()
            if node is None:
                order.append(opened.pop())
            elif node not in seen:
                seen.add(node)
                inputs = node.inputs if inputs_of is None else inputs_of(node)
                if not inputs or (stop is not None and stop(node)):
                    order.append(node)
                else:
                    opened.append(node)
                    stack.append(None)
                    stack.extend(reversed(inputs))
    return order


def rebuild(outputs: Sequence[Node], replace: Callable[[Node, tuple[Node, ...]], Node]) -> list[Node]:
    """The graph again, each node made by `replace(node, new inputs)`.

    `replace` may return the node itself when nothing changed; that keeps untouched parts shared.
    """
    new: dict[Node, Node] = {}
    for node in topological(outputs):
        new[node] = replace(node, tuple(new[i] for i in node.inputs))
    return [new[o] for o in outputs]


def substitute(outputs: Sequence[Node], replacements: dict[Node, Node]) -> list[Node]:
    """The graph with some nodes (usually inputs) replaced by others."""

    def replace(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node in replacements:
            return replacements[node]
        return with_inputs(node, inputs)

    return rebuild(outputs, replace)


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node with other inputs of the same shapes; itself when they are the same."""
    if inputs == node.inputs:
        return node
    return Node(node.op, inputs, node.attributes, node.shape, node.dtype, node.source)


def structure_key(outputs: Sequence[Node], inputs: Sequence[Node]) -> tuple[Any, ...]:
    """A hashable form that is equal exactly for graphs of equal structure, whatever their nodes are."""
    index: dict[Node, int] = {}
    parts: list[Any] = [(n.shape, n.dtype) for n in inputs]
    for position, node in enumerate(inputs):
        index[node] = position
    for node in topological(outputs):
        if node in index:
            continue
        if node.op == "input":
            raise GraphError(f"the graph reads {node!r} ({dict(node.attributes)}), which is not among its inputs")
        parts.append((node.op, node.attributes, node.dtype if node.attributes else None,
                      tuple([index[i] for i in node.inputs])))  # fmt: skip
        index[node] = len(index)
    parts.append(tuple(index[o] for o in outputs))
    return tuple(parts)
