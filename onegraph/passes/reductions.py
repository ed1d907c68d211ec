"""Reductions of dimensions that hold nothing to reduce: of size 1, or repeated by `expand`.

What autodiff leaves behind, mostly. No bit changes. A sum of n equal integers is a product; of floating numbers it is
so only where no sum on the way is rounded, in whatever order they are added. That can be told of constants alone.
"""

from __future__ import annotations

import math

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node, Shape
from onegraph.ops.leaf import constant
from onegraph.passes.rewrite import Rule, filled, holds, make, number, reshaped, rewrite, spread


def simplify_reductions(graph: Graph) -> Graph:
    """The same graph with fewer and smaller reductions. All sizes must be known."""
    return rewrite(graph, _RULES)


def _of_one_element(node: Node) -> Node | None:
    """The input itself, when every dimension that is reduced has size 1."""
    x = node.inputs[0]
    if any(x.shape[d] != 1 for d in node.attributes["dims"]):
        return None
    y = reshaped(x, node.shape, node.source)
    if node.op == "sum" and node.dtype.is_floating_point:
        return make("add", y, constant(0.0, node.dtype), source=node.source)  # a sum is never -0.0
    return y


def _repeated(node: Node) -> tuple[int, ...]:
    """The dimensions that are reduced and that the input only repeats."""
    x = node.inputs[0]
    if x.op != "expand" or 0 in x.shape:
        return ()
    inner = x.inputs[0].shape
    lead = len(x.shape) - len(inner)
    return tuple([d for d in node.attributes["dims"] if x.shape[d] != 1 and (d < lead or inner[d - lead] == 1)])


def _without(node: Node, repeated: tuple[int, ...]) -> Node:
    """The reduction of the input without its repeated dimensions."""
    x = node.inputs[0]
    inner = x.inputs[0]
    full: Shape = (1,) * (len(x.shape) - len(inner.shape)) + inner.shape
    y = reshaped(inner, full, node.source)
    shape = tuple([1 if d in repeated else n for d, n in enumerate(x.shape)])
    if shape != full:
        y = make("expand", y, source=node.source, shape=shape)
    rest = tuple([d for d in node.attributes["dims"] if d not in repeated])
    if any(shape[d] != 1 for d in rest):
        y = make(node.op, y, source=node.source, dims=rest, keepdim=True)
    return reshaped(y, node.shape, node.source)


def _extreme(node: Node) -> Node | None:
    found = _of_one_element(node)
    if found is not None:
        return found
    repeated = _repeated(node)
    return _without(node, repeated) if repeated else None


def _sum(node: Node) -> Node | None:
    found = _of_one_element(node)
    if found is not None:
        return found
    repeated = _repeated(node)
    if not repeated:
        return None
    count = math.prod(int(node.inputs[0].shape[d]) for d in repeated)
    if node.dtype.is_floating_point:
        return _exact_sum(node, count) if len(repeated) == _large(node) else None
    factor = spread(constant(count, node.dtype), node)
    return make("mul", _without(node, repeated), factor, source=node.source)


def _large(node: Node) -> int:
    """How many of the dimensions that are reduced have a size other than 1."""
    return sum(node.inputs[0].shape[d] != 1 for d in node.attributes["dims"])


_PRECISION = {"float32": 24, "float64": 53}


def _exact_sum(node: Node, count: int) -> Node | None:
    """The sum of one constant again and again, when all its multiples up to the sum are numbers of the dtype."""
    value = number(node.inputs[0])
    if value is None or not math.isfinite(value) or node.dtype.name not in _PRECISION:
        return None
    odd = abs(value).as_integer_ratio()[0]
    odd //= (odd & -odd) or 1  # without its factors of two
    if odd * count > 1 << _PRECISION[node.dtype.name] or not holds(value * count, node.dtype):
        return None
    return filled(value * count + 0.0, node)


_RULES: dict[str, Rule] = {"sum": _sum, "prod": _of_one_element, "max": _extreme, "min": _extreme}
