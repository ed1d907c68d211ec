"""Compute equal things once: nodes with the same op, attributes and inputs become one."""

from __future__ import annotations

from typing import Any

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import rebuild, with_inputs


def merge_common_subexpressions(graph: Graph) -> Graph:
    """The same graph with every computation written once."""
    seen: dict[tuple[Any, ...], Node] = {}

    def merge(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op == "input":
            return node
        key = (node.op, inputs, node.attributes, node.dtype)
        found = seen.get(key)
        if found is None:
            found = seen[key] = with_inputs(node, inputs)
        return found

    return graph.map_outputs(rebuild(graph.outputs, merge))
