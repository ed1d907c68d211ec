"""Movements of movements become one, and those that move nothing go: reshape, permute, expand, slice, pad, flip, concat.

Elements are only moved, so no bit changes. Read next: `reductions.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from onegraph.ir.graph import Graph
from onegraph.ir.node import Node
from onegraph.passes.rewrite import Rule, make, reshaped, rewrite, spread


def simplify_movement(graph: Graph) -> Graph:
    """The same graph with fewer movements of elements. All sizes must be known."""
    return rewrite(graph, _Movement().rules)


def _one_number(node: Node) -> Node | None:
    """Any movement of one number that is repeated gives that number, repeated."""
    x = node.inputs[0]
    if x.op != "expand" or math.prod(x.inputs[0].shape) != 1:
        return None
    return spread(reshaped(x.inputs[0], (), node.source), node)


def _reshape(node: Node) -> Node | None:
    x = node.inputs[0]
    if x.shape == node.shape:
        return x
    if x.op == "reshape":
        return reshaped(x, node.shape, node.source)
    return _one_number(node)


def _permute(node: Node) -> Node | None:
    x, dims = node.inputs[0], node.attributes["dims"]
    if x.op == "permute":
        inner = x.attributes["dims"]
        return make("permute", x.inputs[0], source=node.source, dims=tuple([inner[d] for d in dims]))
    moved = [d for d in dims if x.shape[d] != 1]
    if moved == sorted(moved):
        return reshaped(x, node.shape, node.source)
    return _one_number(node)


def _expand(node: Node) -> Node | None:
    x = node.inputs[0]
    if x.shape == node.shape:
        return x
    if x.op == "expand":
        return spread(x.inputs[0], node)
    return None


def _flip(node: Node) -> Node | None:
    x, dims = node.inputs[0], node.attributes["dims"]
    if all(x.shape[d] == 1 for d in dims):
        return x
    if x.op == "flip" and x.attributes["dims"] == dims:
        return x.inputs[0]
    return _one_number(node)


def _pad(node: Node) -> Node | None:
    if not any(low or high or (inner and size > 1) for (low, high, inner), size in _padded(node)):
        return node.inputs[0]
    return None


def _padded(node: Node) -> zip[Any]:
    return zip(node.attributes["padding"], node.inputs[0].shape, strict=True)


def _sliced(x: Node, node: Node, starts: list[int], steps: list[int]) -> Node:
    """The elements of x from `starts` on that have the shape of the node; x itself when that is all of it."""
    if x.shape == node.shape and not any(starts):
        return x
    stops = [start + (n - 1) * step + 1 for start, n, step in zip(starts, node.shape, steps, strict=True)]
    return make("slice", x, source=node.source, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))


class _Movement:
    """The rules, with what they remember of a graph: where the inputs of each concat start."""

    def __init__(self) -> None:
        self.borders: dict[Node, list[int]] = {}
        self.rules: dict[str, Rule] = {
            "reshape": _reshape,
            "permute": _permute,
            "expand": _expand,
            "flip": _flip,
            "pad": _pad,
            "slice": self._slice,
            "concat": _concat,
        }

    def _slice(self, node: Node) -> Node | None:
        x = node.inputs[0]
        if x.shape == node.shape:
            return x
        if 0 in node.shape:
            return None
        starts, steps = list(node.attributes["starts"]), list(node.attributes["steps"])
        if x.op == "slice":
            inner_starts, inner_steps = x.attributes["starts"], x.attributes["steps"]
            starts = [a + s * b for a, b, s in zip(inner_starts, inner_steps, starts, strict=True)]
            steps = [a * b for a, b in zip(inner_steps, steps, strict=True)]
            return _sliced(x.inputs[0], node, starts, steps)
        if x.op == "pad":
            return _slice_of_pad(x, node, starts, steps)
        if x.op == "concat":
            return self._slice_of_concat(x, node, starts, steps)
        return _one_number(node)

    def _slice_of_concat(self, x: Node, node: Node, starts: list[int], steps: list[int]) -> Node | None:
        """A slice that lies in one input is a slice of that input."""
        dim = x.attributes["dim"]
        borders = self.borders.get(x)
        if borders is None:
            borders = self.borders[x] = list(accumulate((i.shape[dim] for i in x.inputs), initial=0))
        which = bisect_right(borders, starts[dim]) - 1
        last = starts[dim] + (node.shape[dim] - 1) * steps[dim]
        if last >= borders[which + 1]:
            return None
        starts[dim] -= borders[which]
        return _sliced(x.inputs[which], node, starts, steps)


def _slice_of_pad(x: Node, node: Node, starts: list[int], steps: list[int]) -> Node | None:
    """A slice that none of the padding gets into is a slice of what was padded."""
    inner = []
    for (low, _, between), size, start, n, step in zip(
        x.attributes["padding"], x.inputs[0].shape, starts, node.shape, steps, strict=True
    ):
        start -= low
        if between or start < 0 or start + (n - 1) * step >= size:
            return None
        inner.append(start)
    return _sliced(x.inputs[0], node, inner, steps)


def _concat(node: Node) -> Node | None:
    """Without empty inputs; neighbouring slices of one thing become one slice, or the thing itself."""
    dim = node.attributes["dim"]
    kept: list[Node] = []
    for x in node.inputs:
        if x.shape[dim] == 0 and len(node.inputs) > 1:
            continue
        joined = _joined(kept[-1], x, dim) if kept and x.op == "slice" else None
        if joined is None:
            kept.append(x)
        else:
            kept[-1] = joined
    if not kept:
        return node.inputs[0]
    if len(kept) == 1:
        return kept[0]
    return make("concat", *kept, source=node.source, dim=dim) if len(kept) < len(node.inputs) else None


def _joined(a: Node, b: Node, dim: int) -> Node | None:
    """Two slices of one thing as one, when the second begins where the first ends."""
    if a.op != "slice" or a.inputs[0] is not b.inputs[0] or 0 in a.shape or 0 in b.shape:
        return None
    first, second = a.attributes, b.attributes
    if first["steps"] != second["steps"] or first["steps"][dim] != 1:
        return None
    if second["starts"][dim] != first["stops"][dim]:
        return None
    for d, (i, j) in enumerate(zip(first["starts"], second["starts"], strict=True)):
        if d != dim and (i != j or a.shape[d] != b.shape[d]):
            return None
    stops = (*first["stops"][:dim], second["stops"][dim], *first["stops"][dim + 1 :])
    x = a.inputs[0]
    joined = make("slice", x, source=b.source, starts=first["starts"], stops=stops, steps=first["steps"])
    return x if joined.shape == x.shape else joined
