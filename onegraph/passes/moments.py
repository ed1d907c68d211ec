"""Recognize mean and variance of the same values over the same dimensions, and compute them as one `moments` node.

What is matched is how `ops/normalization.py` and `ops/variance.py` write them: mean = sum(x) / n, and
sum((x - mean) * (x - mean)), by which the variance is found whatever it is divided by. A backend can then find both in
one pass over memory (`ops/moments.py` says how). Only where a dimension that is kept lies inside of those that are
reduced, as in batch normalization; over trailing dimensions (layer normalization) a row stays in the cache, and fusion
does as well.
"""

from __future__ import annotations

import math

from onegraph.ir.dtype import float32, float64
from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.passes.rewrite import make, number, rebuilt, reshaped

_Key = tuple[Node, tuple[int, ...]]


def find_moments(graph: Graph) -> Graph:
    """The same graph with means and sums of squared deviations taken together. All sizes must be known."""
    nodes = graph.nodes()
    rows: dict[Node, tuple[_Key, int]] = {}
    for node in nodes:
        if node.op == "sum":
            mean = _mean_of_deviations(node)
            if mean is not None:
                total = mean.inputs[0]
                key = (total.inputs[0], total.attributes["dims"])
                rows[mean], rows[node] = (key, 0), (key, 1)
    if not rows:
        return graph
    new: dict[Node, Node] = {}
    found: dict[_Key, Node] = {}
    for node in nodes:
        if node not in rows:
            new[node] = rebuilt(node, new)
            continue
        key, row = rows[node]
        if key not in found:
            found[key] = make("moments", new[key[0]], source=node.source, dims=key[1])
        new[node] = _row(found[key], row, node)
    return graph.map_outputs([new[o] for o in graph.outputs])


def _row(moments: Node, row: int, like: Node) -> Node:
    shape = moments.shape
    starts, stops, steps = (row, *[0] * (len(shape) - 1)), (row + 1, *shape[1:]), (1,) * len(shape)
    picked = make("slice", moments, source=like.source, starts=starts, stops=stops, steps=steps)
    return reshaped(picked, like.shape, like.source)


def _mean_of_deviations(node: Node) -> Node | None:
    """The mean, when a node is the sum of squared deviations from it; otherwise None."""
    square, dims = node.inputs[0], node.attributes["dims"]
    if square.op != "mul" or square.inputs[0] is not square.inputs[1] or node.dtype not in (float32, float64):
        return None
    if not dims or dims == tuple(range(len(square.shape) - len(dims), len(square.shape))):
        return None
    centered = square.inputs[0]
    if centered.op != "sub" or centered.shape != centered.inputs[0].shape:
        return None
    x, mean = centered.inputs
    kept = tuple([1 if d in dims else n for d, n in enumerate(x.shape)])
    if mean.shape != kept:
        return None
    while mean.op in ("reshape", "expand"):  # the shape says that only sizes of 1 came and went
        mean = mean.inputs[0]
    return mean if _is_mean(mean, x, dims) else None


def _is_mean(node: Node, x: Node, dims: tuple[int, ...]) -> bool:
    if node.op not in ("div", "mul") or node.inputs[0].op != "sum":
        return False
    total, factor = node.inputs
    if total.inputs[0] is not x or total.attributes["dims"] != dims or total.shape != node.shape:
        return False
    count = math.prod(int(x.shape[d]) for d in dims)
    value = number(factor)
    if value is None or not count:
        return False
    exact = count if node.op == "div" else 1 / count
    return bool(value == node.dtype.numpy.type(exact))
