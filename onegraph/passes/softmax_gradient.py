"""The gradient of softmax from its result: p * (g - sum(g * p)), which reads the result and its gradient alone.

Autodiff differentiates p = e / s with e = exp(x - max(x)) op by op, and gives e * (g / s - sum(g * (p / s))): e and s would
have to stay in memory, beside p, from the forward to the backward pass. In attention these are the largest values of all.
What is matched is just that expression, so only training is concerned. Rounding differs (docs/decisions/0012).
Source: Bridle, "Training stochastic model recognition algorithms as networks", 1990, section 3.
"""

from __future__ import annotations

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape
from onegraph.passes.rewrite import make, rewrite


def simplify_softmax_gradient(graph: Graph) -> Graph:
    """The same graph with gradients of softmax that need its result only."""
    return rewrite(graph, {"mul": _gradient})


def _gradient(node: Node) -> Node | None:
    """e * (g / s - sum(g * (p / s))) as p * (g - sum(g * p))."""
    for powers, factor in (node.inputs, node.inputs[::-1]):
        if powers.shape == factor.shape == node.shape and node.dtype.is_floating_point:
            for share, rest in _differences(factor):
                found = _matched(powers, share, rest)
                if found is not None:
                    result, g, total = found
                    dims = total.attributes["dims"]
                    product = make("mul", g, result, source=node.source)
                    along = make("sum", product, source=node.source, dims=dims, keepdim=True)
                    return make("mul", result, make("sub", g, along, source=node.source), source=node.source)
    return None


def _differences(node: Node) -> list[tuple[Node, Node]]:
    """The pairs (a, sum) for which a node is a - sum, that sum being broadcast."""
    if node.op == "sub":
        pairs, negative = [node.inputs], False
    elif node.op == "add":
        pairs, negative = [node.inputs, node.inputs[::-1]], True
    else:
        return []
    found = []
    for a, b in pairs:
        total = _sum_of(b, a)
        if total is not None and (total.inputs[0].op == "neg") == negative and _product(total).op == "mul":
            found.append((a, total))
    return found


def _sum_of(node: Node, like: Node) -> Node | None:
    """The sum that a node repeats along the dimensions that were summed."""
    if node.op == "expand":
        node = node.inputs[0]
    repeated = node.shape
    while node.op == "reshape":
        node = node.inputs[0]
    if node.op != "sum" or node.inputs[0].shape != like.shape:
        return None
    return node if repeated == _kept(node) else None


def _product(total: Node) -> Node:
    """What a sum adds up, but for its sign."""
    summed = total.inputs[0]
    return summed.inputs[0] if summed.op == "neg" else summed


def _kept(total: Node) -> Shape:
    """The shape of a sum that keeps its dimensions."""
    return tuple([1 if d in total.attributes["dims"] else n for d, n in enumerate(total.inputs[0].shape)])


def _matched(powers: Node, share: Node, total: Node) -> tuple[Node, Node, Node] | None:
    """Of e, g / s and sum(g * (p / s)): p, g and the sum, if they are that, and s does not vary along the sum."""
    if share.op != "div":
        return None
    g, s = share.inputs
    if s.shape != _kept(total) or g.shape != powers.shape:
        return None
    left, right = _product(total).inputs
    for other, quotient in ((left, right), (right, left)):
        if other is g and quotient.op == "div" and quotient.inputs[1] is s:
            result = quotient.inputs[0]
            if result.op == "div" and result.inputs[0] is powers and result.inputs[1] is s:
                return result, g, total
    return None
