"""Branches that cost little become a choice between two values: both are computed, and loops around them need no Python.

Only ops that cannot fail are computed although their branch is not taken. Read next: `scans.py`.
"""

from __future__ import annotations

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological, with_inputs
from onegraph.ops.lowering import Pointwise
from onegraph.ops.record import OPS, Kind
from onegraph.ops.tracing import inline
from onegraph.passes.rewrite import make

MOST_ELEMENTS = 1 << 16
"""Elements that both branches together compute at most."""
_MAY_FAIL = frozenset({"floor_div", "mod", "pow"})
"""Ops that division by zero stops, for integers."""


def choose_branches(graph: Graph) -> Graph:
    """The same graph with small branches as `where`."""
    chosen: dict[Node, list[Node]] = {}
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        made = with_inputs(node, tuple([new[i] for i in node.inputs]))
        if node.op == "cond" and _is_small(node):
            chosen[node] = _choices(made)
        elif node.op == "item" and node.inputs[0] in chosen:
            made = chosen[node.inputs[0]][node.attributes["index"]]
        new[node] = made
    return graph.map_outputs([new[o] for o in graph.outputs]) if chosen else graph


def _choices(node: Node) -> list[Node]:
    condition, *operands = node.inputs
    then, otherwise = (inline(choose_branches(node.attributes[name]), operands) for name in ("then", "otherwise"))
    return [a if a is b else make("where", condition, a, b) for a, b in zip(then, otherwise, strict=True)]


def _is_small(node: Node) -> bool:
    elements = 0
    for name in ("then", "otherwise"):
        for inner in topological(node.attributes[name].outputs):
            if not inner.inputs:
                continue
            if inner.op == "cond" and not _is_small(inner):
                return False
            if inner.op not in ("cond", "item"):
                if not _is_harmless(inner) or not isinstance(inner.size, int):
                    return False
                elements += inner.size
    return elements <= MOST_ELEMENTS


def _is_harmless(node: Node) -> bool:
    record = OPS[node.op]
    if node.op in _MAY_FAIL:
        return node.dtype.is_floating_point
    return isinstance(record.lowering, Pointwise) or record.kind in (Kind.MOVEMENT, Kind.REDUCTION)
