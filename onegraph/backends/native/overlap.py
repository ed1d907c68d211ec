"""Windows and convolutions that have no kernel of their own, said with movements, products and sums.

Read next: `prepare.py`, which uses it.
"""

from __future__ import annotations

from onegraph.ir.node import Node
from onegraph.ops.index import shape_of
from onegraph.ops.leaf import constant
from onegraph.ops.movement import slice_dim
from onegraph.ops.record import OPS


def fold_long(node: Node) -> Node:
    """Overlap-add of windows with many elements, one dimension after the other, the last one first."""
    a = node.attributes
    x, lead = node.inputs[0], len(node.shape)
    for number in reversed(range(len(a["dims"]))):
        d = a["dims"][number]
        x = _fold_last(x, d, lead + number, shape_of(node)[d], a["strides"][number], a["dilations"][number])
    return x


def _fold_last(x: Node, d: int, tap: int, size: int, stride: int, dilation: int) -> Node:
    """Overlap-add along one dimension; the last dimension of x has the elements of its windows.

    Windows are cut into pieces of `stride` elements: piece j of window i belongs to block i + j of the result. Rows of
    pieces are put one below the other, each moved by one block: padded, and cut again into rows that are one block shorter.
    """
    rank = len(x.shape)
    assert tap == rank - 1
    x = OPS["permute"](x, dims=(*[i for i in range(rank) if i not in (d, tap)], d, tap))
    *rest, count, taps = shape_of(x)
    pieces = -(-((taps - 1) * dilation + 1) // stride)
    missing = pieces * stride - (taps - 1) * dilation - 1
    keep = ((0, 0, 0),) * len(rest)
    zero = constant(0, x.dtype)
    x = OPS["pad"](x, zero, padding=(*keep, (0, 0, 0), (0, missing, dilation - 1)))
    x = OPS["reshape"](x, shape=(*rest, count, pieces, stride))
    x = OPS["permute"](x, dims=(*range(len(rest)), len(rest) + 1, len(rest), len(rest) + 2))
    x = OPS["pad"](x, zero, padding=(*keep, (0, 0, 0), (0, pieces, 0), (0, 0, 0)))
    blocks = count + pieces - 1
    x = OPS["reshape"](x, shape=(*rest, pieces * (blocks + 1) * stride))
    x = slice_dim(x, len(rest), 0, pieces * blocks * stride)
    x = OPS["reshape"](x, shape=(*rest, pieces, blocks * stride))
    x = OPS["sum"](x, dims=(len(rest),), keepdim=False)
    if blocks * stride > size:
        x = slice_dim(x, len(rest), 0, size)
    elif blocks * stride < size:
        x = OPS["pad"](x, zero, padding=(*keep, (0, size - blocks * stride, 0)))
    order = [i for i in range(rank - 1) if i != d]  # where the dimensions of x came from, d at the end
    return OPS["permute"](x, dims=tuple([len(rest) if i == d else order.index(i) for i in range(rank - 1)]))


def integer_convolution(node: Node) -> Node:
    """A convolution of integers as a sum of products over windows."""
    (x, w), a = node.inputs, node.attributes
    rank, groups = len(w.shape) - 2, a["groups"]
    padding = ((0, 0, 0), (0, 0, 0), *[(low, high, 0) for low, high in a["padding"]])
    x = OPS["pad"](x, constant(0, x.dtype), padding=padding)
    dims = tuple(range(2, 2 + rank))
    x = OPS["windows"](x, dims=dims, sizes=w.shape[2:], strides=a["stride"], dilations=a["dilation"])
    images, channels, *places = shape_of(x)
    out, inside, *kernel = shape_of(w)
    x = OPS["reshape"](x, shape=(images, groups, channels // groups, 1, *places))
    w = OPS["reshape"](w, shape=(groups, out // groups, inside, *[1] * rank, *kernel))
    w = OPS["permute"](w, dims=(0, 2, 1, *range(3, 3 + 2 * rank)))
    summed = (2, *range(4 + rank, 4 + 2 * rank))
    return OPS["reshape"](OPS["sum"](OPS["mul"](x, w), dims=summed, keepdim=False), shape=node.shape)
