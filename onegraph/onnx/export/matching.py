"""Small questions about graphs, from which the recognizers in `raising.py` and `raising_images.py` are built."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onegraph.ir.dtype import bfloat16
from onegraph.ir.node import Node


def number(node: Node) -> float | None:
    """The value of a constant of one element, or None."""
    while node.op in ("expand", "reshape"):
        node = node.inputs[0]
    if node.op != "constant" or node.dtype is bfloat16 or not node.dtype.is_floating_point:
        return None
    array = node.attributes["value"].array
    return float(array.reshape(-1)[0]) if array.size == 1 else None


def is_number(node: Node, value: float) -> bool:
    """Whether a node is a constant near this value."""
    found = number(node)
    return found is not None and bool(np.isclose(found, value, rtol=1e-6, atol=0.0))


def either(node: Node, op: str) -> Iterator[tuple[Node, Node]]:
    """The two inputs of a commutative op in both orders; nothing for another op."""
    if node.op == op:
        a, b = node.inputs
        yield a, b
        yield b, a


def times_number(node: Node) -> tuple[Node, float] | None:
    """x and the number of `x * number`."""
    for x, factor in either(node, "mul"):
        value = number(factor)
        if value is not None:
            return x, value
    return None


def per_channel(node: Node, channels: object, rank: int) -> Node | None:
    """The vector behind a reshape to (1, channels, 1, ...), which has one value for each channel."""
    if node.op != "reshape" or node.inputs[0].shape != (channels,):
        return None
    return node.inputs[0] if node.shape == (1, channels, *[1] * (rank - 2)) else None


def clipped(node: Node) -> tuple[Node, float, float] | None:
    """x and the two bounds of `where(x <= low, low, where(x >= high, high, x))`."""
    if node.op != "where" or node.inputs[2].op != "where":
        return None
    below, low, inner = node.inputs
    above, high, x = inner.inputs
    low_value, high_value = number(low), number(high)
    if below.op != "le" or above.op != "ge" or low_value is None or high_value is None:
        return None
    fits = below.inputs == (x, low) and above.inputs == (x, high)
    return (x, low_value, high_value) if fits else None


def mean_of(node: Node) -> tuple[Node, tuple[int, ...], bool] | None:
    """x, the dimensions and whether they are kept, of `sum(x) / count`."""
    if node.op != "div" or node.inputs[0].op != "sum":
        return None
    total, count = node.inputs
    (x,) = total.inputs
    dims = tuple(total.attributes["dims"])
    elements = 1
    for dim in dims:
        size = x.shape[dim]
        if not isinstance(size, int):
            return None
        elements *= size
    fits = dims and x.dtype is node.dtype and elements > 0 and is_number(count, elements)
    return (x, dims, bool(total.attributes["keepdim"])) if fits else None
