"""Take out ops that do nothing when a graph runs: markers for gradients, casts to the same dtype, reshapes of reshapes.

No rewrite here changes a bit of any result.
"""

from __future__ import annotations

from onegraph.ir.graph import Graph
from onegraph.ir.node import Attributes, Node
from onegraph.ir.traverse import rebuild, with_inputs

_MARKERS = frozenset({"detach", "with_gradient"})


def simplify(graph: Graph) -> Graph:
    """The same graph without ops that only pass their input on."""
    return graph.map_outputs(rebuild(graph.outputs, _simplify_node))


def _simplify_node(node: Node, inputs: tuple[Node, ...]) -> Node:
    op = node.op
    if op in _MARKERS:
        return inputs[0]
    if op == "cast" and inputs[0].dtype is node.dtype:
        return inputs[0]
    if op in ("reshape", "expand") and inputs[0].shape == node.shape:
        return inputs[0]
    if op == "reshape" and inputs[0].op == "reshape":
        return _simplify_node(node, inputs[0].inputs)
    if op == "permute" and inputs[0].op == "permute":
        inner = inputs[0].attributes["dims"]
        order = tuple(inner[d] for d in node.attributes["dims"])
        if order == tuple(range(len(order))):
            return inputs[0].inputs[0]
        return Node("permute", inputs[0].inputs, Attributes(dims=order), node.shape, node.dtype, node.source)
    if op == "permute" and node.attributes["dims"] == tuple(range(node.ndim)):
        return inputs[0]
    if op == "neg" and inputs[0].op == "neg":
        return inputs[0].inputs[0]
    if op == "not" and inputs[0].op == "not":
        return inputs[0].inputs[0]
    return with_inputs(node, inputs)
